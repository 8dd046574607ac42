"""Members of Paystack's objects as they come: numbers as text, dates of two spellings, anything
missing.

Decides what of a member is believed. Which members an object has is decided where it is read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from integrations.strict_json import text

MOST_PESEWAS = 2**53
"""More than any account holds; a larger figure is a mistake on the wire."""
_MOST_ID = 2**64 - 1


def member(of: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The object under this name; empty when it is something else."""
    value = of.get(name)
    return value if isinstance(value, dict) else {}


def one(data: Any) -> Mapping[str, Any] | None:
    """The object that `data` is, or the only one of the list that it is."""
    if isinstance(data, list) and len(data) == 1:
        data = data[0]
    return data if isinstance(data, dict) else None


def gateway_id(value: object) -> str | None:
    """An id of 64 bits, which may come as a number or as text; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,20}", value, re.ASCII):
        value = int(value)
    if isinstance(value, int) and 0 < value <= _MOST_ID:
        return str(value)
    return None


def pesewas(value: object) -> int | None:
    """An amount, which may come as a number or as text of digits; None for all else."""
    amount = signed_pesewas(value)
    return amount if amount is not None and amount >= 0 else None


def signed_pesewas(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value, re.ASCII):
        value = int(value)
    if isinstance(value, int) and abs(value) <= MOST_PESEWAS:
        return value
    return None


def currency(of: Mapping[str, Any]) -> str:
    return text(of.get("currency"), 8).strip().upper()


def is_live(of: Mapping[str, Any]) -> bool | None:
    """Of which world an object is; None when it does not say so."""
    return {"live": True, "test": False}.get(text(of.get("domain"), 8))


def moment(of: Mapping[str, Any], *names: str) -> datetime | None:
    """The first of these members that is a moment, in UTC."""
    for name in names:
        written = of.get(name)
        if not isinstance(written, str):
            continue
        try:
            found = datetime.fromisoformat(written)
            found = found if found.tzinfo else found.replace(tzinfo=UTC)
            return found.astimezone(UTC)
        except (ValueError, OverflowError):
            continue
    return None


def flag(value: object) -> bool:
    """A switch, which may come as a boolean or as 0 or 1."""
    return value is True or (isinstance(value, int) and value == 1)


def word(of: Mapping[str, Any], name: str = "status") -> str:
    """A state as it was written, in lower case; empty when it is no word."""
    value = of.get(name)
    return text(value, 40).strip().lower() if isinstance(value, str) else ""


def after(meta: Mapping[str, Any]) -> str | None:
    """The token that asks for the next rows; none may be missing, null, or the *text* null."""
    token = text(meta.get("next"), 200)
    return None if token in ("", "null", "undefined") else token
