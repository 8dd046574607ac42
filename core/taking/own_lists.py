"""A store's online payments as its agent reads them: what came in, what is on its way, and the
earnings that wait, each as a list of orders. What the money may do is `core.online`'s."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, func, literal_column, select, tuple_

from core.base import clock, config
from core.base.db import db
from core.ledger import Posting
from core.online import OPEN, OnlinePayment
from core.orders import WORK, Order

UNDER_WAY = (*OPEN, "watched")
_IS_UNDER_WAY = OnlinePayment.state.in_(
    # as constants: a plan for any values would not use the index of what is under way
    [literal_column(f"'{state}'") for state in UNDER_WAY]
)


@dataclass(frozen=True)
class UnderWay:
    """Attempts that are not over: `open`, at which their customers may pay; `watched`, whose order
    is over or is paid another way, and which may still come in."""

    open: int
    watched: int


@dataclass(frozen=True)
class Line:
    """An order in a list. `id` is what the next page goes on after; `state` is of the attempt where
    that is what the list is about, else of the order."""

    id: int
    at: datetime
    state: str
    pesewas: int
    profit_pesewas: int
    code: str
    network: str
    mb: int


def under_way(store_id: int) -> UnderWay:
    """How many attempts of a store are not over."""
    is_open = OnlinePayment.state.in_(OPEN)
    row = db.session.execute(
        select(func.count().filter(is_open), func.count().filter(~is_open)).where(
            OnlinePayment.store_id == store_id,
            OnlinePayment.purpose == "order",
            _IS_UNDER_WAY,
        )
    ).one()
    return UnderWay(int(row[0]), int(row[1]))


def paid(store_id: int, before: int | None, limit: int) -> Sequence[Line]:
    """What was paid for orders of a store, the newest first; `before`: after that payment."""
    key = tuple_(OnlinePayment.paid_at, OnlinePayment.id)
    charged = func.coalesce(OnlinePayment.charged_pesewas, 0)
    query = (
        _lines(OnlinePayment.id, OnlinePayment.paid_at, Order.state, charged)
        .join(Order, Order.id == OnlinePayment.pays_order_id)
        .where(OnlinePayment.store_id == store_id, OnlinePayment.paid_at.is_not(None))
        .order_by(OnlinePayment.paid_at.desc(), OnlinePayment.id.desc())
    )
    if before is not None:
        last = select(OnlinePayment.paid_at, OnlinePayment.id).where(
            OnlinePayment.id == before, OnlinePayment.store_id == store_id
        )
        query = query.where(key < last.scalar_subquery())
    return _found(query, limit)


def waiting(store_id: int, before: int | None, limit: int) -> Sequence[Line]:
    """Attempts of a store that are not over, the newest first; `before`: after that attempt."""
    asked = OnlinePayment.amount_pesewas
    state = OnlinePayment.state
    query = (
        _lines(OnlinePayment.id, OnlinePayment.created_at, state, asked)
        .join(Order, Order.id == OnlinePayment.order_id)
        .where(OnlinePayment.store_id == store_id, _IS_UNDER_WAY)
        .order_by(OnlinePayment.id.desc())
    )
    if before is not None:
        query = query.where(OnlinePayment.id < before)
    return _found(query, limit)


def held(store_id: int, before: int | None, limit: int) -> Sequence[Line]:
    """Paid orders of a store that are not delivered, the newest first; `before`: after that order.
    Their profit is what is held."""
    at = func.coalesce(Order.queued_at, Order.created_at)
    query = (
        _lines(Order.id, at, Order.state, Order.price_pesewas)
        .where(Order.store_id == store_id, Order.paid_online)
        .where(Order.state.in_(sorted(WORK)))
        .order_by(Order.id.desc())
    )
    if before is not None:
        query = query.where(Order.id < before)
    return _found(query, limit)


def fresh(store_id: int, before: int | None, limit: int) -> Sequence[Line]:
    """Paid orders of a store that were delivered within the time that earnings wait, the newest
    first; `before`: after that posting. Their profit, less the fee, is what waits."""
    since = clock.now() - clock.delta(config.current().earnings_wait_s)
    query = (
        _lines(
            Posting.id,
            Posting.at,
            Order.state,
            Order.price_pesewas,
            func.coalesce(OnlinePayment.agent_fee_pesewas, 0),
        )
        .join(Order, Order.id == Posting.order_id)
        .join(OnlinePayment, OnlinePayment.pays_order_id == Order.id)
        .where(Posting.store_id == store_id, Posting.kind == "capture")
        .where(Posting.at > since)
        .order_by(Posting.id.desc())
    )
    if before is not None:
        query = query.where(Posting.id < before)
    return _found(query, limit)


def _lines(
    id_: Any, at: Any, state: Any, pesewas: Any, fee: Any = 0
) -> Select[*tuple[Any, ...]]:
    profit = Order.price_pesewas - Order.agent_price_pesewas - fee
    return select(
        id_.label("id"),
        at.label("at"),
        state.label("state"),
        pesewas.label("pesewas"),
        profit.label("profit"),
        Order.code,
        Order.network,
        Order.mb,
    )


def _found(query: Select[*tuple[Any, ...]], limit: int) -> list[Line]:
    return [_line(row) for row in db.session.execute(query.limit(limit))]


def _line(row: Row[*tuple[Any, ...]]) -> Line:
    return Line(
        row.id,
        row.at,
        row.state,
        int(row.pesewas),
        int(row.profit),
        row.code,
        row.network,
        row.mb,
    )
