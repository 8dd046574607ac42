"""All that is known of one online payment, for the platform's people: what it was for, its other
tries, what went back of it, who disputes it, what was booked, and the payout that its profit is in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, or_, select

from core import ledger, online
from core.base.db import db
from core.base.preconditions import needs_across_stores
from core.cases import Case
from core.ledger.reading import WithLegs
from core.online import Dispute, GatewayRefund, OnlinePayment, Payout
from core.orders import Order
from core.stores import Store
from core.taking import ends
from core.taking.ends import End

_NEVER_LEFT = ("failed", "rejected", "cancelled")
"""Payouts whose earnings are free again."""


@dataclass(frozen=True)
class Story:
    """One payment and what hangs on it. `order` is what it was asked for, `pays` what it pays; both
    None for one into a wallet."""

    payment: OnlinePayment
    end: End
    store: Store
    order: Order | None
    pays: Order | None
    others: Sequence[OnlinePayment]
    """Other attempts for the same order, the newest first."""
    refunds: Sequence[GatewayRefund]
    disputes: Sequence[Dispute]
    payout: Payout | None
    delivered_at: datetime | None
    postings: Sequence[WithLegs]
    cases: Sequence[Case]
    due_pesewas: int
    """What is still owed back of it."""


@needs_across_stores
def of(reference: str) -> Story | None:
    """By its reference; None where there is no such payment."""
    payment = online.by_reference(reference)
    if payment is None:
        return None
    mine = payment.id
    refunds = db.session.scalars(
        select(GatewayRefund)
        .where(GatewayRefund.payment_id == mine)
        .order_by(GatewayRefund.n)
    ).all()
    disputes = db.session.scalars(
        select(Dispute).where(Dispute.payment_id == mine).order_by(Dispute.id)
    ).all()
    subjects = [payment.subject, *(one.subject for one in refunds)]
    subjects += [one.subject for one in disputes]
    postings = ledger.postings_hung_on(subjects, payment.pays_order_id)
    delivered_at = next((b.at for b, _legs in postings if b.kind == "capture"), None)
    tries = online.of_order(payment.order_id) if payment.order_id else ()
    return Story(
        payment,
        ends.end_of(payment),
        db.session.get_one(Store, payment.store_id),
        _order(payment.order_id),
        _order(payment.pays_order_id),
        [one for one in tries if one.id != mine],
        refunds,
        disputes,
        _payout(payment.store_id, delivered_at) if delivered_at else None,
        delivered_at,
        postings,
        _cases(payment, subjects),
        online.due(mine),
    )


def _order(order_id: int | None) -> Order | None:
    return db.session.get(Order, order_id) if order_id is not None else None


def _payout(store_id: int, delivered_at: datetime) -> Payout | None:
    """The first payout for which what was delivered then was free; as `payouts.listing.drawn` has
    it."""
    until = func.coalesce(Payout.earned_until, Payout.requested_at)
    return db.session.scalar(
        select(Payout)
        .where(
            Payout.store_id == store_id,
            Payout.state.not_in(_NEVER_LEFT),
            until >= delivered_at,
        )
        .order_by(Payout.id)
        .limit(1)
    )


def _cases(payment: OnlinePayment, subjects: Sequence[str]) -> Sequence[Case]:
    """Those of the payment itself, and of its refunds and disputes."""
    of: list[ColumnElement[bool]] = [Case.subject.in_(subjects)]
    if payment.order_id is not None:
        of.append((Case.order_id == payment.order_id) & Case.subject.like("order:%"))
    return db.session.scalars(select(Case).where(or_(*of)).order_by(Case.id)).all()
