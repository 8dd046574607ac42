"""Orders that nobody could send now, by what `core.buying` answers and by the catalogue: what people read of them."""

from __future__ import annotations

from core import catalog, clock
from core.buying import Now
from core.orders import sourcing
from core.orders.model import Order
from core.orders.placing import refuse_paused
from core.orders.refusals import Refused
from core.phones import NETWORKS
from core.stores import Store


def for_customer(order: Order, store: Store, now: Now) -> str:
    """For the customer of an order that nobody could send now: why, since when, and what to do; empty otherwise."""
    stop = now.holds_up(order.network, order.bundle_id)
    if stop is None:
        return _by_catalogue(order, store)
    if order.state == "pending":
        return (
            f"{stop.to_customer} Please do not pay yet: this page says when you can. If you have paid already, nothing "
            f"is lost, and {store.name} sends it when it goes on."
        )
    if order.state != "queued" or (stop.reason == "float" and order.wait_reason != "float"):
        return ""
    why = (
        f"It has been waiting for new stock since {clock.shown(stop.since)}."
        if stop.reason == "float"
        else stop.to_customer
    )
    return f"Accepted. {why} It is sent by itself when that is over."


def may_pay(order: Order, now: Now) -> bool:
    """Whether the customer of a pending order may be asked for money."""
    return now.holds_up(order.network, order.bundle_id) is None and _trouble(order) is None


def for_agent(order: Order, now: Now) -> str:
    """Why *Process* would be refused for a pending order whatever its wallet holds, as a sentence; empty when it would not."""
    bundle = catalog.by_id(order.bundle_id)
    if order.state != "pending" or bundle is None:
        return ""
    try:
        refuse_paused(order.network, now)
        sourcing.refuse(order, bundle)
    except Refused as refusal:
        return refusal.sentence
    return ""


def _by_catalogue(order: Order, store: Store) -> str:
    reason, name = _trouble(order), f"{NETWORKS[order.network].name} {order.size_text}"
    if reason is None:
        return ""
    why = (
        f"{name} is not offered at the moment."
        if reason == "unlisted"
        else f"The network’s price for {name} has risen."
    )
    if order.state == "queued":
        return f"Accepted. {why} {store.name} sends it when that is over, or gives your money back."
    return (
        f"{why} Please do not pay now: ask {store.name} first. If you have paid already, nothing is lost: {store.name} "
        "sends it when that is over, or gives your money back."
    )


def _trouble(order: Order) -> str | None:
    """Why the catalogue keeps an order from being sent. A risen cost that the customer's price still covers is no trouble
    of a pending one: its agent decides.
    """
    bundle = catalog.by_id(order.bundle_id) if order.state in ("pending", "queued") else None
    reason = sourcing.why_not(order, bundle) if bundle is not None else None
    if reason == "cost" and bundle is not None and order.state == "pending" and bundle.is_sold:
        return reason if bundle.agent_price_pesewas > order.price_pesewas else None
    return reason
