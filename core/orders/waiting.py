"""Queued orders that wait because buying stands still: who is woken when it goes on, and who goes
first.

The oldest first, by the moment an order was processed. An order too large for the money there is
holds up no smaller one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, get_args

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    func,
    literal_column,
    or_,
    select,
    tuple_,
)

from core import outbox
from core.base import clock, config
from core.base.db import db, joined_transaction, transaction
from core.base.preconditions import needs_across_stores
from core.cases import Case
from core.orders.advancing import locked
from core.orders.model import Order
from core.orders.real import REAL
from core.outbox import OF_GATEWAY, OutboxRow


@dataclass(frozen=True)
class FloatWait:
    """The orders that wait for float: how many, since when the oldest is in line, and what the
    cheapest one costs."""

    orders: int
    since: datetime
    least_cost_pesewas: int


Turn = Literal["news", "free", "purchase", "other", "notice", "payout"]
TURNS: tuple[Turn, ...] = get_args(Turn)
"""Who goes before whom with the supplier's calls. *Free* needs none, nor does a *notice*
to a device or a *payout*, which wait for all that buys. Within *other*, people who wait go before
routine."""
_IN_LINE = (
    select(Order.id)
    .where(Order.id == OutboxRow.order_id, Order.state == "queued", REAL)
    .exists()
)
_FREE = OutboxRow.kind.in_(("prove_books", "play_test_order"))
_NOTICE = OutboxRow.kind == "notify_device"
_PAYMENT = OutboxRow.kind.in_(OF_GATEWAY)
"""They have a line of their own, and take none of the supplier's calls."""
PAYOUTS = ("check_payout_account", "send_payout", "read_gateway")
"""What asks the gateway about payouts: none of the supplier's calls."""
_PAYOUT = OutboxRow.kind.in_(PAYOUTS)
_WHOSE_TURN: dict[Turn, ColumnElement[bool]] = {
    "news": and_(OutboxRow.news_at.is_not(None), ~_IN_LINE, ~_FREE, ~_PAYOUT),
    "free": _FREE,
    "purchase": _IN_LINE,
    "other": and_(
        OutboxRow.news_at.is_(None), ~_IN_LINE, ~_FREE, ~_NOTICE, ~_PAYMENT, ~_PAYOUT
    ),
    "notice": _NOTICE,
    "payout": _PAYOUT,
}


def whose_turn(turn: Turn) -> ColumnElement[bool]:
    """Which rows of the outbox have this turn; each row has one."""
    return _WHOSE_TURN[turn]


@needs_across_stores
def due_turns() -> tuple[int, list[Turn]]:
    """How many rows of the outbox are due, but for payments, and which turns have some, in their
    order."""
    due = and_(OutboxRow.done_at.is_(None), OutboxRow.due_at <= clock.now(), ~_PAYMENT)
    count = select(func.count()).where(due).scalar_subquery()
    some = [
        select(OutboxRow.id).where(due, whose_turn(turn)).exists() for turn in TURNS
    ]
    many, *found = db.session.execute(select(count, *some)).one()
    turns = [turn for turn, has_some in zip(TURNS, found, strict=True) if has_some]
    return many, turns


def wait_for_turn(order_id: int) -> None:
    """Signed news came of an order and no call is left to ask about it: say so on its pages until
    it was asked."""
    with joined_transaction():
        order = locked(order_id)
        if order.state != "queued" and order.wait_reason != "news":
            order.wait_reason = "news"
            order.version += 1


_WAITS_FOR_FLOAT = and_(
    # as a constant: a plan for any values uses the index of what is open for it alone
    Order.state == literal_column("'queued'"),
    Order.wait_reason == "float",
    REAL,
)
SOME_WAIT_FOR_FLOAT = select(Order.id).where(_WAITS_FOR_FLOAT).exists()
"""In a statement: whether some order waits for float."""


def waiting_for_float() -> FloatWait | None:
    """Who waits for float, in what this work may see; None when nobody does."""
    line = select(
        func.count(),
        func.min(Order.queued_at),
        func.min(Order.cost_pesewas),
    )
    line = line.where(_WAITS_FOR_FLOAT)
    many, since, least = db.session.execute(line).one()
    if since is not None and least is not None:
        return FloatWait(many, since, least)
    return None


@needs_across_stores
def wake(reason: str, pesewas: int | None = None) -> int:
    """Buying goes on: make the orders that wait for `reason` due, oldest first. Returns how many.

    With `pesewas`, only those that so much money pays for, one after another. An order some job is
    at is left to it, and one the supplier has just refused for lack of float keeps its own moment.
    """
    now = clock.now()
    waiting = (
        _waiting(reason)
        .where(OutboxRow.due_at > now)
        .order_by(Order.queued_at, Order.id)
    )
    with transaction() as session:
        chosen: list[int] = []
        for row_id, cost_pesewas in session.execute(waiting).all():
            if pesewas is not None:
                if cost_pesewas > pesewas:
                    continue
                pesewas -= cost_pesewas
            chosen.append(row_id)
        chosen = chosen[: config.current().relay_batch]
        free = {row.id: row for row in _lock_free(chosen)}
        for place, row_id in enumerate(chosen):
            # moments just past, apart from each other, keep the line in order
            if row_id in free:
                ago = timedelta(microseconds=len(chosen) - place)
                outbox.make_due(free[row_id], now - ago)
        return len(free)


@needs_across_stores
def let_older_go_first(order: Order, pesewas: int) -> bool:
    """Whether an older order waits for float that `pesewas` can pay now; it is made due.

    One that an error of ours keeps from moving, or that is due for longer than a job may last,
    holds up nobody.
    """
    broken = select(Case.id).where(
        Case.order_id == Order.id, Case.kind == "broken", Case.closed_at.is_(None)
    )
    older = (
        _waiting("float")
        .where(
            tuple_(Order.queued_at, Order.id) < tuple_(order.queued_at, order.id),
            Order.cost_pesewas <= pesewas,
            OutboxRow.due_at
            > clock.now() - clock.delta(config.current().job_timeout_s),
            ~broken.exists(),
        )
        .order_by(Order.queued_at, Order.id)
        .limit(1)
    )
    first = db.session.execute(older).first()
    if first is None:
        return False
    with transaction():
        for row in _lock_free([first.id]):
            outbox.make_due(row)
    return True


def _waiting(reason: str) -> Select[int, int]:
    """(outbox row, cost) of the queued orders that wait for `reason`, but for those refused for
    float a moment ago."""
    tried_again = clock.now() - clock.delta(
        config.current().low_float_wait_s if reason == "float" else 0
    )
    return (
        select(OutboxRow.id, Order.cost_pesewas)
        .join(Order, Order.id == OutboxRow.order_id)
        .where(
            Order.state == "queued",
            Order.wait_reason == reason,
            REAL,
            OutboxRow.done_at.is_(None),
            or_(Order.submitted_at.is_(None), Order.submitted_at <= tried_again),
        )
    )


def _lock_free(row_ids: Sequence[int]) -> Sequence[OutboxRow]:
    """Those of these rows that nobody holds: one under a lease is being looked at, and sees the
    money by itself."""
    if not row_ids:
        return []
    return db.session.scalars(
        select(OutboxRow)
        .where(
            OutboxRow.id.in_(row_ids),
            or_(OutboxRow.lease_until.is_(None), OutboxRow.lease_until <= clock.now()),
        )
        .order_by(OutboxRow.id)
        .with_for_update(skip_locked=True)
    ).all()
