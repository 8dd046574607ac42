"""`docs/rules-and-their-tests.md` names only tests that there are."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from pathlib import Path

TESTS = Path(__file__).resolve().parent
PAGE = (TESTS.parent / "docs" / "rules-and-their-tests.md").read_text()
SHORT = dict(re.findall(r"^`([A-Z])` is `([\w/]+)`", PAGE, re.MULTILINE))
"""One letter for a file that a whole table is about."""
NAMED = [
    (SHORT.get(file, file), name)
    for file, names in re.findall(r"`([\w/]+)` ((?:test_\w+(?:, | and )?)+)", PAGE)
    for name in re.findall(r"test_\w+", names)
]


@cache
def text_of(file: str) -> str:
    return (TESTS / f"{file}.py").read_text()


def test_every_test_on_the_page_stands_behind_its_file() -> None:
    """Or nobody would look whether it exists."""
    assert len(NAMED) > 600
    told = Counter(re.findall(r"(?<![\w/`])test_\w+", PAGE))
    assert told == Counter(name for _file, name in NAMED)


def test_the_files_it_names_exist() -> None:
    files = set(re.findall(r"`([\w/]*test_\w+)`", PAGE))
    assert [
        file for file in sorted(files) if not (TESTS / f"{file}.py").is_file()
    ] == []


def test_the_tests_it_names_exist() -> None:
    assert [
        (file, name)
        for file, name in sorted(set(NAMED))
        if f"def {name}(" not in text_of(file)
    ] == []
