"""The evidence of a case as a person reads it: what was seen, each with a name.

Decides words only.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core import orders
from core.base import money

_NAMES = {
    "order_is": "Our order was",
    "state": "Our order was",
    "supplier_says": "The supplier said",
    "said": "The supplier said",
    "delivered": "Delivered by then",
    "order_ref": "About reference",
    "recipient": "About number",
    "capacity": "About size",
    "expected_pesewas": "Expected charge",
    "charged_pesewas": "The supplier charged",
    "since": "Without an end since",
    "waits_since": "The customer waits since",
    "watched_until": "Watched until",
    "attempt": "Attempts made",
    "resends": "Sent again",
    "error": "Our error",
    "reason": "The supplier's reason",
    "supplier_pesewas": "The supplier says it holds",
    "float_pesewas": "Our books say",
    "unresolved_pesewas": "Orders without an answer may have cost",
    "charged_again_pesewas": "Orders that failed or have a case may have cost",
    "may_be_back_pesewas": "Orders that failed or have a case may have given back",
    "difference_pesewas": "What nothing explains",
    "could_be": "Orders that could explain it",
    "because": "Noticed by",
    "newest_order": "Newest order in the backup",
    "asked_first": "Orders asked about first",
    "found": "What does not hold",
    "rounded_pesewas": "Rounded by then",
    "day": "On",
    "payment": "Payment",
    "asked_pesewas": "We asked for",
    "requested_pesewas": "The gateway was asked for",
    "paid_pesewas": "The gateway took",
    "taken_pesewas": "The gateway took back",
    "owed_pesewas": "The store owed then",
    "currency": "Currency",
    "world": "The gateway's world",
    "gateway_says": "The gateway says",
    "reference": "Reference",
    "recipient_code": "Recipient at the gateway",
    "payout_is": "Our payout was",
    "gateway_pesewas": "The gateway holds",
    "least_pesewas": "At least, by our books",
    "most_pesewas": "At most, by our books",
    "cause": "What does not fit",
    "payments": "Payments",
    "sum_pesewas": "They sum to",
    "references": "The first of them",
    "rows": "Rows that nobody here can read",
    "settlement": "Settlement",
    "settled_pesewas": "It reached us with",
    "said_pesewas": "It says of itself",
    "inside_pesewas": "Its payments sum to",
    "ours_pesewas": "Of ours it was to bring",
    "explained_pesewas": "Taken off for refunds and disputes of ours",
    "its_payment": "Its payment at the gateway",
    "booked_pesewas": "Booked to our bank",
    "differs_pesewas": "Less than is ours",
    "gateway_refund": "Its number at the gateway",
    "refunded_there_pesewas": "Given back there",
    "what": "What to do",
}
_PLACES = {name: place for place, name in enumerate(_NAMES)}
_OUR_STATE = frozenset({"order_is", "state"})
_QUOTED = frozenset({"supplier_says", "said", "reason", "gateway_says"})


@dataclass(frozen=True)
class Fact:
    """One thing seen: what, and its value as text or as a moment."""

    name: str
    text: str = ""
    moment: datetime | None = None


def facts_in_words(seen: dict[str, Any]) -> list[Fact]:
    """One piece of evidence, without its moment, as a person reads it."""
    names = sorted((name for name in seen if name != "at"), key=_place)
    return [_fact(name, seen[name]) for name in names]


def _place(name: str) -> tuple[int, str]:
    """Known names in the order of the table, the others after them; the database keeps no order."""
    return _PLACES.get(name, len(_PLACES)), name


def seen_at(seen: dict[str, Any]) -> datetime | None:
    return _moment(seen.get("at"))


def _fact(name: str, value: Any) -> Fact:
    label = _NAMES.get(name) or _readable(name)
    moment = _moment(value)
    if moment is not None:
        return Fact(label, moment=moment)
    return Fact(label, _text(name, value))


def _readable(name: str) -> str:
    return name.removesuffix("_pesewas").replace("_", " ").capitalize()


def _text(name: str, value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and name.endswith("_pesewas"):
        return _amount(name, value)
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    if name in _OUR_STATE:
        return orders.AGENT_LABELS.get(value, str(value))
    if name in _QUOTED:
        return f"“{value}”"
    return str(value)


def _amount(name: str, pesewas: int) -> str:
    if name == "difference_pesewas":
        more = "more" if pesewas > 0 else "less"
        return f"{money.cedis(abs(pesewas))} {more} than our books"
    if name == "rounded_pesewas":
        gained = "gained" if pesewas > 0 else "lost"
        return f"{money.cedis(abs(pesewas))} {gained}"
    return money.cedis(pesewas)


def _moment(value: Any) -> datetime | None:
    """A moment kept as ISO text; None for anything else. A date alone, or one without its zone, is
    no moment."""
    if not isinstance(value, str) or "T" not in value:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    if moment.tzinfo is not None:
        return moment
    return None
