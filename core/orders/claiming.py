"""The claim before a purchase, committed before the call, so that after any crash the only way
forward is to look the reference up. The durations are written down in `core.base.fixed`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import or_, select

from core import outbox
from core.audit import WORKER
from core.base import clock, config, database_identity
from core.base.db import db, joined_transaction
from core.orders import sourcing
from core.orders.advancing import locked_all, move
from core.orders.model import Order
from core.orders.real import REAL
from core.orders.timeline import open_case
from core.supplier import records


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
    up. Those not *queued* any more are left out, test orders, those a restored backup left in
    doubt, those whose money the books do not hold, and those that could not be bought at their
    price: they say why they wait. Rows are
    locked in id order, so two such claims never wait in a circle. Raises
    `database_identity.UnknownDatabase` on a copy of the past.
    """
    with joined_transaction() as session:
        database_identity.refuse_restored_copy(
            session
            # before the rows are read: whoever makes the copy ours has marked them by then
        )
        found = [
            order
            for order in locked_all(order_ids)
            if order.state == "queued" and not order.in_doubt and not order.is_test
        ]
        sources, booked = sourcing.hold_booked(found)
        claims = [
            _claim(order)
            for order in found
            if _is_paid_for(order, booked)
            and sourcing.settle(order, sources[order.bundle_id])
        ]
        if claims:
            records.open_purchase_call(
                [claim.order_ref for claim in claims],
                claims[0].attempt if len(claims) == 1 else None,
            )
        return claims


def _is_paid_for(order: Order, booked: Collection[int]) -> bool:
    """Whether the books hold its money: states of rows can be written without them, and a purchase
    is not taken back. A person is asked about one that is not."""
    if order.id in booked:
        return True
    open_case(order, "broken", {"error": "the books hold no money for it"})
    return False


def claim_test(order_id: int) -> Claim | None:
    """The same for a test order, which is played and not bought: no line of a call, no product.
    None when it is not *queued* any more."""
    with joined_transaction():
        (order,) = locked_all([order_id])
        return _claim(order) if order.is_test and order.state == "queued" else None


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
            REAL,
            outbox.OutboxRow.done_at.is_(None),
            or_(Order.wait_reason.is_(None), outbox.OutboxRow.due_at <= clock.now()),
        )
        .order_by(Order.queued_at, Order.id)
        .limit(limit)
    )
    return list(db.session.scalars(query))


def _claim(order: Order) -> Claim:
    now = clock.now()
    steady_s = clock.steady_s()
    lease_s = config.current().send_lease_s
    order.attempt += 1
    order.claimed_at = now
    order.lease_until = now + clock.delta(lease_s)
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
