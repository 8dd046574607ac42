"""A dispute's row with its payment and order: locked in their order, and what is written beside
each of its moves."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import select

from core import cases, orders, outbox
from core.audit import SYSTEM, Actor
from core.base import clock
from core.base.db import db
from core.base.preconditions import inside_use_case
from core.disputes.model import CURRENT, KIND, DisputeAnswer, NoSuchDispute
from core.online import Dispute, OnlinePayment, locked, locked_payment
from core.orders import Order
from core.orders.timeline import log
from core.outbox import OutboxRow

CASE = "payment_disputed"
_MOST_LINES = 60


class Found(NamedTuple):
    """A dispute, its payment, and the order that this payment was for, if it was for one."""

    dispute: Dispute
    payment: OnlinePayment
    order: Order | None


@inside_use_case
def locked_dispute(dispute_id: int) -> Found:
    """All three, locked: the order first. Raises `NoSuchDispute`."""
    payment_id = db.session.scalar(
        select(Dispute.payment_id).where(Dispute.id == dispute_id)
    )
    if payment_id is None:
        raise NoSuchDispute
    payment = locked_payment(payment_id)
    order = order_of(payment)
    return Found(locked(Dispute, dispute_id), payment, order)


@inside_use_case
def order_of(payment: OnlinePayment) -> Order | None:
    """The order that a payment pays, or was asked for; locked."""
    order_id = payment.pays_order_id or payment.order_id
    return orders.locked(order_id) if order_id is not None else None


def current_answer(dispute_id: int) -> DisputeAnswer | None:
    """The answer that counts, if one was given."""
    return db.session.scalar(
        select(DisputeAnswer).where(
            DisputeAnswer.dispute_id == dispute_id, DisputeAnswer.state.in_(CURRENT)
        )
    )


@inside_use_case
def tell(
    found: Found, text: str, actor: Actor = SYSTEM, *, in_order: bool = True
) -> None:
    """A line of the dispute's timeline, and, where there is an order, of that."""
    line = {"at": clock.now().isoformat(), "who": actor.name, "text": text}
    found.dispute.timeline = [*found.dispute.timeline, line][-_MOST_LINES:]
    if in_order and found.order is not None:
        log(found.order, actor, "payment", text)
        found.order.version += 1


@inside_use_case
def ask_person(kind: str, found: Found, evidence: dict[str, object]) -> None:
    """A case, with what the dispute is about."""
    dispute, payment = found.dispute, found.payment
    cases.open_case(
        kind,
        payment.subject if kind == CASE else dispute.subject,
        {
            "payment": payment.reference,
            "dispute": str(dispute.gateway_id),
            "amount_pesewas": dispute.amount_pesewas,
            **evidence,
        },
        store_id=dispute.store_id,
        order_id=payment.order_id,
    )


@inside_use_case
def ring(dispute_id: int) -> bool:
    """Have the gateway asked about a dispute now. False where no row looks after it."""
    row = db.session.scalar(
        select(OutboxRow)
        .where(OutboxRow.kind == KIND, OutboxRow.subject_id == dispute_id)
        .order_by(OutboxRow.id.desc())
        .limit(1)
        .with_for_update()
    )
    if row is None:
        return False
    outbox.make_due(row)
    return True
