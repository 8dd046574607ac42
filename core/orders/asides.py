"""Orders that their store has set aside: nobody processes one until somebody takes it off. Pages
say *on hold*."""

from __future__ import annotations

from core.orders import refusals
from core.orders.model import Order

REASONS = {
    "payment": "payment not there",
    "number": "number in doubt",
    "customer": "customer asked to wait",
    "price": "price to be settled",
    "other": "see the note",
}


def refuse(order: Order) -> None:
    """Raise `refusals.OnHold` where an order is set aside."""
    if order.aside:
        raise refusals.OnHold(f"On hold: {why(order)}. Take it off hold first.")


def why(order: Order) -> str:
    """In words, why it is set aside."""
    return REASONS.get(order.aside or "", REASONS["other"])
