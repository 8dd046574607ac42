"""What online payments brought and what left again, by day in Accra: summed when a page is drawn,
by indexes of the moments, of the days that it shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Date, Select, cast, func, literal_column, select
from sqlalchemy.orm import InstrumentedAttribute

from core.base import clock
from core.base.db import db
from core.base.preconditions import needs_across_stores
from core.online import GatewayRefund, OnlinePayment, Payout

DAYS = 14
"""How many a page shows, today included."""
WEEK = 7
# as constants: a plan for any values would not use the indexes of what is over
_IS_DONE = GatewayRefund.state == literal_column("'done'")
_IS_PAID = Payout.state == literal_column("'paid'")


@dataclass
class Day:
    """One day, in pesewas: what came in and what the gateway kept of it, what went back to payers
    and out to agents."""

    day: date
    payments: int = 0
    taken_pesewas: int = 0
    fees_pesewas: int = 0
    given_back_pesewas: int = 0
    paid_out_pesewas: int = 0


@dataclass(frozen=True)
class Days:
    """The last days, the oldest first; the last one is not over."""

    days: Sequence[Day]
    today: Day = field(init=False)
    week: Day = field(init=False)
    """The last seven days together, today included."""
    total: Day = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "today", self.days[-1])
        object.__setattr__(self, "week", _together(self.days[-WEEK:]))
        object.__setattr__(self, "total", _together(self.days))


def of_store(store_id: int) -> Days:
    """What customers paid online for orders of one store."""
    days = _empty()
    paid_at = OnlinePayment.paid_at
    came = _by_day(paid_at, func.count(), func.sum(OnlinePayment.charged_pesewas))
    rows = db.session.execute(
        came.where(
            OnlinePayment.store_id == store_id,
            OnlinePayment.pays_order_id.is_not(None),
        )
    )
    for day, payments, pesewas in rows:
        if day in days:
            days[day].payments, days[day].taken_pesewas = payments, int(pesewas)
    return Days(list(days.values()))


@needs_across_stores
def of_all() -> Days:
    """What moved at the gateway for all stores."""
    days = _empty()
    charged, fees = OnlinePayment.charged_pesewas, OnlinePayment.fees_pesewas
    came = _by_day(
        OnlinePayment.paid_at,
        func.count(),
        func.sum(charged),
        func.coalesce(func.sum(fees), 0),
    )
    for day, payments, pesewas, kept in db.session.execute(came):
        if day in days:
            one = days[day]
            one.payments, one.taken_pesewas = payments, int(pesewas)
            one.fees_pesewas = int(kept)
    back = _by_day(GatewayRefund.ended_at, func.sum(GatewayRefund.amount_pesewas))
    for day, pesewas in db.session.execute(back.where(_IS_DONE)):
        if day in days:
            days[day].given_back_pesewas = int(pesewas)
    out = _by_day(Payout.paid_at, func.sum(Payout.amount_pesewas))
    for day, pesewas in db.session.execute(out.where(_IS_PAID)):
        if day in days:
            days[day].paid_out_pesewas = int(pesewas)
    return Days(list(days.values()))


def _by_day(moment: InstrumentedAttribute[Any], *sums: Any) -> Select[*tuple[Any, ...]]:
    """Sums by the day of a moment, of the days that are shown."""
    day = cast(func.timezone(str(clock.ACCRA), moment), Date)
    first = clock.accra_midnight() - timedelta(days=DAYS - 1)
    return select(day, *sums).where(moment >= first).group_by(day)


def _empty() -> dict[date, Day]:
    today = clock.accra_midnight().date()
    days = (today - timedelta(days=back) for back in reversed(range(DAYS)))
    return {day: Day(day) for day in days}


def _together(days: Iterable[Day]) -> Day:
    whole = Day(date.min)
    for one in days:
        whole.payments += one.payments
        whole.taken_pesewas += one.taken_pesewas
        whole.fees_pesewas += one.fees_pesewas
        whole.given_back_pesewas += one.given_back_pesewas
        whole.paid_out_pesewas += one.paid_out_pesewas
    return whole
