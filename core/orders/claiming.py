"""The claim before a purchase, and the proof that a claimed purchase was never made.

A claim is committed before the call, so that after any crash the only way forward is to look the
reference up. The durations are written down in `core.base.config`; both clocks must agree that they
have passed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import or_, select

from core import outbox
from core.audit import SUPPLIER, WORKER, Actor
from core.base import clock, config, database_identity
from core.base.db import db, joined_transaction
from core.orders import sourcing
from core.orders.advancing import locked, move
from core.orders.model import Order
from core.orders.timeline import log, open_case
from core.supplier import supply


@dataclass(frozen=True)
class Claim:
    """The right to make one purchase call: what to buy, and until when the call may begin."""

    order_id: int
    attempt: int
    order_ref: str
    product_name: str
    capacity: str
    recipient_msisdn: str
    begin_before_s: float
    """By this machine's steady clock, which no jump of the wall clock moves."""
    was_unknown: bool = False
    """An attempt of it was once unclear: it is looked up once more right before it is sent."""

    @property
    def may_send(self) -> bool:
        """Checked just before the call: a process frozen over its lease must not send."""
        return clock.steady_s() < self.begin_before_s


def claim_together(order_ids: Sequence[int]) -> list[Claim]:
    """Claim queued orders for one purchase call, in one transaction: each is *submitting*, with an
    attempt, a lease and an outcome of its own, and the call's line is open.

    Committed before the call, so that after any crash the only way forward is to look the reference
    up. Those not *queued* any more are left out, those a restored backup left in doubt, and those
    that could not be bought at their price: they say why they wait. Rows are locked in id order, so
    two such claims never wait in a circle. Raises `database_identity.UnknownDatabase` on a copy of
    the past.
    """
    with joined_transaction() as session:
        database_identity.refuse_restored_copy(
            session
            # before the rows are read: whoever makes the copy ours has marked them by then
        )
        found = [
            order
            for order in map(locked, sorted(order_ids))
            if order.state == "queued" and not order.in_doubt
        ]
        bundles = sourcing.hold_bundles(found)
        claims = [
            _claim(order)
            for order in found
            if sourcing.settle(order, bundles[order.bundle_id])
        ]
        if claims:
            supply.open_purchase_call(
                [claim.order_ref for claim in claims],
                claims[0].attempt if len(claims) == 1 else None,
            )
        return claims


def ready_to_buy(limit: int) -> list[Order]:
    """Queued orders that wait for nothing but their turn, or whose wait is over, and were never
    unclear; oldest first.

    In what this work may see.
    """
    query = (
        select(Order)
        .join(outbox.OutboxRow, outbox.OutboxRow.order_id == Order.id)
        .where(
            Order.state == "queued",
            Order.ever_unknown.is_(False),
            outbox.OutboxRow.done_at.is_(None),
            or_(Order.wait_reason.is_(None), outbox.OutboxRow.due_at <= clock.now()),
        )
        .order_by(Order.queued_at, Order.id)
        .limit(limit)
    )
    return list(db.session.scalars(query))


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
        now, steady_s = clock.now(), clock.steady_s()
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
            order.absent_since, order.ever_unknown = now, True
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
        return (
            "proven"
            if now - order.absent_since >= clock.delta(settings.absence_gap_s)
            else "first"
        )


def absence_counts_at(order: Order) -> datetime | None:
    """The moment from which "not found" will count for a *submitting* order, by both clocks; None
    for other states."""
    if order.state != "submitting" or order.claimed_at is None:
        return None
    grace_s, now = config.current().grace_s, clock.now()
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


def requeue_absent(order_id: int) -> bool:
    """Absence is proven: back to *queued* for the same reference, unless it was sent again as often
    as it may be.

    What it asked for the supplier may not sell any more: then another offer is bought in its place,
    else its money goes back. No attempt is unresolved, so this is the refusal whose record was
    lost. False when a person must decide: the case is opened here.
    """
    settings = config.current()
    with joined_transaction():
        order = locked(order_id)
        if order.state != "submitting" or order.absent_since is None:
            return True
        most = (
            settings.max_proven_resends
            if settings.supplier_dedupes
            else settings.max_unproven_resends
        )
        is_spent = order.resends >= most
        if sourcing.was_refused(order):
            bundle = sourcing.hold_bundles([order])[order.bundle_id]
            if is_spent or sourcing.why_not(order, bundle):
                text = (
                    "The supplier does not sell it under that name now, and it never had the order;"
                    " the money is back."
                )
                move(
                    order,
                    "refunded",
                    WORKER,
                    text,
                    customer_text="It could not be sent",
                )
                return True
        if is_spent:
            open_case(
                order,
                "resend_limit",
                {"attempt": order.attempt, "resends": order.resends},
            )
            return False
        queue_again(
            order,
            WORKER,
            "Proven absent at the supplier. It is sent again under the same reference.",
        )
        return True


def queue_again(order: Order, actor: Actor, text: str) -> None:
    """A locked *submitting* order that was certainly not bought goes back in line under the same
    reference.

    Inside the open use case. It counts as once unclear from now on, so that it is looked up once
    more right before it is sent, and no refusal of that purchase proves anything.
    """
    order.resends += 1
    order.ever_unknown = True
    order.unknown_since = order.absent_since = order.claimed_at = order.lease_until = (
        None
    )
    move(order, "queued", actor, text)


def renew_reference(order_id: int, attempt: int, order_ref: str) -> bool:
    """The reference belongs to another reseller: take a new one and queue again. Only when no
    attempt was ever unclear."""
    with joined_transaction():
        order = locked(order_id)
        if (
            order.state != "submitting"
            or order.attempt != attempt
            or order.ever_unknown
        ):
            return False
        old, order.order_ref = order.order_ref, order_ref
        order.claimed_at = order.lease_until = None
        move(
            order,
            "queued",
            WORKER,
            f"Reference …{old[-4:]} is another reseller's. A new one is used.",
        )
        return True


def buy_other(order_id: int, attempt: int) -> bool:
    """The supplier refused the offer of this attempt as unknown: queue again when another may be
    bought for the bundle.

    False when there is none at its price, or an attempt was ever unclear.
    """
    with joined_transaction():
        order = locked(order_id)
        if (
            order.state != "submitting"
            or order.attempt != attempt
            or order.ever_unknown
        ):
            return False
        refused, bundle = (
            sourcing.wording(order),
            sourcing.hold_bundles([order])[order.bundle_id],
        )
        if (
            sourcing.why_not(order, bundle)
            or not sourcing.settle(order, bundle)
            or sourcing.wording(order) == refused
        ):
            return False
        order.claimed_at = order.lease_until = None
        move(
            order,
            "queued",
            WORKER,
            "The supplier does not sell it under that name now. Another offer is bought.",
        )
        return True


def _claim(order: Order) -> Claim:
    now, steady_s, lease_s = (
        clock.now(),
        clock.steady_s(),
        config.current().send_lease_s,
    )
    order.attempt += 1
    order.claimed_at, order.lease_until = now, now + clock.delta(lease_s)
    order.steady_marks = {clock.boot(): {"claimed": steady_s}}
    order.unknown_since = order.absent_since = order.wait_reason = None
    move(
        order,
        "submitting",
        WORKER,
        f"Sending to the supplier (attempt {order.attempt}).",
    )
    return Claim(
        order.id,
        order.attempt,
        order.order_ref,
        order.product_name,
        order.capacity,
        order.recipient_msisdn,
        steady_s + clock.seconds(lease_s),
        order.ever_unknown,
    )
