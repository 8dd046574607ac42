"""What the console counts and adds up across stores. Reads only; every rule behind the numbers
lives in core.

Days are cut at Accra midnight; amounts are pesewas with the sign turned as pages show them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    bindparam,
    case,
    func,
    literal_column,
    or_,
    select,
    text,
    true,
)

from core import availability, catalog, ledger
from core.availability import Now
from core.base import clock, config, round_trip
from core.base.asks import Ask
from core.base.db import db
from core.cases import Case
from core.ledger import Account, Entry, Posting
from core.orders import Order
from core.orders.real import REAL

AHEAD = timedelta(days=1)
"""Moments are asked for between two: of a span with one end, a plan for any values expects a third
of all rows. A row may be a little ahead of this process's clock."""
BURN_H = 6
"""The float's burn rate is that of the last so many hours: short enough to know a busy evening from
a night."""


_IS_OPEN = Order.state.in_(
    [
        literal_column(f"'{state}'")
        for state in ("pending", "queued", "submitting", "processing", "failed")
    ]
)
"""As constants: a plan for any values uses the index of what is open for these words alone."""


@dataclass(frozen=True)
class Day:
    """The orders since Accra midnight. `sales_pesewas`: what customers pay for those not called off
    or given back."""

    orders: int
    sales_pesewas: int
    completed: int
    refunded: int

    @property
    def success_percent(self) -> str | None:
        """Of the orders that ended today, those that were delivered; None while none has ended."""
        ended = self.completed + self.refunded
        if ended == 0:
            return None
        return f"{self.completed * 1000 // ended / 10:g}"


@dataclass(frozen=True)
class Burn:
    """How fast the float goes down, and when it would be empty at that pace; None when nothing was
    bought."""

    empty_at: datetime | None

    @property
    def lasts_days(self) -> int:
        """Whole days until empty; 0 when nothing was bought."""
        if self.empty_at is None:
            return 0
        return (self.empty_at - clock.now()).days


@dataclass(frozen=True)
class Figures:
    """One look at the figures of the first page. `spent_pesewas`: see `burn_by`."""

    day: Day
    stuck: int
    spent_pesewas: int
    open_cases: int
    platform: dict[str, int]
    held_pesewas: int
    now: Now


def at_once() -> Figures:
    """All of them, in one round trip."""
    now = clock.now()
    values = {
        **stuck_values(),
        "midnight": clock.accra_midnight(),
        "since": now - timedelta(hours=BURN_H),
        "until": now + AHEAD,
    }
    rows = round_trip.read_everything([ask.given(**values) for ask in _asks()])
    (day,), (stuck_ones,), (spent,), (cases,), accounts, (held,), (buying,) = rows
    return Figures(
        Day(*(int(value) for value in day)),
        stuck_ones.orders,
        int(spent.pesewas),
        cases.cases,
        ledger.balances_by(accounts),
        int(held.pesewas),
        availability.of_row(buying),
    )


@cache
def _asks() -> list[Ask]:
    asked = (
        _of_day(),
        many_stuck(),
        _spent(),
        many_open_cases(),
        ledger.platform_accounts(),
        text(ledger.HELD),
        text(availability.ASK),
    )
    return list(map(round_trip.ask, asked))


def _of_day() -> Select[*tuple[Any, ...]]:
    """Placed and ended since `:midnight`."""
    lost = ("cancelled", "expired", "refunded")
    kept = func.sum(Order.price_pesewas).filter(Order.state.not_in(lost))
    placed = (
        select(func.count().label("orders"), func.coalesce(kept, 0).label("pesewas"))
        .where(Order.created_at.between(_moment("midnight"), _moment("until")), REAL)
        .subquery()
        .c
    )
    ended = (
        select(
            func.count().filter(Order.state == "completed").label("well"),
            func.count().filter(Order.state == "refunded").label("back"),
        )
        .where(Order.final_at.between(_moment("midnight"), _moment("until")), REAL)
        .subquery()
        .c
    )
    return select(placed.orders, placed.pesewas, ended.well, ended.back).join_from(
        placed.orders.table, ended.well.table, true()
    )


def _moment(name: str) -> ColumnElement[datetime]:
    return bindparam(name, type_=Order.created_at.type)


def stuck() -> ColumnElement[bool]:
    """Orders that do not move as they should: late, without a clear answer, or failed and watched.
    Takes `stuck_values`."""
    late = or_(
        and_(
            Order.state.in_(("queued", "submitting")),
            Order.queued_at < _moment("queued_limit"),
        ),
        and_(
            Order.state == "processing",
            Order.processing_at < _moment("processing_limit"),
        ),
        and_(Order.state == "submitting", Order.unknown_since.is_not(None)),
        Order.state == "failed",
    )
    return and_(_IS_OPEN, REAL, late)


def stuck_values() -> dict[str, datetime]:
    settings = config.current()
    now = clock.now()
    return {
        "queued_limit": now - clock.delta(settings.late_queued_s),
        "processing_limit": now - clock.delta(settings.late_processing_s),
    }


def many_stuck() -> Select[int]:
    """How many are `stuck`."""
    return select(func.count().label("orders")).select_from(Order).where(stuck())


def burn(float_pesewas: int) -> Burn:
    """How fast the float goes down, that is so large now."""
    now = clock.now()
    values = {"since": now - timedelta(hours=BURN_H), "until": now + AHEAD}
    return burn_by(int(db.session.scalar(_spent(), values) or 0), float_pesewas)


def burn_by(spent_pesewas: int, float_pesewas: int) -> Burn:
    """As `burn`, by what was spent in the last `BURN_H` hours."""
    per_hour = max(spent_pesewas, 0) // BURN_H
    if per_hour == 0 or float_pesewas <= 0:
        return Burn(None)
    hours = min(float_pesewas / per_hour, 24 * 365)
    return Burn(clock.now() + timedelta(hours=hours))


def _spent() -> Select[Any]:
    """The purchases between `:since` and `:until`, less what came back. A charge that is no price
    counts as its cost."""
    float_id = (
        select(Account.id)
        .where(Account.name == "supplier_float", Account.store_id.is_(None))
        .scalar_subquery()
    )
    # one by one: a join may read all legs of the float first
    entry = (
        select(Entry.amount_pesewas)
        .where(Entry.posting_id == Posting.id, Entry.account_id == float_id)
        .limit(1)
        .lateral()
    )
    order = (
        select(Order.cost_pesewas)
        .where(Order.id == Posting.order_id)
        .limit(1)
        .lateral()
    )
    amount = entry.c.amount_pesewas
    cost = order.c.cost_pesewas
    real = case(
        (func.abs(amount) >= catalog.MISTAKEN * cost, func.sign(amount) * cost),
        else_=amount,
    )
    return (
        select(func.coalesce(-func.sum(real), 0).label("pesewas"))
        .select_from(Posting)
        .join(entry, true())
        .join(order, true())
        .where(
            Posting.kind.in_(("commit", "supplier_refund")),
            Posting.at.between(_moment("since"), _moment("until")),
        )
    )


def many_open_cases() -> Select[int]:
    """How many cases are open."""
    return (
        select(func.count().label("cases"))
        .select_from(Case)
        .where(Case.closed_at.is_(None))
    )


def open_case_count() -> int:
    return db.session.scalar(many_open_cases()) or 0


def codes_of(order_ids: Iterable[int | None]) -> dict[int, str]:
    """Order codes by id, for links from cases."""
    wanted = [order_id for order_id in order_ids if order_id is not None]
    if not wanted:
        return {}
    rows = db.session.execute(select(Order.id, Order.code).where(Order.id.in_(wanted)))
    return {row.id: row.code for row in rows}


def by_state() -> Select[str, int]:
    """How many orders are in each state now, of those not final."""
    many = func.count().label("orders")
    return select(Order.state, many).where(_IS_OPEN, REAL).group_by(Order.state)
