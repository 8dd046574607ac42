"""Cedis on the wire to integer pesewas.

Decides what counts as an amount. The wire writes JSON numbers with binary noise (4990.000000000001), sometimes
strings; anything that is no plain amount of zero or more is None, never a guess.
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal

MAX_CEDIS = Decimal(10_000_000)
"""More than any wallet holds; a larger figure is a mistake on the wire."""

_CEDIS = frozenset({"GHS", "GH₵", "GH¢", "₵"})
_PLAIN = re.compile(r"[0-9]{1,20}(\.[0-9]{1,40})?", re.ASCII)


def pesewas(cedis: object) -> int | None:
    """Pesewas of a wire value, rounded half up to the pesewa; None for NaN, negatives, nonsense and absence."""
    if isinstance(cedis, bool) or not isinstance(cedis, (int, float, str)):
        return None
    if isinstance(cedis, str):
        if not _PLAIN.fullmatch(cedis.strip()):
            return None
        amount = Decimal(cedis.strip())
    elif not 0 <= cedis <= MAX_CEDIS:  # false for NaN too
        return None
    else:
        amount = Decimal(str(cedis))
    if amount > MAX_CEDIS:
        return None
    return int((amount * 100).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def is_cedis(currency: object) -> bool:
    """Whether a wire value names our currency, in any spelling, or says nothing about it."""
    if currency is None or currency == "":
        return True
    return isinstance(currency, str) and currency.strip().upper() in _CEDIS
