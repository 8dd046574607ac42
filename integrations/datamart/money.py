"""Cedis on the wire to integer pesewas.

Decides what counts as an amount. A number is taken as its digits stand (`envelope.loads` makes no
floats of them) and rounded once, here. Texts may carry a currency and separators; what could mean
two amounts is none, never a guess.
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal

MAX_CEDIS = Decimal(10_000_000)
"""More than any wallet holds; a larger figure is a mistake on the wire."""

_PESEWA = Decimal("0.01")
_CURRENCY = re.compile(r"^(?:GHS|GHC|GH₵|GH¢|₵)|(?:GHS|GHC|GH₵|GH¢|₵)$", re.IGNORECASE)
_CEDIS = frozenset({"GHS", "GH₵", "GH¢", "₵"})
_PLAIN = re.compile(r"[0-9]{1,20}(\.[0-9]{1,40})?", re.ASCII)
_GROUPED = (
    (
        re.compile(
            r"[0-9]{1,3}(,[0-9]{3})+\.[0-9]{1,40}|[0-9]{1,3}(,[0-9]{3}){2,6}", re.ASCII
        ),
        ",",
        ".",
    ),
    (
        re.compile(
            r"[0-9]{1,3}(\.[0-9]{3})+,[0-9]{1,2}|[0-9]{1,3}(\.[0-9]{3}){2,6}", re.ASCII
        ),
        ".",
        ",",
    ),
    (re.compile(r"[0-9]{1,3}( [0-9]{3})+(\.[0-9]{1,40})?", re.ASCII), " ", "."),
    (re.compile(r"[0-9]{1,3}( [0-9]{3})*,[0-9]{1,2}", re.ASCII), " ", ","),
    (re.compile(r"[0-9]{1,20},[0-9]{1,2}", re.ASCII), " ", ","),
)
"""Shape, what separates thousands in it, what stands before the fraction. `1,234` alone is in none:
it may be 1234 or 1.234. `1.234` is plain, as all other figures of this wire."""
_SPACES = re.compile(r"[\s\u00a0\u2007\u2009\u202f]+")


def pesewas(cedis: object) -> int | None:
    """Pesewas of a price or charge, rounded half up once; None for negatives, nonsense and
    absence."""
    amount = signed_pesewas(cedis)
    if amount is not None and amount >= 0:
        return amount
    return None


def signed_pesewas(cedis: object) -> int | None:
    """Pesewas of a balance, which may be below zero, rounded half up once; None for nonsense and
    absence."""
    amount = exactly(cedis)
    if amount is None:
        return None
    return int(amount.quantize(_PESEWA, rounding=ROUND_HALF_UP) * 100)


def exactly(cedis: object) -> Decimal | None:
    """The amount of a wire value in cedis with every digit of it; None for NaN, nonsense and
    absence."""
    if isinstance(cedis, bool) or not isinstance(cedis, (int, float, Decimal, str)):
        return None
    if isinstance(cedis, str):
        amount = _of_text(cedis)
    else:
        amount = _of_number(cedis)
    if amount is not None and amount.copy_abs() <= MAX_CEDIS:
        return amount
    return None


def _of_number(cedis: float | Decimal) -> Decimal | None:
    if isinstance(cedis, int):
        if abs(cedis) <= MAX_CEDIS:
            return Decimal(cedis)
        return None
    if isinstance(cedis, Decimal):
        amount = cedis
    else:
        amount = Decimal(str(cedis))
    return amount if amount.is_finite() else None


def _of_text(text: str) -> Decimal | None:
    left = _SPACES.sub(" ", text).strip().replace("\N{MINUS SIGN}", "-")
    before = left.startswith("-")
    left = _CURRENCY.sub("", left.removeprefix("-").strip(), count=1).strip()
    after = not before and left.startswith("-")
    number = _number(left[after:].strip())
    if number is None or not (before or after):
        return number
    return number.copy_negate()


def _number(text: str) -> Decimal | None:
    if _PLAIN.fullmatch(text):
        return Decimal(text)
    for shape, thousands, point in _GROUPED:
        if shape.fullmatch(text):
            return Decimal(text.replace(thousands, "").replace(point, "."))
    return None


def is_cedis(currency: object) -> bool:
    """Whether a wire value names our currency, in any spelling, or says nothing about it."""
    if currency is None or currency == "":
        return True
    return isinstance(currency, str) and currency.strip().upper() in _CEDIS
