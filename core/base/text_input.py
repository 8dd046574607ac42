"""What people type, paste and send, read in one place: without the signs that nobody can see, as
row ids, as paths to go back to.

Decides which characters of a text are there for a reader: phones, chat programs and spreadsheets
put marks of direction, joiners and blanks of many widths round a number, and keyboards have digits
of many scripts. What a text then means is decided by who reads it: `phones`, `money`, `orders`,
`users`.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

LONGEST_LINE = 200
"""Characters of a reason or a search; longer is cut, nobody needs more on one line."""
LONGEST_PATH = 500

_IGNORABLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Unicode's Default_Ignorable_Code_Point, which Python's tables leave out
(DerivedCoreProperties.txt, Unicode 16)."""
_BLANKS = "\u2800"
"""Blank, and a symbol by its category: the empty pattern of Braille."""


def visible(text: str) -> str:
    """`text` without format characters and what is ignored by default: marks of direction, joiners,
    soft hyphens."""
    if text.isascii():
        return text
    return "".join(
        sign
        for sign in _IGNORABLE.sub("", text)
        if sign.isascii() or unicodedata.category(sign) != "Cf"
    )


def seen(text: str) -> str:
    """`text` as a reader sees it, in one spelling: NFKC, without format characters and what is
    ignored by default.

    For e-mail addresses and searches. Digits of every script are 0-9; an accent stays an accent, a
    blank stays a blank.
    """
    if text.isascii():
        return text
    spelt = unicodedata.normalize(
        "NFKC", visible(unicodedata.normalize("NFKC", visible(text)))
    )
    return "".join(
        sign if sign.isascii() or not sign.isdecimal() else _digit(sign)
        for sign in spelt
    )


def one_line(text: str, longest: int = LONGEST_LINE) -> str:
    """`seen`, on one line of at most `longest` characters: every run of blanks is one space, none
    at the ends."""
    blanked = "".join(
        sign if sign.isprintable() and sign not in _BLANKS else " "
        for sign in seen(text[: longest * 4])
    )
    return " ".join(blanked.split())[:longest].strip()


def with_digits(text: str) -> str:
    """`text` for reading digits: decimal digits of every script as 0-9, no marks on them, nothing
    unseen. Blanks stay."""
    if text.isascii():
        return text
    return "".join(_digit(sign) for sign in visible(text))


def compact(text: str) -> str:
    """`with_digits` without any blank or line break: a number or a code, however it was set
    apart."""
    return "".join(
        sign for sign in with_digits(text) if not sign.isspace() and sign not in _BLANKS
    )


def row_id(text: str | None) -> int | None:
    """A row's number as an address or a form carries it; None when it is none that PostgreSQL can
    hold."""
    is_number = text and text.isascii() and text.isdigit() and len(text) <= 18
    return int(text) if text and is_number else None


def own_path(text: str | None) -> str | None:
    """`text` when it is a plain path of this host, else None: a link must not lead to another
    site."""
    if not text or len(text) > LONGEST_PATH or not text.isprintable():
        return None
    if not text.startswith("/") or text.startswith("//"):
        return None
    return None if "\\" in text or " " in text else text


@lru_cache(maxsize=1_024)
def _digit(sign: str) -> str:
    if sign.isascii():
        return sign
    category = unicodedata.category(sign)
    if category == "Nd":
        return str(unicodedata.decimal(sign))
    return "" if category in ("Mn", "Me") else sign
