"""Orders that nobody could send now, by what `core.buying` answers: what their customers read."""

from __future__ import annotations

from core import clock
from core.buying import Now
from core.orders.model import Order
from core.stores import Store


def for_customer(order: Order, store: Store, now: Now) -> str:
    """For the customer of an order that nobody could send now: why, since when, and what to do; empty otherwise."""
    stop = now.holds_up(order.network, order.bundle_id)
    if stop is None:
        return ""
    if order.state == "pending":
        return (
            f"{stop.to_customer} Please do not pay yet: this page says when you can. If you have paid already, nothing "
            f"is lost, and {store.name} sends it when it goes on."
        )
    if order.state != "queued" or (stop.reason == "float" and order.wait_reason != "float"):
        return ""
    why = f"It waits for new stock since {clock.shown(stop.since)}." if stop.reason == "float" else stop.to_customer
    return f"Accepted. {why} It is sent by itself when that is over."
