"""How long a bundle lasts, by meaning: the supplier may spell it anew with every list.

Decides which spellings mean the same. A month is 30 days, as networks sell it; what cannot be read
is compared letter by letter, without case, spaces and signs.
"""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal

_HOURS = {
    "minute": Decimal(1) / 60,
    "hour": Decimal(1),
    "day": Decimal(24),
    "week": Decimal(168),
}
_MONTH_DAYS, _YEAR_DAYS = 30, 365
_UNITS = {
    "min": "minute", "minute": "minute",
    "h": "hour", "hr": "hour", "hour": "hour",
    "d": "day", "dy": "day", "day": "day", "daily": "day",
    "w": "week", "wk": "week", "week": "week", "weekly": "week",
    "mo": "month", "mth": "month", "mnth": "month", "month": "month", "monthly": "month",
    "y": "year", "yr": "year", "year": "year", "yearly": "year", "annual": "year",
}  # fmt: skip
_WORDS = {
    "a": "1", "an": "1", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5",
    "six": "6", "seven": "7",
    "ten": "10", "fourteen": "14", "thirty": "30", "sixty": "60", "ninety": "90",
}  # fmt: skip
_THINGS = re.compile(r"\b(bundle|data|package|plan)\b")
_FILLING = re.compile(r"\b(valid|validity|for|of|lasts|period|expires|in|after)\b")
_NO_EXPIRY = re.compile(
    r"(no|non|never|not|without|does not|doesn t|doesnt) ?(an )?(expir\w*)|unlimited|lifetime|until"
    r" (used|finished|consumed)"
)
_NOTHING = frozenset(
    {
        "", "n a", "na", "nan", "none", "null", "nil", "unknown", "undefined", "unspecified",
        "not specified", "not stated",
        "not set", "not available", "not applicable", "varies", "tba", "tbc", "tbd",
    }
)  # fmt: skip
_LENGTH = re.compile(r"(?:([0-9]+(?:\.[0-9]+)?|[a-z]+) )?([a-z]+)")


def meaning(words: str) -> str:
    """A key that two spellings of the same duration share: `30 Days`, `30days` and `1 month` are
    `720 h`."""
    plain = _plain(words)
    return _read(plain) or plain


def says(words: str) -> bool:
    """Whether the words name any duration."""
    return _plain(words) not in _NOTHING


def adds_nothing(words: str, known: str) -> bool:
    """Whether `words` say nothing, or no more than the number of what is `known`: `30` or `30 dyas`
    beside `30 days`."""
    plain = _plain(words)
    if plain in _NOTHING:
        return True
    number = plain.split(" ")[0]
    return (
        number.isdigit()
        and number == _plain(known).split(" ")[0]
        and _read(plain) is None
    )


def _read(plain: str) -> str | None:
    bare = _squeezed(_THINGS.sub(" ", plain))
    if _NO_EXPIRY.fullmatch(bare):
        return "no expiry"
    hours = _hours(_squeezed(_FILLING.sub(" ", bare)))
    return f"{hours.normalize():f} h" if hours else None


def _hours(plain: str) -> Decimal | None:
    found = _LENGTH.fullmatch(plain)
    if found is None:
        return None
    number = _WORDS.get(found[1] or "one", found[1] or "")
    unit = _UNITS.get(found[2]) or _UNITS.get(found[2].removesuffix("s"))
    if unit is None or not re.fullmatch(r"[0-9]+(\.[0-9]+)?", number):
        return None
    count = Decimal(number)
    if unit == "year":
        return count * _YEAR_DAYS * 24
    if unit == "month":
        years, months = divmod(count, 12)
        return (years * _YEAR_DAYS + months * _MONTH_DAYS) * 24
    return count * _HOURS[unit]


def _plain(words: str) -> str:
    """Small letters, digits, points between digits, single spaces; a number stands apart from its
    unit."""
    folded = unicodedata.normalize("NFKC", words).casefold()
    folded = "".join(
        str(unicodedata.digit(c)) if c.isdigit() else c
        for c in folded
        if unicodedata.category(c) != "Cf"
    )
    folded = re.sub(r"\((s|ies)\)", r"\1", folded)
    folded = re.sub(r"(?<![0-9])\.|\.(?![0-9])|[^\w.]|_", " ", folded)
    folded = re.sub(r"(?<=[0-9])(?=[^\W\d])|(?<=[^\W\d])(?=[0-9])", " ", folded)
    return _squeezed(folded)


def _squeezed(words: str) -> str:
    return " ".join(words.split())
