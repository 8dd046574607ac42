"""The lock files: complete, hashed, and free of addresses, so that they install from whatever index
pip is set to."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

LOCKS = Path(__file__).parents[1] / "requirements"


def pinned(name: str) -> dict[str, str]:
    return dict(
        re.findall(
            r"(?m)^([A-Za-z0-9_.-]+)(?:\[[a-z,]+\])?==([^\s;\\]+)",
            (LOCKS / name).read_text(),
        )
    )


@pytest.mark.parametrize("name", ["run.lock", "dev.lock", "audit.lock"])
def test_a_lock_names_no_address(name: str) -> None:
    assert "://" not in (LOCKS / name).read_text()


@pytest.mark.parametrize(
    ("name", "least"), [("run.lock", 40), ("dev.lock", 40), ("audit.lock", 20)]
)
def test_every_pin_of_a_lock_has_hashes(name: str, least: int) -> None:
    entries = re.split(r"(?m)^(?=[A-Za-z0-9])", (LOCKS / name).read_text())[1:]
    assert len(entries) > least
    assert [
        entry.split()[0] for entry in entries if "--hash=sha256:" not in entry
    ] == []


def test_the_test_tools_come_on_top_of_what_runs() -> None:
    run, dev = pinned("run.lock"), pinned("dev.lock")
    assert {
        name: version for name, version in run.items() if dev.get(name) != version
    } == {}
    assert "pytest" in dev
    assert "pytest" not in run
