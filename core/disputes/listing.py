"""Disputes as pages show them: the list with the time that is left, one with what each answer would
do to the money, and what a store sees of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.orm import undefer

from core import online, orders
from core.base import clock, config
from core.base.db import db
from core.base.preconditions import needs_across_stores
from core.disputes import deadline, evidence
from core.disputes.model import DisputeAnswer
from core.disputes.rows import Found
from core.online import Dispute, OnlinePayment
from core.online.model import OPEN_DISPUTE
from core.orders import Order
from core.stores import Store

FILTERS: dict[str, tuple[str, ...]] = {
    "answer": ("heard", "needs_answer"),
    "bank": ("answering", "sent"),
    "won": ("won",),
    "lost": ("lost", "accepted", "auto_accepted"),
    "all": (),
}
"""What the list may be narrowed to, and the states in each; none: all."""


@dataclass(frozen=True)
class Left:
    """The working time left for an answer, and its share of the whole time."""

    due_at: datetime
    time: timedelta
    share: float

    @property
    def is_short(self) -> bool:
        return self.time <= timedelta(hours=deadline.REMINDERS_H[-1])


@dataclass(frozen=True)
class Listed:
    """A dispute with what it is about. `left` None: nobody has to answer it."""

    dispute: Dispute
    payment: OnlinePayment
    order: Order | None
    store: Store
    left: Left | None


@dataclass(frozen=True)
class Effect:
    """What an answer does to the money, in pesewas: what goes back to the payer, what of it was
    owed anyway, and who bears the rest."""

    taken_pesewas: int
    owed_pesewas: int
    loss_pesewas: int
    agent_pesewas: int
    """The part of the loss that the store's earnings bear by the owner's setting."""
    at_delivery_pesewas: int = 0
    """The same of an order that is under way: only once it is delivered."""

    @property
    def owner_pesewas(self) -> int:
        return self.loss_pesewas - self.agent_pesewas


@dataclass(frozen=True)
class Open:
    """How many disputes wait for an answer, and until when the first of them."""

    many: int
    due_at: datetime | None


@needs_across_stores
def listed(wanted: str, limit: int) -> list[Listed]:
    """Disputes of all stores: those that wait, by their deadline, then the others, newest first."""
    states = FILTERS[wanted]
    first = Dispute.state.in_(FILTERS["answer"])
    query = (
        _all()
        .order_by(
            first.desc(),
            case((first, Dispute.due_at)).nulls_last(),
            Dispute.id.desc(),
        )
        .limit(limit)
    )
    if states:
        query = query.where(Dispute.state.in_(states))
    return [_listed(*row) for row in db.session.execute(query)]


@needs_across_stores
def by_id(dispute_id: int) -> Listed | None:
    """One dispute of any store."""
    whole = (undefer(Dispute.evidence), undefer(Dispute.timeline))
    query = _all().where(Dispute.id == dispute_id).options(*whole)
    row = db.session.execute(query).first()
    return _listed(*row) if row else None


@needs_across_stores
def waiting() -> Open:
    """What waits for a person of the platform."""
    many, due = db.session.execute(
        select(func.count(), func.min(Dispute.due_at)).where(
            Dispute.state == "needs_answer"
        )
    ).one()
    return Open(int(many), due)


def answers(dispute_id: int) -> Sequence[DisputeAnswer]:
    """What was answered, the newest first."""
    return db.session.scalars(
        select(DisputeAnswer)
        .where(DisputeAnswer.dispute_id == dispute_id)
        .order_by(DisputeAnswer.n.desc())
    ).all()


def pack(one: Listed) -> dict[str, Any]:
    """The evidence: as it was sent, or as it would be now."""
    sent = dict(one.dispute.evidence)
    return sent or evidence.generated(Found(one.dispute, one.payment, one.order))


def effect(one: Listed) -> Effect:
    """What losing or accepting it takes, as things stand now."""
    amount = one.dispute.amount_pesewas
    owed = min(amount, online.due(one.payment.id))
    loss = amount - owed
    bears = config.current().dispute_loss_bearer == "agent"
    order = one.order
    if order is None or not bears or one.payment.pays_order_id != order.id:
        return Effect(amount, owed, loss, 0)
    later = loss if order.state in orders.WORK else 0
    return Effect(amount, owed, loss, loss if order.is_final else 0, later)


def newest_of_order(order: Order) -> Dispute | None:
    """The newest dispute of what was paid for an order; its page says how it stands."""
    if not order.paid_online:
        return None
    mine = (OnlinePayment.order_id == order.id) | (
        OnlinePayment.pays_order_id == order.id
    )
    return db.session.scalar(
        select(Dispute)
        .join(OnlinePayment, OnlinePayment.id == Dispute.payment_id)
        .where(mine)
        .order_by(Dispute.id.desc())
        .limit(1)
    )


def left_of(dispute: Dispute) -> Left | None:
    """The time that is left to answer; None where no answer is awaited."""
    if dispute.state not in ("needs_answer", "answering") or dispute.due_at is None:
        return None
    begun = dispute.opened_at or dispute.made_at
    whole = deadline.left(begun, dispute.due_at)
    time = deadline.left(clock.now(), dispute.due_at)
    return Left(dispute.due_at, time, min(1.0, time / whole) if whole else 0.0)


def is_open(dispute: Dispute) -> bool:
    return dispute.state in OPEN_DISPUTE


def _all() -> Any:
    order_id = func.coalesce(OnlinePayment.pays_order_id, OnlinePayment.order_id)
    return (
        select(Dispute, OnlinePayment, Order, Store)
        .join(OnlinePayment, OnlinePayment.id == Dispute.payment_id)
        .join(Store, Store.id == Dispute.store_id)
        .outerjoin(Order, Order.id == order_id)
    )


def _listed(
    dispute: Dispute, payment: OnlinePayment, order: Order | None, store: Store
) -> Listed:
    return Listed(dispute, payment, order, store, left_of(dispute))
