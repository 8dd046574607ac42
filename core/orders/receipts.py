"""What a receipt may say: the moments that have come, and who says that it was paid.

A receipt is kept and shown to others, so it claims nothing that is not so: paid is what the store
has confirmed and not taken back, delivered is what the network says now.
"""

from __future__ import annotations

from datetime import datetime

from core.base.language import later, say
from core.orders import giving_back
from core.orders.model import Order

_NOT_YET = ("awaiting_payment", "pending")
_ENDED = {
    "cancelled": later("Cancelled"),
    "expired": later("Expired"),
    "refunded": later("Closed as not delivered"),
}


def moments(order: Order) -> list[tuple[str, datetime]]:
    """What has happened to it and when, oldest first."""
    found = [(say("Ordered"), order.created_at)]
    if order.queued_at is not None and order.state not in _NOT_YET:
        found.append((say("Accepted"), order.queued_at))
    if order.state == "completed" and order.completed_at is not None:
        found.append((say("Delivered"), order.completed_at))
    if order.state in _ENDED and order.final_at is not None:
        found.append((say(_ENDED[order.state]), order.final_at))
    return found


def payment_words(order: Order, store: str) -> str:
    """Whether the store has confirmed the payment, which goes to it and to nobody else."""
    if order.is_test:
        return say("None: this is a test order")
    if order.paid_online:
        return say("Paid online") if order.queued_at else say("Not paid yet")
    if order.state in _NOT_YET:
        return say("Not confirmed by %(store)s yet", store=store)
    if order.queued_at is None and order.confirmed_at is None:
        return say("None confirmed by %(store)s", store=store)
    if order.given_back_at is None or order.given_back_how == "delivered":
        return say("Paid to %(store)s directly: %(store)s confirmed it", store=store)
    if order.given_back_how == "unpaid":
        return say("None, says %(store)s", store=store)
    return say(
        "Given back %(how)s on %(day)s, says %(store)s",
        how=say(giving_back.HOW[order.given_back_how or "other"]),
        day=giving_back.day(order),
        store=store,
    )
