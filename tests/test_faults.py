"""docs/faults.md names what shows each fault: every row is there once, and every test it names
exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

TESTS = Path(__file__).parent
TEXT = (TESTS.parent / "docs" / "faults.md").read_text()
ROWS = re.findall(r"(?m)^\| (\d+) \| (.+) \|$", TEXT)
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)((?:::\w+)+)`", TEXT)))


@cache
def names_in(path: Path) -> frozenset[str]:
    """`test_name` and `Class::test_name` of a file, by its text."""
    found: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {
                f"{node.name}::{inner.name}"
                for inner in node.body
                if isinstance(inner, ast.FunctionDef)
            }
    return frozenset(found)


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
