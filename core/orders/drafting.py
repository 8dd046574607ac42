"""What somebody is about to order: kept for an hour between the shop and the order, for the device
that asked alone.

A draft is a note and no order: it takes no number, no money and no place, and nothing is decided
from it. Whether it may become an order is asked anew each time, by `placing`.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, Index, and_, delete, select
from sqlalchemy.orm import Mapped, mapped_column

from core.base import clock
from core.base.db import Model, db, rows_changed, transaction
from core.base.preconditions import inside_use_case, needs_across_stores
from core.base.tenancy import StoreScoped
from core.orders.crowding import Caller
from core.orders.model import Order

KEPT = timedelta(hours=1)
"""A draft is read for so long, by the clock on the wall: it holds a customer's number."""
_ID_BYTES = 16


class OrderDraft(Model, StoreScoped):
    __tablename__ = "order_drafts"
    __table_args__ = (Index("ix_order_drafts_created_at", "created_at"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    """16 random bytes, as addresses carry them."""
    device_key: Mapped[str]
    """Who may read it: the keyed hash of the device's id, as orders carry it."""
    idempotency_key: Mapped[str]
    """Of the one order it can become."""
    bundle_id: Mapped[int] = mapped_column(ForeignKey("bundles.id"))
    recipient_msisdn: Mapped[str]
    recipient_text: Mapped[str]
    """The number as it was typed, for changing it."""
    price_pesewas: Mapped[int]
    """What it cost when it was begun."""
    created_at: Mapped[datetime]


@dataclass(frozen=True)
class Drafted:
    """A draft, and the order it has become, if it has."""

    draft: OrderDraft
    order: Order | None


def draft(
    *,
    bundle_id: int,
    recipient_msisdn: str,
    recipient_text: str,
    price_pesewas: int,
    key: str,
    caller: Caller,
) -> str:
    """Keep what this caller is about to order in the current store. Returns the draft's id. `key`
    is the order's, later."""
    assert caller.device_key is not None, "a draft belongs to a device"
    with transaction() as session:
        row = OrderDraft(
            id=secrets.token_urlsafe(_ID_BYTES),
            device_key=caller.device_key,
            idempotency_key=key,
            bundle_id=bundle_id,
            recipient_msisdn=recipient_msisdn,
            recipient_text=recipient_text,
            price_pesewas=price_pesewas,
            created_at=clock.now(),
        )
        session.add(row)
        return row.id


def drafted(draft_id: str, caller: Caller) -> Drafted | None:
    """This caller's draft with the order it has become, in one statement; None when it is gone or
    somebody else's."""
    became = and_(
        Order.store_id == OrderDraft.store_id,
        Order.idempotency_key == OrderDraft.idempotency_key,
    )
    found = db.session.execute(
        select(OrderDraft, Order)
        .outerjoin(Order, became)
        .where(
            OrderDraft.id == draft_id,
            OrderDraft.device_key == caller.device_key,
            OrderDraft.created_at > clock.now() - KEPT,
        )
    ).one_or_none()
    return Drafted(*found) if found else None


def draft_of(
    idempotency_key: str,
    bundle_id: int,
    recipient_msisdn: str,
    caller: Caller,
) -> str | None:
    """The id of this caller's draft for exactly this order; None when it is gone, somebody else's,
    or says otherwise."""
    return db.session.scalar(
        select(OrderDraft.id).where(
            OrderDraft.idempotency_key == idempotency_key,
            OrderDraft.device_key == caller.device_key,
            OrderDraft.bundle_id == bundle_id,
            OrderDraft.recipient_msisdn == recipient_msisdn,
            OrderDraft.created_at > clock.now() - KEPT,
        )
    )


@needs_across_stores
def prune_drafts() -> int:
    """Delete drafts past their hour. Returns how many."""
    with transaction():
        return rows_changed(
            delete(OrderDraft).where(OrderDraft.created_at <= clock.now() - KEPT)
        )


@inside_use_case
def forget_drafts(recipient_msisdn: str) -> None:
    """Delete the drafts with this number."""
    db.session.execute(
        delete(OrderDraft).where(OrderDraft.recipient_msisdn == recipient_msisdn)
    )
