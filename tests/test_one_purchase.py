"""`docs/one-purchase.md` leads a newcomer along the road: each file and function it names is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROWS = re.findall(
    r"^\| \d+ \| (\d+) \| (.*?) \| (.*?) \|",
    (ROOT / "docs" / "one-purchase.md").read_text(),
    re.MULTILINE,
)


def quoted(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


@pytest.mark.parametrize(("files", "names"), [row[1:] for row in ROWS])
def test_what_it_names_is_there(files: str, names: str) -> None:
    text = "\n".join((ROOT / name).read_text() for name in quoted(files))
    missing = [
        name
        for name in quoted(names)
        if not re.search(rf"^(?: *def |class )?{name}\b", text, re.MULTILINE)
    ]
    assert quoted(names) and missing == []


def test_it_is_read_in_an_hour_or_little_more() -> None:
    assert len(ROWS) >= 15 and sum(int(row[0]) for row in ROWS) <= 70
