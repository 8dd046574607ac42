"""Customers whom their store does not answer: the platform's owner is asked after a day.

A told payment that nobody looked for, or that is pending two days after it was first told; and data
that has not come. Asked once, until the customer says it anew.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, or_, select

from core import cases
from core.audit import SYSTEM
from core.base import clock, config, money
from core.base.db import transaction
from core.base.language import later
from core.base.preconditions import needs_across_stores
from core.orders.model import Order
from core.orders.timeline import log, open_case

KINDS = ("told_unanswered", "not_received")
"""Of cases that ask the owner to see that a store answers."""


@needs_across_stores
def ask_owner() -> int:
    """Open a case for each such order, at most `relay_batch`. Returns how many. An order that
    somebody is at is left for the next round."""
    left_alone = (
        select(Order)
        .where(Order.owner_asked_at.is_(None), or_(is_told_long(), _is_missing_long()))
        .order_by(Order.id)
        .limit(config.current().relay_batch)
        .with_for_update(key_share=True, skip_locked=True)
    )
    with transaction() as session:
        found = session.scalars(left_alone).all()
        for order in found:
            is_missing = order.missing_since is not None
            order.owner_asked_at = clock.now()
            open_case(
                order,
                "not_received" if is_missing else "told_unanswered",
                {"waits_since": _since(order)},
            )
            log(
                order,
                SYSTEM,
                "owner_asked",
                "The store has not answered its customer for a day: Makola was asked.",
                customer_text=later("The store has not answered: Makola was asked"),
            )
        return len(found)


def person_words(order: Order) -> str | None:
    """For the agent: that a person must look at this order, since when, and what their money does
    meanwhile."""
    waiting = [case for case in cases.of_order(order.id) if case.closed_at is None]
    if not waiting:
        return None
    since = clock.shown(waiting[0].opened_at)
    if all(case.kind in KINDS for case in waiting):
        return (
            f"Your customer had no answer for a day, so Makola was asked at {since}."
            " It is still yours to answer."
        )
    back = money.cedis(order.agent_price_pesewas)
    meanwhile = {
        "completed": "Until then it counts as delivered.",
        "refunded": f"Your {back} is back in your wallet and stays there.",
        "cancelled": "Nothing is held for it.",
    }
    titles = "; ".join(case.title for case in waiting)
    kept = meanwhile.get(order.state, f"Your {back} stays set aside meanwhile.")
    return f"Since {since} this waits for a person at Makola: {titles}. {kept}"


def _since(order: Order) -> str:
    since = order.missing_since or order.told_at
    return since.isoformat() if since is not None else ""


def is_told_long() -> ColumnElement[bool]:
    """Told and not looked for within `answer_s`, or pending for twice that."""
    day = clock.delta(config.current().answer_s)
    return and_(
        Order.state == "pending",
        Order.told_at.is_not(None),
        or_(
            and_(
                Order.told_at < clock.now() - day,
                or_(
                    Order.not_found_at.is_(None),
                    Order.not_found_at < Order.told_at,
                ),
            ),
            Order.told_first_at < clock.now() - 2 * day,
        ),
    )


def _is_missing_long() -> ColumnElement[bool]:
    day = clock.delta(config.current().answer_s)
    return and_(
        Order.missing_since.is_not(None), Order.missing_since < clock.now() - day
    )
