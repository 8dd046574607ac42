"""`docs/stories.md` names tests for each of the 22 stories of online payments, and there are these
tests."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).resolve().parent
PAGE = (TESTS.parent / "docs" / "stories.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (\d+) \| [^|]+ \| ([^|]+) \|$", PAGE, re.MULTILINE)


def test_each_story_has_its_tests_and_they_exist() -> None:
    assert [int(number) for number, _tests in ROWS] == list(range(1, 23))
    for number, tests in ROWS:
        named = re.findall(r"`([\w/]+)` ((?:test_\w+(?:, )?)+)", tests)
        assert named, f"story {number} names no test"
        for file, names in named:
            text = (TESTS / f"{file}.py").read_text(encoding="utf-8")
            for name in names.rstrip(", ").split(", "):
                assert f"def {name}(" in text, f"story {number}: {file} has no {name}"
