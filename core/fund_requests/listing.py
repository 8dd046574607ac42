"""Requests as pages show them: to the agent their own newest, to the owner who waits and what
speaks against it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from core.base.db import db
from core.base.preconditions import needs_across_stores
from core.fund_requests.model import FundRequest
from core.stores import Store

NEWEST = 5
SAME_REFERENCE = 5
"""So many earlier ones are named to the owner."""


@dataclass(frozen=True)
class Listed:
    """A request and the store that asks."""

    request: FundRequest
    store: Store


@dataclass(frozen=True)
class Waiting:
    """How many requests wait, and for how much in all."""

    count: int
    amount_pesewas: int


def newest() -> list[FundRequest]:
    """The current store's newest requests, also those that are decided."""
    query = select(FundRequest).order_by(FundRequest.id.desc()).limit(NEWEST)
    return list(db.session.scalars(query))


@needs_across_stores
def waiting(limit: int) -> list[Listed]:
    """Those of all stores that wait for the owner, who waits longest first."""
    rows = db.session.execute(
        select(FundRequest, Store)
        .join(Store, Store.id == FundRequest.store_id)
        .where(FundRequest.decision.is_(None))
        .order_by(FundRequest.asked_at, FundRequest.id)
        .limit(limit)
    )
    return [Listed(request, store) for request, store in rows]


@needs_across_stores
def waiting_in_all() -> Waiting:
    """All that wait, by the index of those that do."""
    query = select(func.count(), func.coalesce(func.sum(FundRequest.amount_pesewas), 0))
    row = db.session.execute(query.where(FundRequest.decision.is_(None))).one()
    return Waiting(int(row[0]), int(row[1]))


@needs_across_stores
def by_id(request_id: int) -> Listed | None:
    """One request with its store; None for none."""
    row = db.session.execute(
        select(FundRequest, Store)
        .join(Store, Store.id == FundRequest.store_id)
        .where(FundRequest.id == request_id)
    ).first()
    return Listed(*row) if row else None


@needs_across_stores
def of_reference(asked: FundRequest) -> Sequence[Listed]:
    """Requests of any store with the same reference that were approved before: one payment, shown
    twice, is the fraud of this trade."""
    rows = db.session.execute(
        select(FundRequest, Store)
        .join(Store, Store.id == FundRequest.store_id)
        .where(
            FundRequest.reference_key == asked.reference_key,
            FundRequest.decision == "approved",
            FundRequest.id != asked.id,
        )
        .order_by(FundRequest.id.desc())
        .limit(SAME_REFERENCE)
    )
    return [Listed(*row) for row in rows]
