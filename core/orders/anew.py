"""A new order of what an earlier one was for, paid by money that came too late for that: same
bundle, same number, priced as it was paid, at what the bundle costs now."""

from __future__ import annotations

from sqlalchemy import select

from core import availability, catalog
from core.audit import SYSTEM
from core.base import clock, money
from core.base.db import db
from core.base.language import later
from core.base.preconditions import inside_use_case
from core.catalog import Bundle, SupplierOffer
from core.orders import refusals
from core.orders.codes import new_code, new_order_ref
from core.orders.model import Order
from core.orders.timeline import log


def refuse(old: Order, price_pesewas: int, net_pesewas: int) -> None:
    """Raise `refusals.OrderRefused` when what `old` was for cannot be delivered now for this price,
    of which so much is left after the gateway's fee."""
    if old.state not in ("expired", "cancelled"):
        raise refusals.WrongState("This order goes its own way: give the money back.")
    if old.is_masked:
        raise refusals.WrongState(
            "Its number is not known any more: give the money back."
        )
    bundle = catalog.by_id(old.bundle_id)
    if bundle is None or not bundle.is_sold:
        raise refusals.NotListed(
            f"{old.bundle_text} is not offered now. Wait for it, or give the money back."
        )
    cost = bundle.agent_price_pesewas
    if cost > net_pesewas or bundle.cost_pesewas >= price_pesewas:
        raise refusals.CostAbovePrice(
            f"{money.cedis(net_pesewas)} came in after the fee, and {old.bundle_text} costs"
            f" {money.cedis(cost)} now. Give the money back."
        )
    stop = availability.now().holds_up(old.network, old.bundle_id)
    if stop is not None:
        raise refusals.NotBuyable(
            stop,
            f"{stop.to_customer} Wait until it can be bought, or give the money back.",
        )


@inside_use_case
def make(old: Order, price_pesewas: int, key: str) -> Order:
    """The new order, waiting for the payment that is there. `key` names that payment: the database
    takes it once. Ask `refuse` first."""
    bundle, product_name, capacity = db.session.execute(
        select(Bundle, SupplierOffer.product_name, SupplierOffer.capacity)
        .join(SupplierOffer, SupplierOffer.id == Bundle.offer_id)
        .where(Bundle.id == old.bundle_id)
    ).one()
    now = clock.now()
    order = Order(
        store_id=old.store_id,
        code=new_code(),
        order_ref=new_order_ref(),
        idempotency_key=key,
        source=old.source,
        customer_name=old.customer_name,
        recipient_msisdn=old.recipient_msisdn,
        network=old.network,
        mb=old.mb,
        validity=old.validity,
        bundle_id=old.bundle_id,
        product_name=product_name,
        capacity=capacity,
        paid_online=True,
        price_pesewas=price_pesewas,
        agent_price_pesewas=bundle.agent_price_pesewas,
        cost_pesewas=bundle.cost_pesewas,
        state="awaiting_payment",
        created_at=now,
        pending_since=now,
    )
    db.session.add(order)
    db.session.flush()
    log(
        order,
        SYSTEM,
        "placed",
        f"Made anew of {old.shown_code}, whose payment came late.",
        customer_text=later("Ordered"),
    )
    return order
