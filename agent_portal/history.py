"""One order's history as one list: what happened and what money moved with it.

Decides the order of lines and what of their raw detail an agent may read: never what the supplier
charges the platform.
"""

from __future__ import annotations

import json
from typing import Any

from core import ledger, orders
from core.base import money
from core.ledger import Posting
from core.orders import Moment, Order, OrderEvent

MONEY_OF = {
    "queued": "hold",
    "completed": "capture",
    "refunded": "release",
    "cancelled": "release",
}
"""The posting that shows in an agent's wallet, by the kind of event it was written with."""
MONEY_TEXT = {
    "hold": "{} set aside in your wallet.",
    "capture": "{} paid for it.",
    "release": "{} back in your wallet.",
}
WAITING = frozenset({"wait", "unknown", "absent", "case"})


def of(order: Order) -> list[Moment]:
    """Every line of an order, oldest first; each movement of money right after the event it came
    with."""
    booked = {
        posting.kind: posting
        for posting, _ in ledger.postings_of(order.id)
        if posting.kind in MONEY_TEXT
    }
    moments = []
    for event in orders.timeline(order):
        moments.append(
            Moment(
                event.at, event.who_name, event.text, _icon(event.kind), _detail(event)
            )
        )
        if posting := booked.pop(MONEY_OF.get(event.kind, ""), None):
            moments.append(_money(order, posting))
    return moments + [_money(order, posting) for posting in booked.values()]


def _money(order: Order, posting: Posting) -> Moment:
    return Moment(
        posting.at,
        "Books",
        MONEY_TEXT[posting.kind].format(money.cedis(order.agent_price_pesewas)),
    )


def _icon(kind: str) -> str:
    if kind in WAITING:
        return "waiting"
    if kind in ("settled", "given_back"):
        return "done"
    if kind in orders.STATES:
        return orders.AGENT_ICONS[kind]
    return ""


def _detail(event: OrderEvent) -> str:
    """The raw detail without the platform's own money; a case's evidence, and what settled it, are
    for the owner."""
    if not event.detail or event.kind in ("case", "settled"):
        return ""
    shown: dict[str, Any] = {
        key: value
        for key, value in event.detail.items()
        if not key.endswith("_pesewas")
    }
    if shown:
        return json.dumps(shown, indent=2, ensure_ascii=False)
    return ""
