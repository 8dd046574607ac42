"""Orders that nobody paid for: *pending* for a day, they expire. Nothing was sent and no money has
moved.

Not one in doubt after a restore: it may have been bought in the time we forgot. `pending_since`
moves with the wall clock when somebody sets it (`core.clock_changes`), so that a wrong clock
expires nothing.
"""

from __future__ import annotations

from sqlalchemy import func, select

from core.audit import SYSTEM
from core.base import clock, config
from core.base.db import transaction
from core.base.language import later
from core.base.preconditions import needs_across_stores
from core.orders.advancing import move
from core.orders.model import Order


@needs_across_stores
def expire_pending() -> int:
    """Expire what has waited too long, oldest first, at most `relay_batch`.

    Returns how many. An order that somebody is at, to process or to cancel it, is left to him.
    """
    settings = config.current()
    since = func.coalesce(Order.pending_since, Order.created_at)
    late = (
        select(Order)
        .where(
            Order.state == "pending",
            Order.ever_unknown.is_(False),
            Order.release_at.is_(None),
            # paid for, in truth or in somebody's eyes
            Order.paid_online.is_(False),
            Order.confirmed_at.is_(None),
            Order.told_at.is_(None),
            since < clock.now() - clock.delta(settings.pending_expires_s),
        )
        .order_by(since)
        .limit(settings.relay_batch)
        .with_for_update(key_share=True, skip_locked=True)
    )
    with transaction() as session:
        expired = session.scalars(late).all()
        for order in expired:
            move(
                order,
                "expired",
                SYSTEM,
                "Expired: nobody processed it in time. Nothing was sent.",
                customer_text=later("Expired: nothing was sent"),
            )
        return len(expired)
