"""Orders that nobody paid for: *pending* for a day, they expire. Nothing was sent and no money has
moved. And paid ones that cannot be bought: they never expire, and are cancelled, so that the money
goes back.

Not one in doubt after a restore: it may have been bought in the time we forgot. `pending_since`
moves with the wall clock when somebody sets it (`core.clock_changes`), so that a wrong clock
expires nothing.
"""

from __future__ import annotations

from sqlalchemy import func, select

from core import outbox
from core.audit import SYSTEM
from core.base import clock, config
from core.base.db import transaction
from core.base.language import later
from core.base.preconditions import needs_across_stores
from core.orders.advancing import move
from core.orders.model import Order
from core.orders.states import WAIT_TEXT


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


@needs_across_stores
def end_unbuyable() -> int:
    """Cancel what was paid online and is in line, never bought: at once where its cost has passed
    what it sells for, else after `pay_unbuyable_s`. Returns how many. What was held is owed back.
    """
    settings = config.current()
    since = clock.now() - clock.delta(settings.pay_unbuyable_s)
    stuck = (
        select(Order)
        .where(
            Order.paid_online,
            Order.state == "queued",
            Order.wait_reason.is_not(None),
            (Order.wait_reason == "cost")
            # a wait for a turn is none for something to buy
            | (Order.queued_at < since) & Order.wait_reason.not_in(("rate", "news")),
        )
        .order_by(Order.queued_at)
        .limit(settings.relay_batch)
        .with_for_update(key_share=True, skip_locked=True)
    )
    with transaction() as session:
        ended = session.scalars(stuck).all()
        for order in ended:
            why = WAIT_TEXT[order.wait_reason or ""].partition("; you may")[0]
            move(
                order,
                "cancelled",
                SYSTEM,
                f"Cancelled by itself: {why}. It was paid online, and the money goes back.",
                customer_text=later("Not sent. Your money is on its way back"),
            )
            row = outbox.of_order(order.id, lock=True)
            if row is not None:
                outbox.make_due(row)  # the job sees a final order and closes the row
        return len(ended)
