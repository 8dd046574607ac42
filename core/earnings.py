"""What a store earned: delivered orders summed by day and bundle.

The sums are kept by the database as orders are delivered (migration 0027), so that no page counts
orders; that they are those of the orders is a rule of the proof. What a customer paid the agent is
not in our books: *sales* is the prices of delivered orders, *profit* what is left of them after the
agent price.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import Date, ForeignKey, func, select
from sqlalchemy.orm import Mapped, mapped_column

from core.base import clock
from core.base.db import Model, db
from core.base.tenancy import StoreScoped
from core.catalog import Bundle, size_text

Named = tuple[str, int, str]
"""Network, megabytes and validity."""
SHOWN = {"day": 30, "week": 26, "month": 12}
"""How many of each a page shows, the present one included."""


class StoreDay(Model, StoreScoped):
    """What one store delivered of one bundle on one day in Accra. Written by a trigger alone."""

    __tablename__ = "store_days"

    store_id: Mapped[int] = mapped_column(ForeignKey("stores.id"), primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    bundle_id: Mapped[int] = mapped_column(ForeignKey("bundles.id"), primary_key=True)
    orders: Mapped[int]
    sales_pesewas: Mapped[int]
    cost_pesewas: Mapped[int]


@dataclass(frozen=True)
class Earned:
    """Delivered orders: how many, what customers paid for them, what they cost the agent."""

    orders: int = 0
    sales_pesewas: int = 0
    cost_pesewas: int = 0

    @property
    def profit_pesewas(self) -> int:
        return self.sales_pesewas - self.cost_pesewas

    def __add__(self, other: Earned) -> Earned:
        return Earned(
            self.orders + other.orders,
            self.sales_pesewas + other.sales_pesewas,
            self.cost_pesewas + other.cost_pesewas,
        )


@dataclass(frozen=True)
class Period:
    """One day, week or month, its first day and the last, and what was earned in it."""

    first: date
    last: date
    earned: Earned


@dataclass(frozen=True)
class Part:
    """What one network or bundle brought. `network`, `mb` and `validity` say which; 0 MB: all of a
    network."""

    network: str
    mb: int
    validity: str
    earned: Earned

    @property
    def size_text(self) -> str:
        return size_text(self.mb)


@dataclass(frozen=True)
class View:
    """What a page shows: periods, the oldest first, and the same money by network and by bundle,
    each with the most profit first."""

    periods: tuple[Period, ...]
    networks: tuple[Part, ...]
    bundles: tuple[Part, ...]
    total: Earned


def view(by: str, network: str | None = None) -> View:
    """What the current store earned in the last `SHOWN` days, weeks or months; of one network, if
    one is named. `by` is of `SHOWN`."""
    firsts = _firsts(by)
    of_all = _rows(firsts[0], _after(firsts[-1], by))
    ours = [(day, part) for day, part in of_all if network in (None, part.network)]
    return View(
        tuple(_periods(firsts, by, ours)),
        tuple(_together(of_all, lambda part: (part.network, 0, ""))),
        tuple(_together(ours, _bundle_of)),
        sum((part.earned for _, part in ours), Earned()),
    )


def of_day(day: date) -> tuple[Earned, list[Part]]:
    """What the current store earned on one day, in all and by network."""
    rows = _rows(day, day + timedelta(days=1))
    total = sum((part.earned for _, part in rows), Earned())
    return total, _together(rows, lambda part: (part.network, 0, ""))


def delivered(store_id: int, since: date) -> int:
    """Orders that one store delivered since a day."""
    found = db.session.scalar(
        select(func.sum(StoreDay.orders)).where(
            StoreDay.store_id == store_id, StoreDay.day >= since
        )
    )
    return int(found or 0)


def _rows(first: date, end: date) -> list[tuple[date, Part]]:
    """Every sum from one day on and before another, a clock that ran ahead may have made later
    ones: bounded by days and bundles, not by orders."""
    found = db.session.execute(
        select(
            StoreDay.day,
            Bundle.network,
            Bundle.mb,
            Bundle.validity,
            func.sum(StoreDay.orders),
            func.sum(StoreDay.sales_pesewas),
            func.sum(StoreDay.cost_pesewas),
        )
        .join(Bundle, Bundle.id == StoreDay.bundle_id)
        .where(StoreDay.day >= first, StoreDay.day < end)
        .group_by(StoreDay.day, Bundle.network, Bundle.mb, Bundle.validity)
    )
    return [
        (day, Part(network, mb, validity, Earned(int(orders), int(sales), int(cost))))
        for day, network, mb, validity, orders, sales, cost in found
    ]


def _firsts(by: str) -> list[date]:
    """The first days of the periods that are shown, the oldest first. A week begins on Monday."""
    today = clock.now().astimezone(clock.ACCRA).date()
    many = SHOWN[by]
    if by == "day":
        return [today - timedelta(days=back) for back in reversed(range(many))]
    if by == "week":
        monday = today - timedelta(days=today.weekday())
        return [monday - timedelta(weeks=back) for back in reversed(range(many))]
    month = today.year * 12 + today.month - 1
    return [date(at // 12, at % 12 + 1, 1) for at in range(month - many + 1, month + 1)]


def _after(first: date, by: str) -> date:
    """The first day after a period."""
    if by == "day":
        return first + timedelta(days=1)
    if by == "week":
        return first + timedelta(weeks=1)
    return (first + timedelta(days=31)).replace(day=1)


def _periods(
    firsts: list[date], by: str, rows: list[tuple[date, Part]]
) -> Iterable[Period]:
    for first in firsts:
        end = _after(first, by)
        earned = sum((p.earned for day, p in rows if first <= day < end), Earned())
        yield Period(first, end - timedelta(days=1), earned)


def _bundle_of(part: Part) -> Named:
    return part.network, part.mb, part.validity


def _together(
    rows: list[tuple[date, Part]], key: Callable[[Part], Named]
) -> list[Part]:
    """Rows of one key summed, the most profit first."""
    found: dict[Named, Earned] = {}
    for _, part in rows:
        found[key(part)] = found.get(key(part), Earned()) + part.earned
    parts = [Part(*named, earned) for named, earned in found.items()]
    return sorted(
        parts, key=lambda part: (-part.earned.profit_pesewas, *_bundle_of(part))
    )
