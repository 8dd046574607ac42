"""One order, claimed as a job claims it."""

from __future__ import annotations

from core import orders
from core.orders import Claim


def claim_one(order_id: int) -> Claim | None:
    """The claim of this order alone; None when it was not to be had."""
    return next(iter(orders.claim_together([order_id])), None)
