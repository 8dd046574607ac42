"""What an order is bought from: the offer that stands for its bundle now, at what it costs now.

An order keeps the price its customer saw and, unless its agent says otherwise, what it costs its
agent. Which product the supplier is asked for, and what that costs us, is known only when it is
bought.
"""

from __future__ import annotations

from sqlalchemy import select

from core import catalog
from core.audit import WORKER
from core.base import money
from core.base.db import db
from core.base.preconditions import inside_use_case
from core.catalog import Bundle, SupplierOffer
from core.catalog.newest import Wording
from core.orders import refusals
from core.orders.model import Order
from core.orders.states import WAIT_TEXT
from core.orders.timeline import log


def why_not(order: Order, bundle: Bundle) -> str | None:
    """Why this order must not be bought now: a key of `WAIT_TEXT`, or None."""
    if bundle.unlisted_since is not None or not bundle.active:
        return "unlisted"
    return "cost" if bundle.cost_pesewas >= order.agent_price_pesewas else None


def look(order: Order) -> str | None:
    """`why_not` by the catalogue as it stands, without a lock: a claim asks again under its own."""
    return why_not(
        order, db.session.get_one(Bundle, order.bundle_id, populate_existing=True)
    )


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


def settle(order: Order, bundle: Bundle) -> bool:
    """Inside a claim, order and bundle locked: name the offer and its cost. False when it must
    wait; it says why then."""
    reason = why_not(order, bundle)
    if reason is not None:
        if order.wait_reason != reason:
            order.wait_reason = reason
            order.version += 1
            log(order, WORKER, "wait", f"Waiting: {WAIT_TEXT[reason]}.")
        return False
    offer = db.session.scalars(
        select(SupplierOffer).where(SupplierOffer.id == bundle.offer_id)
    ).one()
    order.product_name = offer.product_name
    order.capacity = offer.capacity
    order.cost_pesewas = bundle.cost_pesewas
    return True


def wording(order: Order) -> Wording:
    """By which product, size and network the order was asked for at the supplier."""
    return Wording(order.network, order.mb, order.product_name, order.capacity)


def was_refused(order: Order) -> bool:
    """Whether the supplier has said, of this or another order, that it does not sell what this one
    asked for."""
    return catalog.is_refused(wording(order))


@inside_use_case
def hold_bundles(orders: list[Order]) -> dict[int, Bundle]:
    """The bundles of locked orders, kept from changing until the use case ends."""
    return catalog.hold({order.bundle_id for order in orders})
