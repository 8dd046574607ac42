"""Which orders could explain a balance that does not fit, and having them asked about before
anybody is alarmed.

A lost webhook about a refund or a revival is found so within a read or two; a late success after
our refund is found at all. Asking decides nothing: the supplier's answer about the order does.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, func, or_, select

from core import outbox
from core.audit import SYSTEM
from core.base import clock
from core.base.db import db, transaction
from core.base.preconditions import needs_across_stores
from core.orders import Order
from core.orders.real import REAL
from core.orders.timeline import log
from core.outbox import OutboxRow

AT_ONCE = 10
_DAYS = 7
_OPEN_DAYS = 30
"""An order that was open for longer than this before it ended explains nothing: it keeps the search
short."""
_ASKED = "Asked about again: the supplier's balance moved, and this order could be why."


@needs_across_stores
def ring(
    difference_pesewas: int,
    since: datetime,
    slack_pesewas: int = 0,
) -> int:
    """Make up to `AT_ONCE` orders due that could explain a difference seen since then, each once.

    `slack_pesewas`: how much of it may be rounding.

    A transaction of its own: rows of the outbox come before the link's row in the order of locks.
    """
    with transaction() as session:
        found = session.execute(
            select(Order, OutboxRow)
            .join(OutboxRow, OutboxRow.order_id == Order.id)
            .where(
                _could_explain(difference_pesewas, slack_pesewas),
                or_(Order.looked_at.is_(None), Order.looked_at < since),
                or_(OutboxRow.done_at.is_not(None), OutboxRow.due_at > clock.now()),
            )
            .order_by(_is_off(difference_pesewas, slack_pesewas), Order.id.desc())
            .limit(AT_ONCE)
            .with_for_update(of=OutboxRow, skip_locked=True)
        ).all()
        for order, row in found:
            log(order, SYSTEM, "recheck", _ASKED)
            outbox.make_due(row)
        return len(found)


def codes(difference_pesewas: int, slack_pesewas: int = 0) -> str:
    """The codes of those orders as evidence for a person, best matches first; empty when there are
    none."""
    query = (
        select(Order)
        .where(_could_explain(difference_pesewas, slack_pesewas))
        .order_by(_is_off(difference_pesewas, slack_pesewas), Order.id.desc())
        .limit(AT_ONCE)
    )
    return ", ".join(order.shown_code for order in db.session.scalars(query))


def _is_off(difference_pesewas: int, slack_pesewas: int) -> ColumnElement[bool]:
    return func.abs(_charge() - abs(difference_pesewas)) > slack_pesewas


def _could_explain(difference_pesewas: int, slack_pesewas: int) -> ColumnElement[bool]:
    """The condition for orders that could explain a difference. A positive one: paid orders whose
    charge may have been given back. A negative one: orders without an answer, or ended unpaid, that
    may have been charged."""
    recent = and_(
        Order.final_at > clock.now() - timedelta(days=_DAYS),
        Order.created_at > clock.now() - timedelta(days=_OPEN_DAYS),
    )
    if difference_pesewas > 0:
        paid = or_(
            Order.state == "processing", and_(Order.state == "completed", recent)
        )
        return and_(paid, REAL, _charge() <= difference_pesewas + slack_pesewas)
    given_up = or_(
        Order.state == "failed",
        and_(Order.state.in_(("refunded", "cancelled")), recent),
    )
    return and_(
        Order.attempt > 0,
        REAL,
        or_(
            Order.state == "submitting",
            and_(given_up, _charge() <= slack_pesewas - difference_pesewas),
        ),
    )


def _charge() -> ColumnElement[int]:
    return func.coalesce(Order.charged_pesewas, Order.cost_pesewas)
