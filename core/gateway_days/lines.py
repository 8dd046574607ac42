"""The gateway's records, kept as rows as they are read. What is read twice is one row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.dialects.postgresql import insert

from core.base import clock
from core.base.db import db
from core.base.preconditions import inside_use_case, needs_across_stores
from core.online import OnlinePayment
from core.online.listed import GatewayLine, GatewaySettlement

ABSENT = "absent"
_CHANGED = (
    *("gateway_id", "word", "raw_word", "mode", "currency"),
    *("charged_pesewas", "fees_pesewas", "paid_at", "read_at"),
)


@dataclass(frozen=True)
class Listed:
    """A payment as a list, a settlement or a look-up of the gateway has it."""

    reference: str
    word: str
    raw_word: str = ""
    mode: str = ""
    currency: str = ""
    charged_pesewas: int | None = None
    fees_pesewas: int | None = None
    paid_at: datetime | None = None
    gateway_id: str | None = None


@dataclass(frozen=True)
class ListedSettlement:
    """A settlement as the gateway's list has it."""

    gateway_id: str
    raw_word: str
    currency: str
    total_pesewas: int | None
    fees_pesewas: int | None
    deductions_pesewas: int | None
    effective_pesewas: int | None
    settled_at: datetime | None


@inside_use_case
def keep(found: Sequence[Listed], *, settlement_id: int | None = None) -> None:
    """Keep what a page says; of a settlement's page with `settlement_id`."""
    rows = {one.reference: _row(one, settlement_id) for one in found}
    if not rows:
        return
    new = insert(GatewayLine).values([rows[name] for name in sorted(rows)])
    said: dict[str, Any] = {name: new.excluded[name] for name in _CHANGED}
    said["is_listed"] = or_(GatewayLine.is_listed, new.excluded.is_listed)
    said["settlement_id"] = func.coalesce(
        new.excluded.settlement_id, GatewayLine.settlement_id
    )
    db.session.execute(
        new.on_conflict_do_update(index_elements=["reference"], set_=said)
    )


def _row(one: Listed, settlement_id: int | None) -> dict[str, Any]:
    return {
        "reference": one.reference,
        "gateway_id": one.gateway_id,
        "word": one.word,
        "raw_word": one.raw_word,
        "mode": one.mode,
        "currency": one.currency,
        "charged_pesewas": one.charged_pesewas,
        "fees_pesewas": one.fees_pesewas,
        "paid_at": one.paid_at,
        "is_listed": settlement_id is None,
        "settlement_id": settlement_id,
        "read_at": clock.now(),
    }


@inside_use_case
def keep_settlements(found: Sequence[ListedSettlement]) -> None:
    """Keep what the list says. One that is over and closed keeps where its money went."""
    now = clock.now()
    for one in found:
        row = {
            "raw_word": one.raw_word,
            "currency": one.currency,
            "total_pesewas": one.total_pesewas,
            "fees_pesewas": one.fees_pesewas,
            "deductions_pesewas": one.deductions_pesewas,
            "effective_pesewas": one.effective_pesewas,
            "settled_at": one.settled_at or now,
            "read_at": now,
        }
        new = insert(GatewaySettlement).values(gateway_id=one.gateway_id, **row)
        db.session.execute(
            new.on_conflict_do_update(
                index_elements=["gateway_id"],
                set_=row,
                where=GatewaySettlement.closed_at.is_(None),
            )
        )


@needs_across_stores
def next_unread(
    since: datetime, until: datetime, read_since: datetime, after: str
) -> str | None:
    """The next reference that our books have as paid in this time and that no list had since then:
    each is asked about once a day, whatever a clock does."""
    is_read = (GatewayLine.reference == OnlinePayment.reference) & (
        GatewayLine.read_at >= read_since
    )
    return db.session.scalar(
        select(OnlinePayment.reference)
        .where(
            OnlinePayment.state == "paid",
            OnlinePayment.reference > after,
            OnlinePayment.paid_at >= since,
            OnlinePayment.paid_at < until,
            ~select(GatewayLine.id).where(is_read, GatewayLine.is_listed).exists(),
        )
        .order_by(OnlinePayment.reference)
        .limit(1)
    )
