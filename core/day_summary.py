"""One day of a store and the day before it: what came, what was delivered and earned, what failed,
what went back, and the wallet.

Sums of what was delivered are those of `store_days`, which the database keeps as orders are
delivered; the rest is counted of at most `MOST` orders of each day, by an index, and said to be
more where there is more. Days are those of Accra. Amounts in pesewas.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    ScalarSelect,
    Select,
    and_,
    bindparam,
    func,
    literal_column,
    select,
)

from core import earnings, ledger
from core.base import clock, tenancy
from core.base.db import db
from core.earnings import Earned, Part
from core.orders import Order, tabs
from core.orders.real import REAL

MOST = 5_000
"""Orders of one day that are looked at."""
SLOWEST = 3
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Slow:
    """A delivered order and how long it took from *queued* on."""

    code: str
    text: str
    minutes: int


@dataclass(frozen=True)
class Hour:
    """Orders that were delivered in one hour of the day, and their profit."""

    hour: int
    orders: int = 0
    profit_pesewas: int = 0


@dataclass(frozen=True)
class Day:
    """One day. An order that came on it may have failed, or been cancelled, on a later one."""

    day: date
    earned: Earned = field(default_factory=Earned)
    networks: tuple[Part, ...] = ()
    came: int = 0
    failed: int = 0
    refunded: int = 0
    cancelled: int = 0
    expired: int = 0
    given_back: int = 0
    given_back_pesewas: int = 0
    opening_pesewas: int = 0
    closing_pesewas: int = 0
    slowest: tuple[Slow, ...] = ()
    hours: tuple[Hour, ...] = ()


def of(day: date) -> tuple[Day, Day]:
    """A day with its slowest orders and its hours, and the day before it."""
    return _detailed(_counted(day)), _counted(day - DAY)


def today() -> date:
    return clock.now().astimezone(clock.ACCRA).date()


def begins(day: date) -> datetime:
    """Midnight in Accra."""
    return datetime(day.year, day.month, day.day, tzinfo=clock.ACCRA)


def _counted(day: date) -> Day:
    since, until = begins(day), begins(day + DAY)
    total, networks = earnings.of_day(day)
    wallet = ledger.span(since, until)
    row = db.session.execute(_COUNTS, _values(since, until)).one()
    counts: dict[str, Any] = {name: int(many) for name, many in row._mapping.items()}
    return Day(
        day,
        total,
        tuple(networks),
        **counts,
        opening_pesewas=wallet.opening_pesewas,
        closing_pesewas=wallet.closing_pesewas,
    )


def _detailed(one: Day) -> Day:
    values = _values(begins(one.day), begins(one.day + DAY))
    hours = {
        int(hour): Hour(int(hour), int(orders), int(profit))
        for hour, orders, profit in db.session.execute(_HOURS, values)
    }
    slow = [
        Slow(order.code, order.bundle_text, -(-int(seconds) // 60))
        for order, seconds in db.session.execute(_SLOWEST, values)
    ]
    every = tuple(hours.get(hour, Hour(hour)) for hour in range(24))
    return replace(one, hours=every, slowest=tuple(slow))


def _values(since: datetime, until: datetime) -> dict[str, Any]:
    return {
        "store_id": tenancy.current_store_id(),
        "since": since,
        "until": until,
        "most": MOST,
    }


_OURS = and_(Order.store_id == bindparam("store_id", type_=Order.store_id.type), REAL)


def _on(at: Any) -> ColumnElement[bool]:
    """Within the day that is asked about."""
    since = bindparam("since", type_=Order.created_at.type)
    until = bindparam("until", type_=Order.created_at.type)
    return and_(_OURS, at >= since, at < until)


def _some(what: Select[*tuple[Any, ...]], at: Any) -> Any:
    """At most so many of a day, in the order of their index."""
    return what.order_by(at).limit(bindparam("most", type_=Integer())).subquery()


def _many(
    at: Any,
    *ours: ColumnElement[bool],
    of: Any = None,
) -> ScalarSelect[Any]:
    """How many there are, or the sum of `of`."""
    what = select(Order.id) if of is None else select(of.label("pesewas"))
    few = _some(what.where(_on(at), *ours), at)
    if of is None:
        return select(func.count()).select_from(few).scalar_subquery()
    return select(func.coalesce(func.sum(few.c.pesewas), 0)).scalar_subquery()


def _ended(state: str) -> ScalarSelect[Any]:
    return _many(
        Order.final_at,
        Order.final_at.is_not(None),
        Order.state == literal_column(f"'{state}'"),
    ).label(state)  # type: ignore[return-value]


_GIVEN = Order.given_back_at.is_not(None)
_COUNTS = select(
    _many(Order.created_at).label("came"),
    _many(tabs.FAILED_AT, tabs.UNDELIVERED).label("failed"),
    *(_ended(state) for state in ("refunded", "cancelled", "expired")),
    _many(Order.given_back_at, _GIVEN).label("given_back"),
    _many(Order.given_back_at, _GIVEN, of=Order.price_pesewas).label(
        "given_back_pesewas"
    ),
)
_DELIVERED = and_(
    Order.state == literal_column("'completed'"), Order.final_at.is_not(None)
)
_DONE = _some(
    select(
        Order.id,
        Order.completed_at,
        Order.queued_at,
        (Order.price_pesewas - Order.agent_price_pesewas).label("profit"),
    ).where(_on(Order.final_at), _DELIVERED),
    Order.final_at,
).c
_HOUR = func.extract("hour", func.timezone("Africa/Accra", _DONE.completed_at))
_HOURS = select(_HOUR, func.count(), func.sum(_DONE.profit)).group_by(_HOUR)
_TOOK_S = func.extract("epoch", _DONE.completed_at - _DONE.queued_at)
_SLOWEST = (
    select(Order, _TOOK_S)
    .join(Order, and_(Order.id == _DONE.id, _OURS))
    .order_by(_TOOK_S.desc(), Order.id)
    .limit(SLOWEST)
)
