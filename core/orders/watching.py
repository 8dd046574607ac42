"""Who waits with an order's page open, and whether anybody looks at a shop.

The first gives its look-ups a place before routine ones, the second has the supplier asked whether
it answers; nothing else.

Pages say it; whoever is wired in (wsgi.py) keeps it for a while, where losing it costs only that
place. Only orders that are paid for and under way count, so a stranger with many pages gains
nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from core.base import clock, config
from core.orders.model import Order
from core.orders.states import WORK

_MOST = 1_000
_said: dict[int, float] = {}


def _nobody(_order_id: int) -> None:
    """Default of `keep`: open pages are not remembered, and look-ups go in the order they fall
    due."""


def _nothing() -> None:
    """Default of `keep_look`: the supplier is not asked sooner because somebody looks at a shop."""


keep: Callable[[int], None] = _nobody
keep_look: Callable[[], None] = _nothing
_looked_until = 0.0


def watch(order: Order) -> None:
    """A page of this order is open now. Kept once in `watched_again_s` for each process, not at
    each poll."""
    now = time.monotonic()
    if order.state not in WORK or now < _said.get(order.id, 0.0):
        return
    if len(_said) >= _MOST:
        _said.clear()
    _said[order.id] = now + clock.seconds(config.current().watched_again_s)
    keep(order.id)


def look() -> None:
    """A customer sees what can be bought. Kept once in `looked_again_s` for each process, not at
    each page."""
    global _looked_until
    now = time.monotonic()
    if now < _looked_until:
        return
    _looked_until = now + clock.seconds(config.current().looked_again_s)
    keep_look()
