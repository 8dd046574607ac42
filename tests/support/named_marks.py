"""Which test files a `-m` can choose from, by their text alone: of six hundred files a stage of the
proofs wants sixty, and reading in the others takes each of its processes ten seconds.

A file is left out where no choice among the marks that it names, as `mark.browser`, would be taken.
So each test has marks that its own file names, and no other: `unnamed` says which has.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import partial
from itertools import chain, combinations
from pathlib import Path

import pytest
from _pytest.mark.expression import Expression

STAGES = ("alone", "all_cores", "browser", "matrix", "servers", "timed")
"""The marks by which stages choose."""
_KEYWORDS = {"and", "or", "not"}


def may_hold(path: Path, expression: str) -> bool:
    """Whether a test of this file may be one that `-m expression` takes."""
    asked = set(re.findall(r"\w+", expression)) - _KEYWORDS
    if not asked <= set(STAGES):
        return True
    text = path.read_text(encoding="utf-8")
    named = [name for name in asked if _names(text, name)]
    chosen = Expression.compile(expression)
    choices = chain.from_iterable(
        combinations(named, count) for count in range(len(named) + 1)
    )
    return any(chosen.evaluate(partial(_is_of, marks)) for marks in choices)


def unnamed(items: Iterable[pytest.Item]) -> list[str]:
    """The tests with a mark of a stage that their file does not name."""
    texts: dict[Path, str] = {}
    found = []
    for item in items:
        marks = {mark.name for mark in item.iter_markers()} & set(STAGES)
        if marks and item.path not in texts:
            texts[item.path] = item.path.read_text(encoding="utf-8")
        found += [
            f"{item.nodeid} ({name})"
            for name in sorted(marks)
            if not _names(texts[item.path], name)
        ]
    return found


def _is_of(marks: Collection[str], name: str, /, **_: object) -> bool:
    return name in marks


def _names(text: str, mark: str) -> bool:
    return f"mark.{mark}" in text
