"""Refunds: one open at a time, never more than is owed, booked when the gateway says it is done."""

from __future__ import annotations

from sqlalchemy import exists, func, select

from core.audit import Actor
from core.base import clock, money
from core.base.db import db
from core.base.preconditions import inside_use_case
from core.ledger import Leg, Posting, post
from core.online.model import (
    OPEN_DISPUTE,
    OPEN_REFUND,
    Dispute,
    GatewayRefund,
    OnlinePayment,
    Unfit,
)
from core.online.standing import balanced, due, locked_payment, postings


@inside_use_case
def ask_refund(
    payment: OnlinePayment, amount_pesewas: int, reason: str, actor: Actor
) -> GatewayRefund:
    """Begin a refund of a locked payment. Raises `Unfit`."""
    owed = due(payment.id)
    if not 0 < amount_pesewas <= owed:
        raise Unfit(
            f"{money.cedis(owed)} is owed back of this payment. Refund that or a part of it."
        )
    refuse_unowed(payment)
    mine = GatewayRefund.payment_id == payment.id
    if db.session.scalar(
        select(exists().where(mine, GatewayRefund.state.in_(OPEN_REFUND)))
    ):
        raise Unfit("A refund of this payment is under way. Wait until it is over.")
    if is_disputed(payment.id):
        raise Unfit(
            "This payment is disputed: a refund now could pay it back twice. Settle that first."
        )
    newest = db.session.scalar(select(func.max(GatewayRefund.n)).where(mine)) or 0
    refund = GatewayRefund(
        store_id=payment.store_id,
        payment_id=payment.id,
        n=newest + 1,
        amount_pesewas=amount_pesewas,
        reason=reason,
        asked_by=actor.name,
    )
    db.session.add(refund)
    db.session.flush()
    return refund


def refuse_unowed(payment: OnlinePayment) -> None:
    """Raise `Unfit` unless the books owe something of a payment back."""
    if not _is_booked(payment):
        raise Unfit(
            "Nothing of this payment is owed back by the books. Prove them first."
        )


def is_disputed(payment_id: int) -> bool:
    """Whether a dispute of a payment is not over: who paid may get it back by that."""
    mine = (Dispute.payment_id == payment_id) & Dispute.state.in_(OPEN_DISPUTE)
    return bool(db.session.scalar(select(exists().where(mine))))


def _is_booked(payment: OnlinePayment) -> bool:
    """Whether the books owe something of it: states of rows can be written without them, and money
    that has gone to a payer does not come back."""
    of_payment = (Posting.subject == payment.subject) & Posting.kind.in_(
        ("owe", "give_back")
    )
    of_order = (Posting.order_id == payment.pays_order_id) & (Posting.kind == "release")
    return bool(db.session.scalar(select(exists().where(of_payment | of_order))))


@inside_use_case
def refund_done(refund: GatewayRefund, actor: Actor) -> None:
    """The gateway has sent it. Raises `Unfit`."""
    _refuse_over(refund)
    refund.way = "gateway"
    legs = [("gateway", -refund.amount_pesewas)]
    _back(refund, legs, actor)


@inside_use_case
def refund_by_transfer(refund: GatewayRefund, fee_pesewas: int, actor: Actor) -> None:
    """It was sent as a transfer, to a number that the payer has proven; we bear its fee. Raises
    `Unfit`."""
    _refuse_over(refund)
    if fee_pesewas < 0:
        raise Unfit("A fee is not below nothing.")
    refund.way, refund.fee_pesewas = "transfer", fee_pesewas
    legs = [
        ("gateway", -(refund.amount_pesewas + fee_pesewas)),
        ("gateway_fees", fee_pesewas),
    ]
    _back(refund, legs, actor)


@inside_use_case
def refund_returned(refund: GatewayRefund, actor: Actor) -> None:
    """What was sent came back to us: it is owed again. Raises `Unfit`."""
    if refund.state != "done":
        raise Unfit("Only a refund that was sent can come back.")
    locked_payment(refund.payment_id)
    amount = refund.amount_pesewas
    legs = balanced(refund.payment_id, [("gateway", amount)], refund=-amount)
    post(
        "refund_returned",
        legs,
        actor,
        store_id=refund.store_id,
        subject=refund.subject,
        n=postings(refund.subject, "refund_returned") + 1,
    )
    refund.state = "returned"


def _back(refund: GatewayRefund, legs: list[Leg], actor: Actor) -> None:
    locked_payment(refund.payment_id)
    legs = balanced(refund.payment_id, legs, refund=refund.amount_pesewas)
    kind = "refund_by_transfer" if refund.way == "transfer" else "refund_done"
    post(
        kind,  # type: ignore[arg-type]
        legs,
        actor,
        store_id=refund.store_id,
        subject=refund.subject,
    )
    refund.state, refund.ended_at = "done", clock.now()


def _refuse_over(refund: GatewayRefund) -> None:
    if refund.state not in OPEN_REFUND:
        raise Unfit("This refund is over: what goes back now is another.")
