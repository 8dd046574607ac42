"""One language: what `docs/words.md` has retired comes back nowhere, in names, prose or docs."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
WORDS = ROOT / "docs" / "words.md"
RETIRED = re.findall(
    r"`([A-Za-z_]+)`", WORDS.read_text().rpartition("`tests/test_words.py`")[2]
)
HISTORY = re.compile(
    r"migrations/versions/|docs/words\.md|tests/test_words\.py|core/base/common_passwords\.txt"
)
"""Where old names must stand: migrations are history, and a list of passwords is a list of
passwords."""
IN_TABLES = {
    "pulse": r"[\"`]pulses[\"`]|\bpulses (SET|WHERE)|FROM pulses|TABLE pulses",
    "lineage": r"database\.lineage",
}
"""Names of tables and rows that are stored: renaming them would break what runs beside a new
version."""


@cache
def texts() -> list[tuple[str, str, str]]:
    """(file, what is written in it, the same in small letters) of everything of ours: names, prose,
    templates."""
    listed = subprocess.run(
        ["git", "ls-files", "*.py", "*.md", "*.html", "*.toml"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    read = {
        name: (ROOT / name).read_text() for name in listed if not HISTORY.search(name)
    }
    return [(name, text, text.lower()) for name, text in read.items()]


def test_words_are_retired_at_all() -> None:
    assert len(RETIRED) > 12 and len(texts()) > 500


def forms(word: str) -> re.Pattern[str]:
    """`word` in names and prose: in capitals too, as a plural, and as a part of a CamelCase name."""
    begun = word[0].upper() + word[1:]
    return re.compile(
        rf"(?<![A-Za-z])(?i:{word}(?:e?s)?)(?![A-Za-z])"
        rf"|(?<![A-Z]){begun}(?:e?s)?(?![a-z])"
    )


@pytest.mark.slow(seconds=1)
@pytest.mark.parametrize("word", RETIRED)
def test_a_retired_word_does_not_come_back(word: str) -> None:
    used = forms(word)
    stored = re.compile(IN_TABLES.get(word, r"(?!)"))
    found = [
        f"{name}:{number}"
        for name, text, lowered in texts()
        if word in lowered
        for number, line in enumerate(text.splitlines(), 1)
        if word in line.lower() and used.search(stored.sub("", line))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("text", "is_seen"),
    [
        ("ring the bell", True),
        ("Bell.", True),
        ("BELLS = 1", True),
        ("ring_bell_now()", True),
        ("class DoorBell:", True),
        ("class BellRinger:", True),
        ("bellow", False),
        ("a label", False),
        ("Bellamy", False),
    ],
)
def test_a_retired_word_is_seen_in_any_form(text: str, is_seen: bool) -> None:
    assert bool(forms("bell").search(text)) is is_seen


def test_each_word_is_explained_once() -> None:
    terms = re.findall(r"^\| ([a-z][^|]+) \|", WORDS.read_text(), re.MULTILINE)
    words = [
        word.strip()
        for term in terms
        for word in term.split(",")
        if term.strip() != "word"
    ]
    assert len(words) > 40 and sorted(words) == sorted(set(words))
