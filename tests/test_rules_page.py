"""`docs/rules-and-their-tests.md` names only tests that there are."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
PAGE = (TESTS.parent / "docs" / "rules-and-their-tests.md").read_text()
SHORT = dict(re.findall(r"^`([A-Z])` is `([\w/]+)`", PAGE, re.MULTILINE))
"""One letter for a file that a whole table is about."""
NAMED = [
    (SHORT.get(file, file), name)
    for file, names in re.findall(r"\| `([\w/]+)` ((?:test_\w+(?:, )?)+)", PAGE)
    for name in re.findall(r"test_\w+", names)
]


@cache
def text_of(file: str) -> str:
    return (TESTS / f"{file}.py").read_text()


def test_most_rules_name_a_test() -> None:
    assert len(NAMED) > 450


@pytest.mark.parametrize(("file", "name"), sorted(set(NAMED)))
def test_the_test_it_names_exists(file: str, name: str) -> None:
    assert f"def {name}(" in text_of(file)
