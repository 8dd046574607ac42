"""Customers whom their store does not answer: the platform's owner is asked after a day.

A told payment that nobody looked for, or that is pending two days after it was first told; and data
that has not come. Asked once, until the customer says it anew.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import ColumnElement, Select, and_, literal_column, or_, select

from core import cases
from core.audit import SYSTEM
from core.base import clock, config, money
from core.base.db import transaction
from core.base.language import later
from core.base.preconditions import needs_across_stores
from core.orders.model import Order
from core.orders.telling import is_not_found
from core.orders.timeline import log, open_case

KINDS = ("told_unanswered", "not_received")
"""Of cases that ask the owner to see that a store answers."""


@needs_across_stores
def ask_owner() -> int:
    """Open a case for each such order, at most `relay_batch`. Returns how many. An order that
    somebody is at is left for the next round."""
    with transaction() as session:
        found = session.scalars(left_alone()).all()
        for order in found:
            is_missing = order.missing_since is not None
            order.owner_asked_at = clock.now()
            open_case(
                order,
                "not_received" if is_missing else "told_unanswered",
                {"waits_since": _since(order)},
            )
            text, customer_text = _why(order)
            log(order, SYSTEM, "owner_asked", text, customer_text=customer_text)
        return len(found)


def _why(order: Order) -> tuple[str, str]:
    """What the timeline says to the store and to the customer."""
    since = order.missing_since or order.told_at
    is_answered = order.missing_since is None and is_not_found(order)
    if is_answered or (since is not None and since > clock.now() - _day()):
        return (
            "Pending two days after its customer first said that it is paid: Makola was asked.",
            later("Your payment has not been found for two days: Makola was asked"),
        )
    return (
        "The store has not answered its customer for a day: Makola was asked.",
        later("The store has not answered: Makola was asked"),
    )


def left_alone() -> Select[Order]:
    """The orders to ask about, locked."""
    return (
        select(Order)
        .where(Order.owner_asked_at.is_(None), or_(is_told_long(), _is_missing_long()))
        .order_by(Order.id)
        .limit(config.current().relay_batch)
        .with_for_update(key_share=True, skip_locked=True)
    )


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
    """Told and not looked for within `answer_s`, or pending for twice that. Told anew after that,
    it is the store's turn for a day more."""
    day = _day()
    last_turn = or_(
        Order.told_at < Order.told_first_at + 2 * day,
        Order.told_at < clock.now() - day,
    )
    return and_(
        # as a constant: a plan for any state walks through all orders there ever were
        Order.state == literal_column("'pending'"),
        Order.told_at.is_not(None),
        or_(
            and_(
                Order.told_at < clock.now() - day,
                or_(
                    Order.not_found_at.is_(None),
                    Order.not_found_at < Order.told_at,
                ),
            ),
            and_(Order.told_first_at < clock.now() - 2 * day, last_turn),
        ),
    )


def _is_missing_long() -> ColumnElement[bool]:
    return and_(
        Order.missing_since.is_not(None), Order.missing_since < clock.now() - _day()
    )


def _day() -> timedelta:
    return clock.delta(config.current().answer_s)
