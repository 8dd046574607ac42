"""Whether several purchases go out in one call, and which (`MAKOLA_BULK=auto`).

Worth it only when calls are scarcer than orders: ten or more are due and the window has fewer calls
left than that. Never for an order that was ever unclear: it is asked for once more first, alone.
Each line keeps its own reference, attempt, lease and outcome, so nothing here weakens what protects
one order.
"""

from __future__ import annotations

from itertools import accumulate

from core import catalog, orders
from core.base import clock, config, tenancy
from core.orders import Order
from core.reconcile import Standing
from core.supplier import budget
from fulfilment.buying import balance
from integrations.ports import Supplier


def companions(order: Order, supplier: Supplier, found: Standing) -> list[Order]:
    """The orders to buy in one call with `order`, oldest first; none when it goes alone. The
    wallet's turn is held. `found`: what was read of the float just now."""
    settings = config.current()
    if settings.bulk != "auto" or order.ever_unknown:
        return []
    with tenancy.across_stores():
        link = found.link
        if link.bulk_off_until is not None and link.bulk_off_until > clock.now():
            return []
        paused = catalog.paused_networks()
        due = [
            one
            for one in orders.ready_to_buy(settings.rate_calls + 1)
            if one.id != order.id and one.network not in paused
        ]
        calls_left = budget.room(link)["purchase"]
    is_scarce = 0 < calls_left <= len(due)
    if len(due) + 1 < settings.bulk_lines or not is_scarce:
        return []
    return _affordable(order, due[: settings.bulk_lines - 1], supplier, found)


def _affordable(
    order: Order,
    chosen: list[Order],
    supplier: Supplier,
    found: Standing,
) -> list[Order]:
    """As many of `chosen`, oldest first, as the float pays for along with `order`."""
    costs = (one.cost_pesewas for one in chosen)
    totals = list(accumulate(costs, initial=order.cost_pesewas))
    for total in reversed(totals):
        if not balance.too_low_for(total, supplier, found):
            return chosen
        found = balance.told_since(found)
        chosen = chosen[:-1]
    return []
