"""What may be a password, in what form it is kept, and which typed forms are taken for it.

Decides only that. Whose password it is, and what ends when it changes, is `core.accounts.users`;
how often somebody may guess is decided where log-ins are.
"""

from __future__ import annotations

import functools
import re
import secrets
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from core.base.refusal import Refusal

SHORTEST = 8
"""Characters of an agent's password."""
SHORTEST_OF_PLATFORM = 12
"""Characters for the owner's people, who see every store."""
LONGEST = 200
_LEAST_OWN = 5
"""Letters and digits that must be left when names, known passwords, years and rows of keys are
taken away."""

_ALWAYS_KNOWN = ("makola",)
_ROWS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "1qaz2wsx3edc4rfv5tgb",
    "!@#$%^&*()_+",
)
_ALPHABET = "abcdefghjkmnpqrstvwxyz23456789"  # nothing that looks like something else
_LETTERS_FOR_DIGITS = str.maketrans("01345@$!", "oieasasi")
_UNSEEN = (
    "\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060"
    "\u2066\u2067\u2068\u2069\ufeff"
)
"""Marks without a width that messengers put round what is copied."""
_TOO_LONG = f"Use at most {LONGEST} characters."
_NOT_TYPED = "Use characters that can be typed on one line: no tabs and no line breaks."
_COMMON = "Guessers try this password first. Use three or four words that do not belong together."
_NAMES = (
    "This is mostly a name, address or number of yours or of the store. Use words that say nothing"
    " about either."
)
_EASY = (
    "This repeats itself or follows the keys in a row. Use three or four words that do not belong"
    " together."
)


class BadPassword(Refusal):
    """A new password that cannot be used. `sentence` says how to fix it."""


def least_of(platform_role: str) -> int:
    """How many characters a password has at least, by its person's role of the platform."""
    if platform_role == "none":
        return SHORTEST
    return SHORTEST_OF_PLATFORM


def generate() -> str:
    """A new password of about 78 random bits that a person can read off a screen and type."""
    return "-".join(
        "".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(4)
    )


def normal(typed: str) -> str:
    """The form in which a password is kept: one spelling for what looks the same, no blanks pasted
    round it."""
    text = unicodedata.normalize("NFKC", typed)
    before = ""
    while text != before:
        before = text
        text = text.strip().strip(_UNSEEN)
    return text


def is_same(typed: str, again: str) -> bool:
    """Whether two typed forms are kept as one password: a blank pasted round one of them is no
    difference."""
    return normal(typed) == normal(again)


def candidates(typed: str) -> tuple[str, ...]:
    """What to compare with a kept password, one or two: its normal form, then as typed.

    The second finds passwords that were kept as typed, before there was a normal form. A text that
    is nobody's password gives the same number of candidates for every account, so that the work
    tells nothing.
    """
    forms = (normal(typed), typed)
    return tuple(
        dict.fromkeys(
            form[: LONGEST + 1].encode("utf-8", "replace").decode() for form in forms
        )
    )


def check(typed: str, *, shortest: int, own: Iterable[str] = ()) -> str:
    """The password as it is to be kept. `own` are names, addresses and numbers of its person and
    their stores.

    Raises `BadPassword` for one that is too short or long, common, mostly `own`, or a row of keys.
    """
    text = normal(typed)
    if len(text) > LONGEST:
        raise BadPassword(_TOO_LONG)
    if "\ufffd" in text or any(
        unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in text
    ):
        raise BadPassword(_NOT_TYPED)
    if len(text) < shortest:
        raise BadPassword(
            f"Use at least {shortest} characters. Three or four words are easy to remember."
        )
    known = sorted({*_ALWAYS_KNOWN, *_words(own)}, key=len, reverse=True)
    plain = text.casefold()
    for form in (plain, plain.translate(_LETTERS_FOR_DIGITS)):
        problem = _problem(form, known)
        if problem:
            raise BadPassword(problem)
    return text


def _problem(text: str, known: list[str]) -> str | None:
    plain = _plain_letters(text)
    if len(plain) < _LEAST_OWN:
        plain = text  # signs only, or nearly: they are its letters
    unit = _repeated(plain)
    if _is_common(plain) or _is_common(unit):
        return _COMMON
    if len(set(plain)) < 4 or len(unit) < _LEAST_OWN:
        return _EASY
    left = plain
    for word in known:
        left = left.replace(word, " ")
    own_part = sum(
        0 if part in _common() else _unlike_a_row(part) for part in left.split()
    )
    if own_part >= _LEAST_OWN:
        return None
    if " " in left:
        return _NAMES
    return _EASY


def _words(own: Iterable[str]) -> set[str]:
    """The names in `own` as they may stand in a password: each word, and all of them in one.
    Numbers without prefix."""
    found: set[str] = set()
    for name in own:
        text = unicodedata.normalize("NFKC", name).casefold()
        parts = [*re.split(r"[\W_]+", text), _plain_letters(text)]
        parts += [part.removeprefix("233") for part in parts if part.isdigit()]
        found.update(part for part in parts if len(part) >= 3)
    return found | {
        word.translate(_LETTERS_FOR_DIGITS) for word in found if not word.isdigit()
    }


def _is_common(text: str) -> bool:
    """Whether it is a known password, or one with digits round it that add little."""
    core = text.strip("0123456789")
    return text in _common() or (
        core in _common() and _unlike_a_row(text.replace(core, "", 1)) < _LEAST_OWN
    )


def _unlike_a_row(text: str) -> int:
    """How many characters are left without years, characters repeated three times or more, and
    three or more keys in a row."""
    left = re.sub(r"(?:19|20)\d\d|(.)\1{2,}", "", text)
    for row in (*_ROWS, *(row[::-1] for row in _ROWS)):
        for length in range(len(row), 2, -1):
            for start in range(len(row) - length + 1):
                left = left.replace(row[start : start + length], "")
    return len(left)


def _repeated(text: str) -> str:
    """The shortest part that the whole text repeats, or the whole text."""
    size = (text + text).find(text, 1)
    return text[:size]


def _plain_letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", text)


@functools.cache
def _common() -> frozenset[str]:
    lines = (
        Path(__file__)
        .with_name("common_passwords.txt")
        .read_text(encoding="utf-8")
        .splitlines()
    )
    return frozenset(
        _plain_letters(line) for line in lines if line and not line.startswith("#")
    )
