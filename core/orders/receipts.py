"""What a receipt may say: the moments that have come, and who says that it was paid.

A receipt is kept and shown to others, so it claims nothing that is not so: paid is what the store
has confirmed and not taken back, delivered is what the network says now.
"""

from __future__ import annotations

from datetime import datetime

from core.orders import giving_back
from core.orders.model import Order

_NOT_YET = ("awaiting_payment", "pending")
_ENDED = {
    "cancelled": "Cancelled",
    "expired": "Expired",
    "refunded": "Closed as not delivered",
}


def moments(order: Order) -> list[tuple[str, datetime]]:
    """What has happened to it and when, oldest first."""
    found = [("Ordered", order.created_at)]
    if order.queued_at is not None and order.state not in _NOT_YET:
        found.append(("Accepted", order.queued_at))
    if order.state == "completed" and order.completed_at is not None:
        found.append(("Delivered", order.completed_at))
    if order.state in _ENDED and order.final_at is not None:
        found.append((_ENDED[order.state], order.final_at))
    return found


def payment_words(order: Order, store: str) -> str:
    """Whether the store has confirmed the payment, which goes to it and to nobody else."""
    if order.state in _NOT_YET:
        return f"Not confirmed by {store} yet"
    if order.queued_at is None and order.confirmed_at is None:
        return f"None confirmed by {store}"
    if order.given_back_at is None or order.given_back_how == "delivered":
        return f"Paid to {store} directly: {store} confirmed it"
    if order.given_back_how == "unpaid":
        return f"None, says {store}"
    how = giving_back.HOW[order.given_back_how or "other"]
    return f"Given back {how} on {giving_back.day(order)}, says {store}"
