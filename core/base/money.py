"""Money as whole pesewas: reading, writing and the named roundings.

GHS 1 is 100 pesewas. Nothing here or elsewhere divides money without one of these functions, and no
float is ever money.
"""

from __future__ import annotations

import re

from core.base import text_input
from core.base.refusal import Refusal

Pesewas = int
"""An amount in pesewas. Signs follow the ledger: debit +, credit -."""

ROUNDING_PESEWAS = 1
"""Two whole amounts this far apart may be one figure with a fraction of a pesewa, rounded twice."""

MOST_PESEWAS = 100_000_000
"""GHS 1,000,000: no amount a person types is larger."""


class BadAmount(Refusal):
    """A typed amount that cannot be read. `sentence` says how to fix it."""


def parse_ghs(text: str) -> Pesewas:
    """Read cedis as people type them: `24`, `24.5`, `24.50`, `1,250.00`, `GHS 24`, `GH₵24.00`.

    Raises `BadAmount` for anything else, negatives and amounts over GHS 1,000,000 included.
    """
    cleaned = re.sub(
        r"(?i)^\s*(ghs|gh₵|gh¢|₵)?\s*", "", text_input.visible(text), count=1
    ).rstrip()
    if not cleaned:
        raise BadAmount("Type an amount in cedis, like 24.00.")
    if not re.fullmatch(
        r"[0-9]{1,3}(,[0-9]{3})+(\.[0-9]{1,2})?|[0-9]{1,12}(\.[0-9]{1,2})?", cleaned
    ):
        if re.fullmatch(r"[0-9,]+\.[0-9]{3,}", cleaned):
            raise BadAmount("Use at most two digits after the point, like 24.50.")
        if cleaned.startswith("-"):
            raise BadAmount("The amount cannot be negative.")
        raise BadAmount("Type the amount in cedis with digits only, like 24.00.")
    whole, _, part = cleaned.replace(",", "").partition(".")
    pesewas = int(whole) * 100 + int(part.ljust(2, "0") or 0)
    if pesewas > MOST_PESEWAS:
        raise BadAmount("That is more than GH₵ 1,000,000.00. Check the amount.")
    return pesewas


def format_ghs(pesewas: Pesewas) -> str:
    """`2400` -> `24.00`, with thousands separated and a true minus sign."""
    sign = "\N{MINUS SIGN}" if pesewas < 0 else ""
    whole, part = divmod(abs(pesewas), 100)
    return f"{sign}{whole:,}.{part:02d}"


def cedis(pesewas: Pesewas) -> str:
    """`2400` -> `GH₵ 24.00`, for prose."""
    return f"GH₵\N{NO-BREAK SPACE}{format_ghs(pesewas)}"


def add_percent_rounding_up(pesewas: Pesewas, basis_points: int) -> Pesewas:
    """`pesewas` plus `basis_points` hundredths of a percent, rounded up to a whole pesewa."""
    return pesewas - (-pesewas * basis_points // 10_000)


def round_up(pesewas: Pesewas, step: Pesewas) -> Pesewas:
    """The least whole multiple of `step` that is not below `pesewas`."""
    return -(-pesewas // step) * step


def percent_of(part: Pesewas, whole: Pesewas) -> str:
    """How much of `whole` is `part`, in percent to the nearest tenth: `5.4`; `–` of nothing."""
    if whole <= 0:
        return "–"
    tenths, rest = divmod(abs(part) * 1_000, whole)
    tenths += rest * 2 >= whole
    sign = "\N{MINUS SIGN}" if part < 0 and tenths else ""
    return f"{sign}{tenths // 10}.{tenths % 10}"


def parse_percent(text: str) -> int:
    """Read a percentage as people type it, `10`, `7.5`, `7.25 %`, as hundredths of a percent.

    Raises `BadAmount` for anything else, negatives included.
    """
    cleaned = re.sub(r"\s*%\s*$", "", text_input.visible(text)).strip()
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,2})?", cleaned):
        if cleaned.startswith(("-", "\N{MINUS SIGN}")):
            raise BadAmount("The percentage cannot be negative.")
        if re.fullmatch(r"[0-9]{1,6}\.[0-9]{3,}", cleaned):
            raise BadAmount("Use at most two digits after the point, like 7.25.")
        raise BadAmount("Type a percentage with digits only, like 10 or 7.5.")
    whole, _, part = cleaned.partition(".")
    return int(whole) * 100 + int(part.ljust(2, "0") or 0)


def format_bp(basis_points: int) -> str:
    """`1000` -> `10`, `750` -> `7.5`: hundredths of a percent, without zeros that say nothing."""
    whole, part = divmod(basis_points, 100)
    return f"{whole:,}.{part:02d}".rstrip("0").rstrip(".")
