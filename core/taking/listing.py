"""Attempts to pay as the platform's people see them: the newest, and how they stand in all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Select, func, select, text

from core.base import clock
from core.base.db import db
from core.base.preconditions import needs_across_stores
from core.online import OnlinePayment
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
    """How online payments stand now, by indexes of what is open, lately paid, owed and on."""
    since = clock.now() - timedelta(days=1)
    row = db.session.execute(_STANDING, {"since": since}).one()
    return Standing(*map(int, row))


_STANDING = text(
    "SELECT (SELECT count(*) FROM online_payments WHERE state IN ('asked', 'open')),"
    " p.many, p.pesewas,"
    " (SELECT coalesce(-sum(balance_pesewas), 0) FROM accounts WHERE name = 'refund_due'),"
    " (SELECT count(*) FROM stores WHERE pay_online)"
    " FROM (SELECT count(*) AS many, coalesce(sum(charged_pesewas), 0) AS pesewas"
    " FROM online_payments WHERE paid_at > :since) p"
)
"""Its conditions are written out: the indexes are of them alone."""
