"""What an order is bought from: the offer that stands for its bundle now, at what it costs now.

An order keeps the price its customer saw and, unless its agent says otherwise, what it costs its
agent. Which product the supplier is asked for, and what that costs us, is known only when it is
bought.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import BigInteger, any_, bindparam, exists, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import aliased

from core import catalog
from core.audit import WORKER
from core.base import money
from core.base.db import db
from core.base.preconditions import inside_use_case
from core.catalog import Bundle, SupplierOffer
from core.catalog.newest import Wording
from core.ledger import Posting
from core.orders import refusals
from core.orders.model import Order
from core.orders.states import WAIT_TEXT
from core.orders.timeline import log


class Sold(Protocol):
    """What of a bundle says whether it can be bought: the bundle, or columns of it."""

    @property
    def unlisted_since(self) -> datetime | None: ...
    @property
    def active(self) -> bool: ...
    @property
    def cost_pesewas(self) -> int: ...


@dataclass(frozen=True)
class Found:
    """An order, and why it must not be bought now: `paused`, or as `why_not` says; None when it
    may."""

    order: Order
    stop: str | None


_FOUND = (
    select(
        Order,
        Bundle.unlisted_since,
        Bundle.active,
        Bundle.cost_pesewas,
        catalog.is_paused(Order.network).label("is_paused"),
    )
    .join(Bundle, Bundle.id == Order.bundle_id)
    .where(Order.id == bindparam("order_id"))
)


def find(order_id: int) -> Found:
    """An order, and what the catalogue says of buying it, without a lock: a claim asks again under
    its own."""
    row: Any = db.session.execute(_FOUND, {"order_id": order_id}).one()
    stop = "paused" if row.is_paused else why_not(row.Order, row)
    return Found(row.Order, stop)


def why_not(order: Order, bundle: Sold) -> str | None:
    """Why this order must not be bought now: a key of `WAIT_TEXT`, or None."""
    if bundle.unlisted_since is not None or not bundle.active:
        return "unlisted"
    return "cost" if bundle.cost_pesewas >= order.agent_price_pesewas else None


def refuse(order: Order, bundle: Bundle) -> None:
    """Raise `OrderRefused` when a pending order cannot go in line, with what its agent may do."""
    reason = why_not(order, bundle)
    if reason is None:
        return
    name = order.bundle_text
    if reason == "unlisted":
        raise refusals.NotListed(
            f"{name} is not offered by the network’s supplier now, so it would not be delivered."
            " Try again later, or cancel the order and give the money back."
        )
    if reason == "cost" and bundle.is_sold:
        raise refusals.CostAbovePrice(
            f"The network's price has risen above what you pay for this order: {name} costs you"
            f" {money.cedis(bundle.agent_price_pesewas)} now, not"
            f" {money.cedis(order.agent_price_pesewas)}. Open the order to process it at the new"
            " price, or cancel it."
        )
    if reason == "cost":
        raise refusals.CostAbovePrice(
            f"The network's price has risen above what you pay for {name}, and what it will cost"
            " you is being decided. Wait for the new price, or cancel the order and give the money"
            " back."
        )


@dataclass(frozen=True)
class Source:
    """A locked bundle, and how the offer that stands for it is named at the supplier."""

    bundle: Bundle
    product_name: str
    capacity: str


def settle(order: Order, source: Source) -> bool:
    """Inside a claim, order and bundle locked: name the offer and its cost. False when it must
    wait; it says why then."""
    reason = why_not(order, source.bundle)
    if reason is not None:
        if order.wait_reason != reason:
            order.wait_reason = reason
            order.version += 1
            log(order, WORKER, "wait", f"Waiting: {WAIT_TEXT[reason]}.")
        return False
    order.product_name = source.product_name
    order.capacity = source.capacity
    order.cost_pesewas = source.bundle.cost_pesewas
    return True


def wording(order: Order) -> Wording:
    """By which product, size and network the order was asked for at the supplier."""
    return Wording(order.network, order.mb, order.product_name, order.capacity)


def was_refused(order: Order) -> bool:
    """Whether the supplier has said, of this or another order, that it does not sell what this one
    asked for."""
    return catalog.is_refused(wording(order))


@inside_use_case
def hold(orders: list[Order]) -> dict[int, Source]:
    """What locked orders are bought from, by the ids of their bundles, which are kept from changing
    until the use case ends."""
    return hold_booked(orders)[0]


@inside_use_case
def hold_booked(orders: list[Order]) -> tuple[dict[int, Source], frozenset[int]]:
    """The same, and which of the orders have their money set apart by the books."""
    bundles = catalog.hold({order.bundle_id for order in orders})
    asked = {
        "ids": [bundle.offer_id for bundle in bundles.values()],
        "order_ids": [order.id for order in orders],
    }
    rows = db.session.execute(_OFFERS_AND_HELD, asked).all()
    offers = {row.id: (row.product_name, row.capacity) for row in rows}
    booked = frozenset(rows[0].held if rows else ())
    sources = {
        bundle.id: Source(bundle, *offers[bundle.offer_id])
        for bundle in bundles.values()
    }
    return sources, booked


_over = aliased(Posting)
_HELD = select(Posting.order_id).where(
    Posting.order_id == any_(bindparam("order_ids", type_=ARRAY(BigInteger))),
    Posting.kind == "hold",
    ~exists().where(
        _over.order_id == Posting.order_id, _over.kind.in_(("capture", "release"))
    ),
)
"""The orders whose money is set apart and neither spent nor back."""
_OFFERS_AND_HELD = select(
    SupplierOffer.id,
    SupplierOffer.product_name,
    SupplierOffer.capacity,
    func.array(_HELD.scalar_subquery(), type_=ARRAY(BigInteger)).label("held"),
).where(SupplierOffer.id == any_(bindparam("ids", type_=ARRAY(BigInteger))))
