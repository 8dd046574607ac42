"""How long deliveries take, counted from those there were: an estimate for each network, a record
for each store. The rows, and what pages may say by them.

They are counted anew by `core.orders.estimates`; nobody types one. While buying stands still or is
unsure `availability` holds an estimate back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, ForeignKey, Index, func, select
from sqlalchemy.orm import Mapped, mapped_column

from core.base import clock
from core.base.db import Model
from core.base.language import say
from core.base.tenancy import StoreScoped

COUNTED_MOST = 500
"""Deliveries of a network, and estimates of it, that are looked at: the newest of a week."""
LEAST_COUNTED = 20
"""Of fewer deliveries in the week nothing is said."""
OLD = timedelta(hours=1)
"""An estimate that was not counted anew for so long says nothing. Unscaled: minutes that real
deliveries took are in it."""
LEAST_TOLD = 10
"""Of fewer estimates it is not said how many were right: one of one says nothing."""

DELIVERED_MOST = 10_000
"""Deliveries of a store that are counted: the newest of 30 days."""
LEAST_DELIVERED = 10
RECORD_OLD = timedelta(days=7)
"""A store that delivers has its record counted anew with each delivery, one that does not once a
day: one that is older was forgotten."""


class DeliveryEstimate(Model):
    """One row for each network, for the whole platform: it is the supplier who fulfils."""

    __tablename__ = "delivery_estimates"

    network: Mapped[str] = mapped_column(primary_key=True)
    minutes: Mapped[int | None]
    """Within which nine of ten came. None: there is no such figure."""
    counted: Mapped[int]
    """Deliveries it was taken from."""
    in_time: Mapped[int]
    estimated: Mapped[int]
    """Orders whose own estimate has run out, and how many of them had come by then."""
    renewed_at: Mapped[datetime]


class StoreRecord(Model, StoreScoped):
    """What a store delivered in the last 30 days."""

    __tablename__ = "store_records"
    __table_args__ = (Index("ix_store_records_renewed", "renewed_at"),)

    store_id: Mapped[int] = mapped_column(ForeignKey("stores.id"), primary_key=True)
    delivered: Mapped[int]
    half_within_minutes: Mapped[int | None]
    renewed_at: Mapped[datetime]


@dataclass(frozen=True)
class Estimate:
    """A row of `delivery_estimates` at one moment."""

    minutes: int
    counted: int
    in_time: int
    estimated: int

    @property
    def is_trusted(self) -> bool:
        """Whether it was right at least half of the time."""
        return 2 * self.in_time >= self.estimated

    @property
    def within(self) -> str:
        """`40 min`, counted from when the store has confirmed the payment."""
        return lasting(self.minutes)

    @property
    def how_right(self) -> str:
        """How often it was right, as a sentence; empty when that says nothing."""
        if self.estimated < LEAST_TOLD:
            return ""
        if self.estimated < COUNTED_MOST:
            return say(
                "Right for %(right)s of %(all)s last week.",
                right=self.in_time,
                all=self.estimated,
            )
        return say(
            "Right for %(right)s of the last %(all)s.",
            right=self.in_time,
            all=self.estimated,
        )


@dataclass(frozen=True)
class Record:
    """A row of `store_records` that may be shown."""

    delivered: int
    half_within_minutes: int
    """From the confirmed payment."""

    @property
    def sentence(self) -> str:
        many = f"{self.delivered:,}"
        if self.delivered >= DELIVERED_MOST:
            many = say("%(n)s or more", n=format(DELIVERED_MOST, ","))
        return say(
            "Delivered %(many)s orders in the last 30 days, half of them within %(time)s.",
            many=many,
            time=lasting(self.half_within_minutes),
        )


def estimates_of(rows: Iterable[Mapping[str, Any]] | None) -> dict[str, Estimate]:
    """By network, those of enough deliveries that are not old; by rows of `delivery_estimates` as
    JSON."""
    found = {}
    for row in rows or ():
        age = abs(clock.now() - datetime.fromisoformat(row["renewed_at"]))
        if row["minutes"] is None or row["counted"] < LEAST_COUNTED or age > OLD:
            continue
        found[row["network"]] = Estimate(
            row["minutes"], row["counted"], row["in_time"], row["estimated"]
        )
    return found


def record_as_json(store_id: ColumnElement[int]) -> ColumnElement[Any]:
    """A store's record as a value of a larger statement, which `record_of` reads."""
    row = func.jsonb_build_array(
        StoreRecord.delivered, StoreRecord.half_within_minutes, StoreRecord.renewed_at
    )
    return select(row).where(StoreRecord.store_id == store_id).scalar_subquery()


def record_of(row: tuple[int, int | None, str] | None) -> Record | None:
    """None for a store that delivered little, or whose record was not counted for long."""
    if row is None:
        return None
    delivered, half_within_minutes, renewed_at = row
    age = abs(clock.now() - datetime.fromisoformat(renewed_at))
    if half_within_minutes is None or delivered < LEAST_DELIVERED or age > RECORD_OLD:
        return None
    return Record(delivered, half_within_minutes)


def lasting(minutes: int) -> str:
    """`40 min`, `90 min`; from two hours on `3 hours`, rounded up."""
    if minutes < 120:
        return f"{minutes} min" if minutes != 60 else say("1 hour")
    return say("%(n)s hours", n=-(-minutes // 60))
