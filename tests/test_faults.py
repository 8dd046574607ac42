"""docs/faults.md names what shows each fault: every row is there once, and every test it names
exists."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.written import names_in

TESTS = Path(__file__).parent
TEXT = (TESTS.parent / "docs" / "faults.md").read_text()
ROWS = re.findall(r"(?m)^\| (\d+) \| (.+) \|$", TEXT)
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)((?:::\w+)+)`", TEXT)))


def test_every_row_of_the_list_is_there_once() -> None:
    assert [int(number) for number, _ in ROWS] == list(range(1, 52))


def test_every_row_is_shown_or_says_why_not() -> None:
    for number, rest in ROWS:
        fault, expected, shown, seen = (cell.strip() for cell in rest.split(" | "))
        assert fault and expected and seen, number
        is_shown = "::test_" in shown or shown.startswith(("not built: ", "coming: "))
        assert is_shown, number


def test_the_tests_it_names_exist() -> None:
    assert len(NAMED) > 100
    assert [
        (file, name)
        for file, name in NAMED
        if not (TESTS / file).is_file()
        or name.removeprefix("::") not in names_in(TESTS / file)
    ] == []
