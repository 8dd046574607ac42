"""Attempts to pay as the platform's people see them: the newest, and how they stand in all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Select, func, select

from core.base import clock
from core.base.db import db
from core.base.preconditions import needs_across_stores
from core.ledger import Account
from core.online import OPEN, OnlinePayment
from core.orders import Order
from core.stores import Store


@dataclass(frozen=True)
class Line:
    """An attempt, the order it was asked for, and its store. No code: it was for a wallet."""

    payment: OnlinePayment
    order_code: str
    store_slug: str
    store_name: str


@dataclass(frozen=True)
class Standing:
    """How online payments stand: attempts under way, what came in within a day, what is owed
    back."""

    open: int
    paid: int
    paid_pesewas: int
    owed_pesewas: int
    stores: int
    """How many stores have it on."""


@needs_across_stores
def newest(
    before_id: int | None,
    limit: int,
    purpose: str | None = None,
    store_id: int | None = None,
) -> list[Line]:
    """The newest attempts of all stores, or those before one; of one purpose, or of one store."""
    query = lines()
    if purpose is not None:
        query = query.where(OnlinePayment.purpose == purpose)
    if store_id is not None:
        query = query.where(OnlinePayment.store_id == store_id)
    return found(query, before_id, limit)


def lines() -> Select[OnlinePayment, str, str, str]:
    """Attempts with what a `Line` says of them; `found` reads it."""
    return (
        select(OnlinePayment, func.coalesce(Order.code, ""), Store.slug, Store.name)
        .outerjoin(Order, Order.id == OnlinePayment.order_id)
        .join(Store, Store.id == OnlinePayment.store_id)
    )


def found(
    query: Select[OnlinePayment, str, str, str], before_id: int | None, limit: int
) -> list[Line]:
    """The newest of these attempts, or of those before one."""
    if before_id is not None:
        query = query.where(OnlinePayment.id < before_id)
    newest_first = query.order_by(OnlinePayment.id.desc()).limit(limit)
    return [Line(*row) for row in db.session.execute(newest_first)]


@needs_across_stores
def standing() -> Standing:
    """How online payments stand now."""
    since = clock.now() - timedelta(days=1)
    paid = OnlinePayment.paid_at > since
    row = db.session.execute(
        select(
            func.count().filter(OnlinePayment.state.in_(OPEN)),
            func.count().filter(paid),
            func.coalesce(func.sum(OnlinePayment.charged_pesewas).filter(paid), 0),
        )
    ).one()
    owed = db.session.scalar(
        select(func.sum(Account.balance_pesewas)).where(Account.name == "refund_due")
    )
    on = db.session.scalar(
        select(func.count()).select_from(Store).where(Store.pay_online)
    )
    return Standing(row[0], row[1], int(row[2] or 0), -int(owed or 0), int(on or 0))
