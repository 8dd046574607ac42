"""Whether the size a supplier names contradicts the one that was ordered, however it is spelled."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal

_SIZE = re.compile(
    r"(\d{1,9}(?:[.,]\d{1,9})*)\s*(megs?|gigs?|mega|giga|m|g)(?:i?b|bytes?)?\b",
    re.IGNORECASE,
)
_FACTORS = {
    "m": (Decimal(1), Decimal("1.024"), 1000 / Decimal(1024)),
    "g": (Decimal(1000), Decimal(1024)),
}
"""A gigabyte has 1000 or 1024 megabytes: suppliers count both ways, and so may whoever wrote the
megabytes."""


def contradicts(said: str | None, capacity: str) -> bool:
    """Whether `said` names a size, with its unit, that is another one than `capacity`.

    `5120MB`, `5000 mb` and `5 Gig` are 5GB. A bare `5`, an empty text, a text without a size
    contradict nothing.
    """
    named = _megabytes(said or "")
    ordered = _megabytes(capacity)
    return bool(named and ordered) and not named & ordered


def agrees(said: str | None, capacity: str) -> bool:
    """Whether `said` names the very size, with its unit."""
    return bool(_megabytes(said or "") & _megabytes(capacity))


def _megabytes(text: str) -> set[Decimal]:
    """Every number of megabytes that the sizes in `text` may mean."""
    found = _SIZE.findall(unicodedata.normalize("NFKC", text))
    return {
        _number(digits) * factor
        for digits, unit in found
        for factor in _FACTORS[unit[0].lower()]
    }


def _number(digits: str) -> Decimal:
    """`1,024` is 1024; `1,5` is 1.5."""
    thousands = re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", digits)
    plain = digits.replace(",", "" if thousands else ".")
    whole, _, rest = plain.partition(".")
    return Decimal(f"{whole}.{rest.replace('.', '')}" if rest else whole)
