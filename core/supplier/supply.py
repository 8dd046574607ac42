"""What we know of the supplier: the state of the link, every call and answer.

Remembers, and has the row locked by which all processes share one budget of calls (`budget`) and
one breaker. It must survive a flush of Valkey. Who calls, and what an answer means for an order, is
decided in `fulfilment`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import DateTime, Index, Text, case, func, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.orm import Mapped, mapped_column

from core.base import clock, config
from core.base.db import Model, db, held_rows, joined_transaction, rows_changed
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


class SupplierCall(Model):
    """One request and its answer. A purchase's row is written before the call, so a kill leaves it
    unanswered."""

    __tablename__ = "supplier_calls"
    __table_args__ = (
        Index("ix_supplier_calls_refs", "order_refs", postgresql_using="gin"),
        Index("ix_supplier_calls_endpoint", "endpoint", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    supplier: Mapped[str]
    endpoint: Mapped[str]
    method: Mapped[str]
    path: Mapped[str]
    order_refs: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    attempt: Mapped[int | None]
    request_body: Mapped[str] = mapped_column(default="")
    http_status: Mapped[int | None]
    response_body: Mapped[str] = mapped_column(default="")
    outcome: Mapped[str]
    note: Mapped[str] = mapped_column(default="")
    duration_ms: Mapped[int | None]
    answered_at: Mapped[datetime | None]


@as_platform
def state() -> SupplierState:
    """The link as it stands. A fresh one when nothing was ever asked."""
    return db.session.get(SupplierState, SUPPLIER) or SupplierState(
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


def _locked_state() -> SupplierState:
    query = (
        select(SupplierState)
        .where(SupplierState.supplier == SUPPLIER)
        .with_for_update()
    )
    query = query.execution_options(populate_existing=True)
    found = db.session.scalars(query).one_or_none()
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
    return db.session.scalars(query).one()


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


def open_purchase_call(order_refs: Sequence[str], attempt: int | None) -> None:
    """Inside the claim: the line of a call about to be made. Unanswered if we die in it; no attempt
    when it buys several."""
    endpoint = "purchase" if len(order_refs) == 1 else "bulk"
    db.session.add(
        SupplierCall(
            at=clock.now(),
            supplier=SUPPLIER,
            endpoint=endpoint,
            method="POST",
            path=f"/v1/{endpoint}",
            order_refs=list(order_refs),
            attempt=attempt,
            outcome="no answer yet",
        )
    )


@as_platform
def record_call(
    *,
    endpoint: str,
    order_refs: tuple[str, ...],
    values: Mapping[str, Any],
    since: datetime | None = None,
) -> bool:
    """Keep one finished call: completes the open line of a purchase, or adds a line.

    `since`: the call begun then was let in and answered well, which ends a stop for refused
    credentials, or for a supplier nobody could reach, from before. Returns whether it did.
    """
    finished = {"answered_at": clock.now(), **values}
    with joined_transaction() as session:
        is_known = (
            endpoint in ("purchase", "bulk")
            and order_refs
            and _complete(endpoint, order_refs[0], finished)
        )
        if not is_known:
            session.add(
                SupplierCall(endpoint=endpoint, order_refs=list(order_refs), **finished)
            )
        return since is not None and _let_in(since)


_WRITTEN_BEFORE = ("supplier",)
"""Said when the call was about to be made; no role may change it since."""


def _complete(endpoint: str, order_ref: str, values: Mapping[str, Any]) -> bool:
    """Complete the newest open record of a purchase call. False when there is none."""
    newest = (
        select(SupplierCall.id)
        .where(
            SupplierCall.endpoint == endpoint,
            SupplierCall.order_refs.contains([order_ref]),
            SupplierCall.answered_at.is_(None),
        )
        .order_by(SupplierCall.id.desc())
        .limit(1)
    )
    learnt = {
        name: value for name, value in values.items() if name not in _WRITTEN_BEFORE
    }
    done = rows_changed(
        update(SupplierCall)
        .where(SupplierCall.id == newest.scalar_subquery())
        .values(**learnt)
        .execution_options(synchronize_session=False)
    )
    return bool(done)


def _let_in(since: datetime) -> bool:
    """End a stop that a call begun at `since` disproves, since it was answered well. Returns
    whether one ended.

    Not when the last two purchases were both refused within `credentials_wait_s`: then the supplier
    lets reads in and no purchases, and would refuse the next one too.
    """
    last = (
        select(SupplierCall.http_status, SupplierCall.at)
        .where(SupplierCall.endpoint.in_(("purchase", "bulk")))
        .order_by(SupplierCall.id.desc())
        .limit(2)
        .subquery()
    )
    lately = clock.now() - clock.delta(config.current().credentials_wait_s)
    refused_all_the_same = select(func.count() > 1).where(
        last.c.http_status.in_((401, 403)), last.c.at > lately
    )
    refused = SupplierState.credentials_refused_since
    away = SupplierState.unreachable_since
    is_why = SupplierState.breaker_reason.in_(("credentials", "supplier_unreachable"))
    ended = rows_changed(
        update(SupplierState)
        .where(SupplierState.supplier == SUPPLIER, or_(refused <= since, away <= since))
        .where(~refused_all_the_same.scalar_subquery())
        .values(
            credentials_refused_since=None,
            unreachable_since=None,
            breaker_open_until=case(
                (is_why, None), else_=SupplierState.breaker_open_until
            ),
            breaker_reason=case((is_why, None), else_=SupplierState.breaker_reason),
        )
    )
    return bool(ended)


@as_platform
def calls(
    before_id: int | None = None,
    endpoint: str | None = None,
    search: str = "",
    limit: int | None = None,
) -> list[SupplierCall]:
    """The call log, newest first; `search` is a whole order reference."""
    query = (
        select(SupplierCall)
        .order_by(SupplierCall.id.desc())
        .limit(limit or config.current().page_size)
    )
    if before_id is not None:
        query = query.where(SupplierCall.id < before_id)
    if endpoint:
        query = query.where(SupplierCall.endpoint == endpoint)
    if search:
        query = query.where(SupplierCall.order_refs.contains([search.strip().upper()]))
    return list(db.session.scalars(query))
