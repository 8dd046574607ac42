"""What we know of the supplier: the state of the link, every call and answer, every webhook, every balance read.

Remembers, and has the row locked by which all processes share one budget of calls (`budget`) and one breaker. It must
survive a flush of Valkey. Who calls, and what an answer means for an order, is decided in `fulfilment`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import DateTime, Index, LargeBinary, Text, case, func, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert
from sqlalchemy.orm import Mapped, mapped_column

from core.base import clock, config
from core.base.db import Model, db, transaction
from core.base.tenancy import as_platform
from core.supplier import budget
from core.supplier.budget import Share

SUPPLIER = "datamart"


class SupplierState(Model):
    """One row for each supplier account: taken before each call, so all processes share one budget and one breaker."""

    __tablename__ = "supplier_state"

    supplier: Mapped[str] = mapped_column(primary_key=True)
    purchase_calls: Mapped[list[datetime]] = mapped_column(ARRAY(DateTime(timezone=True)), default=list)
    other_calls: Mapped[list[datetime]] = mapped_column(ARRAY(DateTime(timezone=True)), default=list)
    ring_lookups: Mapped[list[datetime]] = mapped_column(ARRAY(DateTime(timezone=True)), default=list)
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


class SupplierCall(Model):
    """One request and its answer. A purchase's row is written before the call, so a kill leaves it unanswered."""

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


class WebhookEvent(Model):
    """The raw bytes of a webhook, as it came, and what became of it."""

    __tablename__ = "webhook_events"

    id: Mapped[int] = mapped_column(primary_key=True)
    received_at: Mapped[datetime]
    event_key: Mapped[str] = mapped_column(unique=True)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    headers: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)
    event: Mapped[str]
    order_ref: Mapped[str | None] = mapped_column(index=True)
    raw_status: Mapped[str | None]
    status: Mapped[str | None]
    verified_by: Mapped[str | None]
    times: Mapped[int] = mapped_column(default=1)
    result: Mapped[str] = mapped_column(default="stored")

    @property
    def body_text(self) -> str:
        return self.body.decode("utf-8", "replace")


@as_platform
def state() -> SupplierState:
    """The link as it stands. A fresh one when nothing was ever asked."""
    return db.session.get(SupplierState, SUPPLIER) or SupplierState(
        supplier=SUPPLIER, unknown_streak=0, purchase_calls=[], other_calls=[], ring_lookups=[], rounding_pesewas=0
    )


def locked_state() -> SupplierState:
    """The link, locked inside the open use case."""
    db.session.execute(
        insert(SupplierState)
        .values(supplier=SUPPLIER, unknown_streak=0, purchase_calls=[], other_calls=[], ring_lookups=[])
        .on_conflict_do_nothing()
    )
    return db.session.scalars(select(SupplierState).where(SupplierState.supplier == SUPPLIER).with_for_update()).one()


@as_platform
def take_call(share: Share, calls: int = 1) -> float:
    """Take `calls` from the shared budget. Returns 0 when they may be made now, else the seconds to wait."""
    with transaction():
        return budget.take(locked_state(), share, calls)


@as_platform
def close_until(moment: datetime) -> None:
    """The supplier said 429: no process calls before `moment`."""
    with transaction():
        link = locked_state()
        link.closed_until = max(moment, link.closed_until or moment)


def open_purchase_call(order_refs: Sequence[str], attempt: int | None) -> None:
    """Inside the claim: the line of a call about to be made. Unanswered if we die in it; no attempt when it buys several."""
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
    *, endpoint: str, order_refs: tuple[str, ...], values: Mapping[str, Any], since: datetime | None = None
) -> bool:
    """Keep one finished call: completes the open line of a purchase, or adds a line.

    `since`: the call begun then was let in and answered well, which ends a stop for refused credentials, or for a supplier
    nobody could reach, from before. Returns whether it did.
    """
    with transaction() as session:
        line = None
        if endpoint in ("purchase", "bulk") and order_refs:
            line = session.scalar(
                select(SupplierCall)
                .where(
                    SupplierCall.endpoint == endpoint,
                    SupplierCall.order_refs.contains([order_refs[0]]),
                    SupplierCall.answered_at.is_(None),
                )
                .order_by(SupplierCall.id.desc())
                .limit(1)
            )
        if line is None:
            line = SupplierCall(endpoint=endpoint, order_refs=list(order_refs))
            session.add(line)
        for name, value in values.items():
            setattr(line, name, value)
        line.answered_at = clock.now()
        return since is not None and _let_in(since)


def _let_in(since: datetime) -> bool:
    """End a stop that this call disproves. Not when the last two purchases were both refused within one wait all the same:
    then reads vouch for reads alone, and each would only send one more purchase to be refused.
    """
    last = (
        select(SupplierCall.http_status, SupplierCall.at)
        .where(SupplierCall.endpoint.in_(("purchase", "bulk")))
        .order_by(SupplierCall.id.desc())
        .limit(2)
        .subquery()
    )
    lately = clock.now() - clock.delta(config.current().credentials_wait_s)
    refused_all_the_same = select(func.count() > 1).where(last.c.http_status.in_((401, 403)), last.c.at > lately)
    refused, away = SupplierState.credentials_refused_since, SupplierState.unreachable_since
    is_why = SupplierState.breaker_reason.in_(("credentials", "supplier_unreachable"))
    ended = db.session.execute(
        update(SupplierState)
        .where(SupplierState.supplier == SUPPLIER, or_(refused <= since, away <= since))
        .where(~refused_all_the_same.scalar_subquery())
        .values(
            credentials_refused_since=None,
            unreachable_since=None,
            breaker_open_until=case((is_why, None), else_=SupplierState.breaker_open_until),
            breaker_reason=case((is_why, None), else_=SupplierState.breaker_reason),
        )
    )
    return bool(ended.rowcount)  # type: ignore[attr-defined]


@as_platform
def calls(
    before_id: int | None = None, endpoint: str | None = None, search: str = "", limit: int | None = None
) -> list[SupplierCall]:
    """The call log, newest first; `search` is a whole order reference."""
    query = select(SupplierCall).order_by(SupplierCall.id.desc()).limit(limit or config.current().page_size)
    if before_id is not None:
        query = query.where(SupplierCall.id < before_id)
    if endpoint:
        query = query.where(SupplierCall.endpoint == endpoint)
    if search:
        query = query.where(SupplierCall.order_refs.contains([search.strip().upper()]))
    return list(db.session.scalars(query))


def event_key(event: str, order_ref: str | None, raw_status: str | None, body: bytes) -> str:
    """What makes two webhooks the same event: name, reference, status and content (the contract has no event id)."""
    return hashlib.sha256(
        b"\x1f".join([event.encode(), (order_ref or "").encode(), (raw_status or "").encode(), body])
    ).hexdigest()


def keep_webhook(values: Mapping[str, Any]) -> bool:
    """Store an event inside the open use case. False when the same one was already here; it is counted."""
    fresh = db.session.execute(
        insert(WebhookEvent)
        .values(received_at=clock.now(), times=1, result="stored", **values)
        .on_conflict_do_update(
            index_elements=[WebhookEvent.event_key], set_={"times": WebhookEvent.times + 1, "result": "seen before"}
        )
        .returning(WebhookEvent.times)
    ).scalar_one()
    return bool(fresh == 1)


@as_platform
def webhooks(before_id: int | None = None, limit: int | None = None) -> list[WebhookEvent]:
    """The webhook log, newest first."""
    query = select(WebhookEvent).order_by(WebhookEvent.id.desc()).limit(limit or config.current().page_size)
    return list(db.session.scalars(query if before_id is None else query.where(WebhookEvent.id < before_id)))


@as_platform
def webhooks_of(order_ref: str) -> list[WebhookEvent]:
    return list(
        db.session.scalars(select(WebhookEvent).where(WebhookEvent.order_ref == order_ref).order_by(WebhookEvent.id))
    )


@as_platform
def verified_completion(order_ref: str) -> WebhookEvent | None:
    """A webhook signed over its own words that says this order was completed; a shared token proves no words."""
    return db.session.scalar(
        select(WebhookEvent).where(
            WebhookEvent.order_ref == order_ref,
            WebhookEvent.status == "completed",
            WebhookEvent.verified_by.not_in(("static_token", "none")),  # NULL, unsigned, is not in either
        )
    )
