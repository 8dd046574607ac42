"""How often a page of an order asks again."""

from __future__ import annotations

from core.base import clock
from core.orders.model import Order

_POLL_STEPS: tuple[tuple[float, float], ...] = ((60, 2), (1_800, 10))
_POLL_LAST_S = 60.0
_POLL_PAYING_S = 3.0
"""While its customer may come back from paying any moment, whatever its age."""


def next_poll_s(order: Order) -> float | None:
    """Seconds until the customer's page asks again: 2 until 1 min of age, 10 until 30 min, then 60;
    3 while it waits to be paid online. None when final."""
    if order.is_final:
        return None
    if order.state == "awaiting_payment":
        return max(clock.seconds(_POLL_PAYING_S), 0.5)
    age = (clock.now() - order.created_at).total_seconds()
    for until, step in _POLL_STEPS:
        if age < clock.seconds(until):
            return max(clock.seconds(step), 0.5)
    return max(clock.seconds(_POLL_LAST_S), 0.5)
