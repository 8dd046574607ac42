"""What stands open between a store and its customers: who is yet to pay, who has paid and waits,
who is to get money back.

What a customer pays the agent is outside the books, so these are sums of prices, not of postings.
Each is looked at in a bounded number of orders, the oldest first; more than that is said, not
counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, literal_column, or_, select

from core.base.db import db
from core.orders.giving_back import awaits_giving_back
from core.orders.model import Order
from core.orders.real import REAL

MOST = 1_000
"""Orders that are summed of each kind."""


@dataclass(frozen=True)
class Open:
    """Orders of one kind and their prices together. `is_more`: there are more than were summed."""

    count: int
    pesewas: int
    is_more: bool


@dataclass(frozen=True)
class Owing:
    """Between the store and its customers. `unpaid`: ordered, and nobody says it is paid. `paid`:
    told or matched, and not processed. `coming`: processed, not delivered. `back`: to be given
    back."""

    unpaid: Open
    paid: Open
    coming: Open
    back: Open


def owing() -> Owing:
    """Of the current store."""
    row = db.session.execute(_asked()).one()._mapping
    return Owing(*(_open(row, name) for name in _KINDS))


def _open(row: Any, name: str) -> Open:
    found = int(row[f"{name}_count"])
    return Open(min(found, MOST), int(row[f"{name}_pesewas"]), found > MOST)


def _pending() -> ColumnElement[bool]:
    # in words: a plan for any state would not use their indexes
    return and_(Order.state == literal_column("'pending'"), REAL)


def _is_paid() -> ColumnElement[bool]:
    return or_(Order.told_at.is_not(None), Order.confirmed_at.is_not(None))


def _under_way() -> ColumnElement[bool]:
    states = ("queued", "submitting", "processing", "failed")
    return and_(
        Order.state.in_([literal_column(f"'{state}'") for state in states]), REAL
    )


_KINDS = {
    "unpaid": lambda: and_(_pending(), ~_is_paid()),
    "paid": lambda: and_(_pending(), _is_paid()),
    "coming": _under_way,
    "back": awaits_giving_back,
}


@cache
def _asked() -> Select[*tuple[Any, ...]]:
    """Put together once: that takes longer than to ask it."""
    asked: list[ColumnElement[int]] = []
    for name, condition in _KINDS.items():
        few = (
            select(
                Order.price_pesewas,
                func.row_number().over(order_by=Order.id).label("place"),
            )
            .where(condition())
            .order_by(Order.id)
            .limit(MOST + 1)
            .subquery()
            .c
        )
        summed = func.coalesce(func.sum(few.price_pesewas).filter(few.place <= MOST), 0)
        asked.append(
            select(func.count(few.place)).scalar_subquery().label(f"{name}_count")
        )
        asked.append(select(summed).scalar_subquery().label(f"{name}_pesewas"))
    return select(*asked)
