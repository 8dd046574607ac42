"""Moving an order by what the supplier said of it, and the rings that make it due. The claim is in
`claiming`.

`advance` is conditional on the table in `states`: it returns False for a move that is not there and
never raises for late, repeated or contradictory news. Each move, its posting and its timeline line
are one transaction under the order's row lock.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, any_, bindparam, select
from sqlalchemy.dialects.postgresql import ARRAY

from core import outbox
from core.audit import SUPPLIER, WORKER, Actor
from core.base import clock, config, phones
from core.base.db import db, held_rows, joined_transaction
from core.base.language import later
from core.base.preconditions import inside_use_case, needs_across_stores
from core.orders import booking
from core.orders.booking import NOTHING, News
from core.orders.model import Order
from core.orders.states import FINAL, STAMPS, WAIT_TEXT, State, move_of
from core.orders.timeline import count_lines, log, open_case
from core.supplier import budget, supply

_STILL_OPEN = ("pending", "queued", "submitting", "processing")


def advance(
    order_id: int,
    to: State,
    *,
    text: str,
    customer_text: str | None = None,
    actor: Actor = SUPPLIER,
    news: News = NOTHING,
    attempt: int | None = None,
    wait_reason: str | None = None,
) -> bool:
    """Move an order if the table allows it now. With `attempt`, only while the answer to that
    attempt is still open.

    False when the move does not apply any more; nothing is changed then.
    """
    with joined_transaction():
        order = locked(order_id)
        if attempt is not None and (
            order.attempt != attempt or order.state != "submitting"
        ):
            return False
        if move_of(order.state, to) is None:
            return False
        _take_in(order, news)
        if to == "queued":
            order.wait_reason = wait_reason
            order.unknown_since = order.absent_since = None
            order.claimed_at = order.lease_until = None
        move(
            order,
            to,
            actor,
            text,
            customer_text=customer_text,
            news=news,
        )
        return True


@inside_use_case
def move(
    order: Order,
    to: State,
    actor: Actor,
    text: str,
    *,
    customer_text: str | None = None,
    news: News = NOTHING,
) -> None:
    """Make one move of a locked order with its postings and its timeline line.

    Raises `ValueError` for a move that is not in the table and `ledger.InsufficientWallet` when the
    hold fails.
    """
    found = move_of(order.state, to)
    if found is None:
        raise ValueError(f"no move from {order.state} to {to}")
    # a test order moves no money; the database refuses it too
    for posting in () if order.is_test else found.postings:
        booking.BOOK[posting](order, actor, news)
    now = clock.now()
    order.state = to
    order.version += 1
    if to in STAMPS and (to != "queued" or order.queued_at is None):
        setattr(order, STAMPS[to], now)
    if to not in ("submitting", "queued"):
        order.unknown_since = order.absent_since = order.wait_reason = None
    if to in FINAL:
        order.final_at = now
    if to != "pending":
        order.release_at = order.release_by = order.release_refused = None
        # who placed it was needed to count, and is not now
        order.placed_device = order.placed_address = None
    log(
        order,
        actor,
        to,
        text,
        customer_text=customer_text,
        detail=_detail(news),
    )


def wait(order_id: int, reason: str) -> None:
    """A queued order cannot be sent now: say why. A line is written only when the reason
    changes."""
    with joined_transaction():
        order = locked(order_id)
        if order.state != "queued" or order.wait_reason == reason:
            return
        order.wait_reason = reason
        order.version += 1
        log(order, WORKER, "wait", f"Waiting: {WAIT_TEXT[reason]}.")


def mark_unknown(order_id: int, attempt: int, reason: str) -> None:
    """The attempt was sent and has no trustworthy answer: from now on only a look-up decides."""
    with joined_transaction():
        order = locked(order_id)
        is_open = order.state == "submitting" and order.attempt == attempt
        # where a test order was sent is never unknown: its stand-in is asked
        if not is_open or order.unknown_since is not None or order.is_test:
            return
        order.unknown_since = clock.now()
        order.ever_unknown = True
        order.version += 1
        log(
            order,
            WORKER,
            "unknown",
            "No clear answer from the supplier. It is asked by our reference; it will not be bought"
            " twice.",
            customer_text=later("Checking with the network"),
            detail={"reason": reason.replace("_", " ")},
        )


def note_look(order_id: int, said: str, *, gone: bool = False) -> int:
    """Remember that the supplier was asked now and what it said. Returns how often in a row the
    endpoint was gone."""
    with joined_transaction():
        order = locked(order_id)
        log(order, WORKER, "look", f"Asked the supplier about it: {said}.")
        order.looked_at = clock.now()
        order.wait_reason = None if order.wait_reason == "news" else order.wait_reason
        order.watch_claim_here()
        order.lookups_gone = order.lookups_gone + 1 if gone else 0
        return order.lookups_gone


def note_next(order_id: int, next_look_at: datetime | None) -> None:
    """Remember when the order will be looked at next, for the pages that say so."""
    with joined_transaction():
        order = locked(order_id)
        if order.next_look_at != next_look_at:
            order.next_look_at = next_look_at
            order.version += 0 if order.is_final else 1


def raise_case(order_id: int, kind: str, evidence: dict[str, Any]) -> None:
    """`open_case` as a use case of its own."""
    with joined_transaction():
        open_case(locked(order_id), kind, evidence)


@needs_across_stores
@inside_use_case
def ring(
    order: Order,
    *,
    verified: bool,
    what: str,
    word: str | None = None,
) -> bool:
    """A webhook named this order: make its row due. It rings; the supplier's answer decides.

    Part of the use case that stored the event. A verified ring goes before all others. Any other is
    due no sooner than `ring_gap_s` after the last look-up and only `ring_lookups_per_window` of
    them count in a window, so that forged ones cannot eat the call budget. The word "pending" rings
    only for an order that had been settled otherwise: the supplier says it of each purchase at
    once, and a look-up then would learn nothing. False when it is not open to look-ups.
    """
    row = outbox.of_order(order.id, lock=True)
    if row is None or order.is_test:
        return False
    _note_webhook(order, what)
    if word == "pending" and order.state in _STILL_OPEN:
        return False
    if verified and row.news_at is None:
        outbox.make_due(row, news=True)
        return True
    now = clock.now()
    due = now if verified else _ring_counts_at(order, now)
    if _falls_due_anyway(row, due):
        if row.lease_until is None:
            # A clock set forward just now may be why it is due: `clock_changes` leaves it due then.
            row.rung_at = now
        return True
    if not verified and not budget.take_ring(supply.locked_state()):
        return False
    outbox.make_due(row, due)
    return True


def _note_webhook(order: Order, what: str) -> None:
    if count_lines(order, "webhook") < config.current().webhook_lines:
        text = f"The supplier sent news: “{what}”. Its own record is asked before anything moves."
        log(order, SUPPLIER, "webhook", text)


def _ring_counts_at(order: Order, now: datetime) -> datetime:
    """When an order is due that a ring named which nobody verified."""
    if order.looked_at is None:
        return now
    return max(now, order.looked_at + clock.delta(config.current().ring_gap_s))


def _falls_due_anyway(row: outbox.OutboxRow, due: datetime) -> bool:
    """Whether nothing is to be done for a ring, because the row falls due by `due` without it: a
    hundred forged rings are one.

    Under a lease a job may be looking already, and its answer may be older than this news: then one
    ring must be kept for `leases.finish`.
    """
    if row.done_at is not None or row.due_at > due:
        return False
    return row.lease_until is None or _was_rung_since_taken(row)


def _was_rung_since_taken(row: outbox.OutboxRow) -> bool:
    if row.rung_at is None:
        return False
    return row.taken_at is None or row.rung_at >= row.taken_at


def by_id(order_id: int) -> Order:
    """An order as it is now, in what this work may see."""
    return db.session.scalars(select(Order).where(Order.id == order_id)).one()


@inside_use_case
def locked(order_id: int) -> Order:
    """An order, its row locked; asked of the database once."""
    (order,) = locked_all([order_id])
    return order


@inside_use_case
def locked_all(order_ids: Iterable[int]) -> list[Order]:
    """Orders, their rows locked in id order; asked of the database once. Raises `KeyError` for one
    that this work does not see."""
    held = held_rows()
    ids = sorted(order_ids)
    missing = [order_id for order_id in ids if (Order, order_id) not in held]
    if missing:
        for order in db.session.scalars(_LOCKED, {"ids": missing}):
            held[Order, order.id] = order
    return [held[Order, order_id] for order_id in ids]


# Read anew: a row that the use case had read without a lock may have changed until it got the lock.
_LOCKED = (
    select(Order)
    .where(Order.id == any_(bindparam("ids", type_=ARRAY(BigInteger))))
    .order_by(Order.id)
    .with_for_update(key_share=True)
    .execution_options(populate_existing=True)
)


def _take_in(order: Order, news: News) -> None:
    order.supplier_ref = news.supplier_ref or order.supplier_ref
    order.supplier_status = news.raw_status or order.supplier_status
    order.failure_reason = phones.hide(news.failure_reason) or order.failure_reason


def _detail(news: News) -> dict[str, Any] | None:
    said = {name: value for name, value in vars(news).items() if value}
    return said or None
