"""The lines of a confirmed batch become orders: some at each call, each in transactions of its own.

A line names its order by a key of its own, so whoever calls again, and however often, finds the
order that is there. Only the call that notes it presses Process, and at most once: after a crash in
between the order stands in the queue, and waits for a person.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from sqlalchemy import func, select, update
from sqlalchemy.exc import DBAPIError

from core import availability, orders
from core.audit import Actor
from core.base import clock
from core.base.db import db, is_conflict, retry_on_conflict, rows_changed, transaction
from core.batches import keeping, reading
from core.batches.reading import BadLine
from core.orders import Order, selecting
from core.orders.batching import BatchLine, OrderBatch

SOURCE = "list"
MOST_LINES = 100
"""Placed by one call."""
MOST_S = 1.5
"""No line is begun later than so many seconds after the call; a machine's time: unscaled."""
SHORT = "Not processed: your wallet does not reach for it."
OLD = "This list was confirmed more than a day ago. Bring what is left again."


@dataclass(frozen=True)
class Progress:
    """How far a batch is, and what stopped this call: a sentence, or nothing."""

    done: int
    waiting: int
    stopped: str = ""


def place_some(batch_id: int, actor: Actor, access_no: int | None = None) -> Progress:
    """Place the next lines of a confirmed batch of the current store. Raises
    `keeping.NoSuchBatch`."""
    batch = keeping.find(batch_id)
    began = time.monotonic()
    stopped = ""
    for line in _next(batch):
        if time.monotonic() - began > MOST_S or _is_thrown(batch):
            break
        stopped = _placed(batch, line, actor, access_no)
        if stopped:
            break
    found = progress(batch_id, stopped)
    if found.waiting and batch.is_over:
        return replace(found, stopped=OLD)
    return found


def progress(batch_id: int, stopped: str = "") -> Progress:
    """How far a batch is now."""
    waiting, done = db.session.execute(
        select(
            func.count().filter(BatchLine.state == "waiting"),
            func.count().filter(BatchLine.state.in_(("ordered", "refused"))),
        ).where(BatchLine.batch_id == batch_id)
    ).one()
    return Progress(done, waiting, stopped)


def _next(batch: OrderBatch) -> Sequence[BatchLine]:
    if batch.confirmed_at is None or batch.is_over:
        return ()
    return db.session.scalars(
        select(BatchLine)
        .where(BatchLine.batch_id == batch.id, BatchLine.state == "waiting")
        .order_by(BatchLine.n)
        .limit(MOST_LINES)
    ).all()


def _placed(
    batch: OrderBatch, line: BatchLine, actor: Actor, access_no: int | None
) -> str:
    """Place one line. Returns why none can be placed now; empty to go on."""
    try:
        order = retry_on_conflict(partial(_place, line, actor)).order
    except orders.OrderRefused as refusal:
        if stop := _stops_all(refusal):
            return stop
        _note(line, state="refused", words=words_of(refusal))
        return ""
    except BadLine as bad:  # forgotten meanwhile
        _note(line, state="refused", words=bad.sentence)
        return ""
    except DBAPIError as error:
        if not is_conflict(error):
            raise
        return selecting.IN_THE_WAY
    is_ours = _note(line, state="ordered", order_id=order.id, text="")
    if not is_ours:
        # the list was thrown away between the order and this: the order stays, as one of New
        _note(line, "left_out", state="ordered", order_id=order.id, text="")
    elif batch.to_process:
        _process(batch, line, order, actor, access_no)
    return ""


def _place(line: BatchLine, actor: Actor) -> orders.Placed:
    wish = reading.read(line.text)
    assert line.bundle_id is not None, "a line is confirmed with its bundle"
    return orders.place(
        bundle_id=line.bundle_id,
        recipient_msisdn=wish.recipient_msisdn,
        idempotency_key=line.order_key,
        price_seen_pesewas=line.price_pesewas,
        repeat_confirmed=line.accepted,
        source=SOURCE,
        customer_name=wish.name,
        actor=actor,
    )


def _is_thrown(batch: OrderBatch) -> bool:
    """Whether somebody has stopped the list meanwhile."""
    return bool(
        db.session.scalar(
            select(OrderBatch.thrown_at.is_not(None)).where(OrderBatch.id == batch.id)
        )
    )


def _note(line: BatchLine, state_before: str = "waiting", **values: object) -> bool:
    """Write what became of a line in this state; False when it is in another one."""
    with transaction():
        return bool(
            rows_changed(
                update(BatchLine)
                .where(
                    BatchLine.batch_id == line.batch_id,
                    BatchLine.n == line.n,
                    BatchLine.state == state_before,
                )
                .values(**values)
            )
        )


def _process(
    batch: OrderBatch,
    line: BatchLine,
    order: Order,
    actor: Actor,
    access_no: int | None,
) -> None:
    """Press Process on a line's new order. Where the wallet ends, the batch goes on without."""
    if _is_short(batch):
        _say(line, SHORT)
        return
    try:
        retry_on_conflict(partial(orders.process, order.code, actor, access_no))
    except orders.InsufficientWallet:
        with transaction():
            rows_changed(
                update(OrderBatch)
                .where(OrderBatch.id == batch.id, OrderBatch.short_at.is_(None))
                .values(short_at=clock.now())
            )
        _say(line, SHORT)
    except orders.OrderRefused as refusal:
        _say(line, f"Not processed: {refusal.sentence}")
    except DBAPIError as error:
        if not is_conflict(error):
            raise
        _say(line, f"Not processed: {selecting.IN_THE_WAY}")


def _is_short(batch: OrderBatch) -> bool:
    return bool(
        db.session.scalar(
            select(OrderBatch.short_at.is_not(None)).where(OrderBatch.id == batch.id)
        )
    )


def _say(line: BatchLine, words: str) -> None:
    with transaction():
        rows_changed(
            update(BatchLine)
            .where(BatchLine.batch_id == line.batch_id, BatchLine.n == line.n)
            .values(words=words)
        )


def _stops_all(refusal: orders.OrderRefused) -> str:
    """Why no line at all can be placed now, when that is what refused this one."""
    if isinstance(refusal, orders.NotBuyable):
        is_all = refusal.stop.reason in availability.LINK
        return words_of(refusal) if is_all else ""
    if isinstance(refusal, orders.StoreClosed | orders.SalesPaused):
        return words_of(refusal)
    return ""


def words_of(refusal: orders.OrderRefused) -> str:
    """A refusal of an order as its agent reads it: its own sentence is written for the customer."""
    match refusal:
        case orders.StoreClosed():
            return "Your store is closed, so it takes no orders."
        case orders.SalesPaused():
            return "All sales are paused. Go on when that is over."
        case orders.NotBuyable():
            return refusal.stop.to_customer
        case orders.RepeatAsked():
            earlier = refusal.earlier
            at = clock.shown(earlier.created_at)
            what = f"{earlier.bundle_text} was ordered for this number at {at}"
            return f"{what}: {earlier.shown_code}."
        case orders.BundleUnavailable():
            return "This bundle is not on your shelf any more."
        case orders.Blocked():
            return f"Your store blocked this number: {refusal.why}. Unblock it under Customers."
        case orders.TooManyOpen():
            return refusal.sentence
        case orders.TooManyOrders():
            return "This number has had its most orders in an hour. Try again later."
        case _:
            return refusal.sentence
