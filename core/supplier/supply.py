"""What we know of the supplier: the state of the link.

Remembers, and has the row locked by which all processes share one budget of calls (`budget`) and
one breaker. It must survive a flush of Valkey. Who calls, and what an answer means for an order, is
decided in `fulfilment`.
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import DateTime, select
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.orm import Mapped, mapped_column

from core.base.db import Model, db, held_rows, joined_transaction
from core.base.preconditions import inside_use_case
from core.base.tenancy import as_platform
from core.supplier import budget
from core.supplier.budget import Share

SUPPLIER = "datamart"


class SupplierState(Model):
    """One row for each supplier account: taken before each call, so all processes share one budget
    and one breaker."""

    __tablename__ = "supplier_state"

    supplier: Mapped[str] = mapped_column(primary_key=True)
    purchase_calls: Mapped[list[datetime]] = mapped_column(
        ARRAY(DateTime(timezone=True)), default=list
    )
    other_calls: Mapped[list[datetime]] = mapped_column(
        ARRAY(DateTime(timezone=True)), default=list
    )
    ring_lookups: Mapped[list[datetime]] = mapped_column(
        ARRAY(DateTime(timezone=True)), default=list
    )
    closed_until: Mapped[datetime | None]
    """429: nobody calls before this."""
    unknown_streak: Mapped[int] = mapped_column(default=0)
    breaker_open_until: Mapped[datetime | None]
    breaker_reason: Mapped[str | None]
    credentials_refused_since: Mapped[datetime | None]
    unreachable_since: Mapped[datetime | None]
    last_balance_pesewas: Mapped[int | None]
    last_balance_at: Mapped[datetime | None]
    last_balance_said: Mapped[str | None]
    """The same figure in cedis with every digit as it was sent."""
    balance_failed_at: Mapped[datetime | None]
    balance_failure: Mapped[str | None]
    """The last read brought no balance: when, and why in words. None once one has."""
    fit_entry_id: Mapped[int | None]
    """The newest entry of the float account when it last fitted a balance to the pesewa."""
    rounding_day: Mapped[date | None]
    rounding_pesewas: Mapped[int] = mapped_column(default=0)
    """What was booked as rounding on that day in Accra: + gained, − lost."""
    break_pesewas: Mapped[int | None]
    break_since: Mapped[datetime | None]
    bulk_off_until: Mapped[datetime | None]
    """The supplier has no bulk endpoint: purchases go one by one until then."""

    @property
    def is_in_order(self) -> bool:
        """Whether a good answer has nothing to clear away."""
        stops = (
            self.breaker_open_until,
            self.breaker_reason,
            self.credentials_refused_since,
            self.unreachable_since,
        )
        return self.unknown_streak == 0 and not any(stops)


@as_platform
def state() -> SupplierState:
    """The link as it stands. A fresh one when nothing was ever asked."""
    return db.session.get(SupplierState, SUPPLIER) or never_asked()


def never_asked() -> SupplierState:
    """The link before anything was ever asked."""
    return SupplierState(
        supplier=SUPPLIER,
        unknown_streak=0,
        purchase_calls=[],
        other_calls=[],
        ring_lookups=[],
        rounding_pesewas=0,
    )


@inside_use_case
def locked_state() -> SupplierState:
    """The link, locked; asked of the database once."""
    held = held_rows()
    if SUPPLIER not in held:
        held[SUPPLIER] = _locked_state()
    state: SupplierState = held[SUPPLIER]
    return state


@inside_use_case
def hold(link: SupplierState) -> None:
    """The open use case has locked the link already."""
    held_rows()[SUPPLIER] = link


_LOCKED = (
    select(SupplierState)
    .where(SupplierState.supplier == SUPPLIER)
    .with_for_update()
    .execution_options(populate_existing=True)
)


def _locked_state() -> SupplierState:
    found = db.session.scalars(_LOCKED).one_or_none()
    if found is not None:
        return found
    db.session.execute(
        insert(SupplierState)
        .values(
            supplier=SUPPLIER,
            unknown_streak=0,
            purchase_calls=[],
            other_calls=[],
            ring_lookups=[],
        )
        .on_conflict_do_nothing()
    )
    return db.session.scalars(_LOCKED).one()


@as_platform
def take_call(share: Share, calls: int = 1) -> float:
    """Take `calls` from the shared budget. Returns 0 when they may be made now, else the seconds to
    wait."""
    with joined_transaction():
        return budget.take(locked_state(), share, calls)


@as_platform
def close_until(moment: datetime) -> None:
    """The supplier said 429: no process calls before `moment`."""
    with joined_transaction():
        link = locked_state()
        link.closed_until = max(moment, link.closed_until or moment)
