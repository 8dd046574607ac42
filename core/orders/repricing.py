"""Processing a pending order whose cost has risen, once, at what its bundle costs the agent now.

The agent says so knowing the figure, and by name when it is more than the customer pays. The new
price is set by a function of the database from the bundle itself: a store may not say what it pays.
"""

from __future__ import annotations

from sqlalchemy import func, select

from core import availability, catalog
from core.audit import Actor
from core.base import clock, money
from core.base.db import db, transaction
from core.orders import refusals, releasing, sourcing
from core.orders.model import Order
from core.orders.placing import refuse_paused
from core.orders.states import AGENT_LABELS
from core.orders.timeline import log


def price_now(order: Order) -> int | None:
    """What a pending order would cost its agent now, in pesewas, where that is more; None when it
    can go as it is, or cannot go at all."""
    bundle = catalog.by_id(order.bundle_id)
    if (
        order.state != "pending"
        or order.is_test
        or order.repriced_at is not None
        or bundle is None
        or not bundle.is_sold
    ):
        return None
    risen = sourcing.why_not(order, bundle) == "cost"
    return bundle.agent_price_pesewas if risen else None


def process_at(
    code: str,
    actor: Actor,
    agent_price_pesewas: int,
    loss_pesewas: int = 0,
) -> Order:
    """Process a pending order at the agent price the page showed; `loss_pesewas` is the loss the
    agent accepts.

    One transaction with the hold. Where the cost is back, it is processed at its own price. Pressed
    twice it is done once. Raises `refusals.OrderRefused`.
    """
    with transaction() as session:
        order = releasing.locked_by_code(code)
        if order.was_processed:
            return order
        if order.is_test:
            raise refusals.WrongState(
                "This is a test order: it costs nothing to process."
            )
        if order.state != "pending":
            raise refusals.WrongState(
                f"This order is {AGENT_LABELS[order.state].lower()}: it cannot be processed."
            )
        now = availability.now()
        refuse_paused(order.network, now)
        bundle = catalog.hold([order.bundle_id])[order.bundle_id]
        if sourcing.why_not(order, bundle) != "cost" or not bundle.is_sold:
            sourcing.refuse(order, bundle)
            releasing.put_in_line(
                order,
                actor,
                f"{actor.name} confirmed the payment and processed it.",
                now,
            )
            return order
        new_pesewas = bundle.agent_price_pesewas
        old_pesewas = order.agent_price_pesewas
        if new_pesewas != agent_price_pesewas:
            raise refusals.StalePrice(new_pesewas)
        loss = max(new_pesewas - order.price_pesewas, 0)
        if loss > loss_pesewas:
            raise refusals.LossNotAccepted(loss)
        session.flush()
        if not db.session.scalar(
            select(func.makola_reprice(order.id, new_pesewas, clock.now()))
        ):
            raise refusals.StalePrice(new_pesewas)
        session.refresh(order)
        said = (
            f"{actor.name} processes it at the new cost: {money.cedis(new_pesewas)} instead of"
            f" {money.cedis(old_pesewas)}"
        )
        log(
            order,
            actor,
            "repriced",
            f"{said}, at a loss of {money.cedis(loss)}." if loss else f"{said}.",
            detail={
                "from_pesewas": old_pesewas,
                "to_pesewas": new_pesewas,
                "loss_pesewas": loss,
            },
        )
        releasing.put_in_line(
            order, actor, f"{actor.name} confirmed the payment and processed it.", now
        )
        return order
