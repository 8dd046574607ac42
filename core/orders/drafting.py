"""What somebody is about to order: kept for an hour between the shop and the order, for the device
that asked alone.

A draft is a note and no order: it takes no number, no money and no place, and nothing is decided
from it. Whether it may become an order is asked anew each time, by `placing`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, ForeignKey, Index, bindparam, delete, select
from sqlalchemy.orm import Mapped, mapped_column

from core import stores
from core.base import clock, round_trip
from core.base.asks import Ask
from core.base.db import Model, db, rows_changed, transaction
from core.base.preconditions import inside_use_case, needs_across_stores
from core.base.tenancy import StoreScoped, current_store_id
from core.orders import batching
from core.orders.crowding import Caller
from core.orders.model import Order
from core.stores import Store

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
    row = {
        "id": secrets.token_urlsafe(_ID_BYTES),
        "store_id": current_store_id(),
        "device_key": caller.device_key,
        "idempotency_key": key,
        "bundle_id": bundle_id,
        "recipient_msisdn": recipient_msisdn,
        "recipient_text": recipient_text,
        "price_pesewas": price_pesewas,
        "created_at": clock.now(),
    }
    ((added,),) = round_trip.write([round_trip.adding(OrderDraft, row)])
    draft_id: str = added.id
    return draft_id


def drafted_at(
    slug: str, draft_id: str, caller_in: Callable[[int], Caller]
) -> tuple[Store, Drafted | None] | None:
    """The shop at this subdomain, and this caller's draft there with the order it has become, in
    one exchange. None for no shop; for the draft, when it is gone or somebody else's."""

    def read(store_id: int) -> tuple[Store, Drafted | None] | None:
        values = {
            "store_id": store_id,
            "draft_id": draft_id,
            "device": caller_in(store_id).device_key,
            "kept_after": clock.now() - KEPT,
        }
        asks = [ask.given(**values) for ask in _asks()]
        found, drafts, became = round_trip.read(store_id, asks)
        # a database that was restored may have another shop under this id
        if not found or found[0].slug != slug:
            return None
        return round_trip.made(Store, found[0]), _drafted(drafts, became)

    return stores.read_at(slug, read)


def _drafted(drafts: Sequence[Any], became: Sequence[Any]) -> Drafted | None:
    if not drafts:
        return None
    return Drafted(
        round_trip.made(OrderDraft, drafts[0]),
        round_trip.made(Order, became[0]) if became else None,
    )


@cache
def _asks() -> list[Ask]:
    """The store, the draft, and the order of its key."""
    store_id: ColumnElement[int] = bindparam("store_id", type_=OrderDraft.store_id.type)
    its = [
        OrderDraft.store_id == store_id,
        OrderDraft.id == bindparam("draft_id", type_=OrderDraft.id.type),
        OrderDraft.device_key == bindparam("device", type_=OrderDraft.device_key.type),
        OrderDraft.created_at
        > bindparam("kept_after", type_=OrderDraft.created_at.type),
    ]
    key = select(OrderDraft.idempotency_key).where(*its).scalar_subquery()
    became = select(*Order.__table__.c).where(
        Order.store_id == store_id, Order.idempotency_key == key
    )
    draft = select(*OrderDraft.__table__.c).where(*its)
    return list(map(round_trip.ask, (stores.of_columns(), draft, became)))


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
def prune_unplaced() -> int:
    """Delete what was never placed: drafts past their hour, batches past their time. Returns how
    many drafts."""
    batching.prune_batches()
    with transaction():
        return rows_changed(
            delete(OrderDraft).where(OrderDraft.created_at <= clock.now() - KEPT)
        )


@inside_use_case
def forget_unplaced(recipient_msisdn: str, store_id: int | None = None) -> None:
    """Delete drafts with this number, and empty such lines of batches: of one store, or of all."""
    batching.forget_in_batches(recipient_msisdn, store_id)
    drafts = delete(OrderDraft).where(OrderDraft.recipient_msisdn == recipient_msisdn)
    if store_id is not None:
        drafts = drafts.where(OrderDraft.store_id == store_id)
    db.session.execute(drafts)
