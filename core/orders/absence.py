"""The proof that a claimed purchase was never made: two well-formed "not found", late enough after
the claim and far enough apart by both clocks. The durations are written down in `core.base.fixed`.
And whether a record without a reference may be another order's.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import select

from core.audit import SUPPLIER
from core.base import clock, config
from core.base.db import db, joined_transaction
from core.orders.advancing import locked
from core.orders.model import Order
from core.orders.real import REAL
from core.orders.timeline import log


def note_absent(order_id: int) -> Literal["early", "first", "proven"]:
    """The supplier says "not found" for a submitting order. Absence is proven by the second one
    after grace.

    Both must come later than `grace_s` after the claim, when no old worker can still send and the
    supplier cannot still be at it, and `absence_gap_s` apart. Both durations must have passed by
    the wall clock and by this machine's steady clock, so that a clock set forward proves nothing. A
    claim made on another machine, or before a restart, has no mark of this steady clock: its time
    counts from the first look here.
    """
    settings = config.current()
    with joined_transaction():
        order = locked(order_id)
        now = clock.now()
        steady_s = clock.steady_s()
        if order.state != "submitting" or order.claimed_at is None:
            return "early"
        mark = order.steady_marks.get(clock.boot(), {"claimed": steady_s})
        order.steady_marks = {**order.steady_marks, clock.boot(): mark}
        if now < order.claimed_at + clock.delta(settings.grace_s):
            return "early"
        if steady_s < mark["claimed"] + clock.seconds(settings.grace_s):
            return "early"
        first_here_s = mark.get("absent")
        if first_here_s is None:
            order.steady_marks = {
                **order.steady_marks,
                clock.boot(): {**mark, "absent": steady_s},
            }
        if order.absent_since is None:
            order.absent_since = now
            order.ever_unknown = True
            order.unknown_since = order.unknown_since or now
            order.version += 1
            log(
                order,
                SUPPLIER,
                "absent",
                "The supplier does not know this reference yet. Checking once more to be sure.",
            )
            return "first"
        if first_here_s is None or steady_s < first_here_s + clock.seconds(
            settings.absence_gap_s
        ):
            return "first"
        if now - order.absent_since >= clock.delta(settings.absence_gap_s):
            return "proven"
        return "first"


def absence_counts_at(order: Order) -> datetime | None:
    """The moment from which "not found" will count for a *submitting* order, by both clocks; None
    for other states."""
    if order.state != "submitting" or order.claimed_at is None:
        return None
    grace_s = config.current().grace_s
    now = clock.now()
    mark = order.steady_marks.get(clock.boot())
    left_s = (
        clock.seconds(grace_s) - (clock.steady_s() - mark["claimed"])
        if mark
        else clock.seconds(grace_s)
    )
    return max(order.claimed_at + clock.delta(grace_s), now + timedelta(seconds=left_s))


def forget_absence(order_id: int) -> None:
    """The supplier's answer was no "not found" this time: an earlier one proves nothing any
    more."""
    with joined_transaction():
        order = locked(order_id)
        order.absent_since = None
        order.steady_marks = {
            boot: {"claimed": mark["claimed"]}
            for boot, mark in order.steady_marks.items()
        }


def has_twin(order: Order, since: datetime | None) -> bool:
    """Whether the supplier may hold another order for this number and size, in what this work may
    see.

    `since`: only such as were sent at that time or later.
    """
    number = order.recipient_msisdn
    query = select(Order.id).where(
        Order.id != order.id,
        Order.recipient_msisdn.in_((number, f"{number[:6]}xxx{number[-4:]}")),
        Order.mb == order.mb,
        Order.attempt > 0,
        REAL,
    )
    if since is not None:
        query = query.where(Order.submitted_at >= since)
    return db.session.scalar(query.limit(1)) is not None
