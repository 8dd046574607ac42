"""The first page of an agent: numbers that need him, each a link; today's sales; the store's link
to share.

Decides what is worth a place on that page: of a store that is not open yet its shelf and what it
still needs. Leaves counting the queue to `core.orders`, what is needed to `core.requirements`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from flask import g, render_template
from flask.typing import ResponseReturnValue
from sqlalchemy import bindparam, func, select

from agent_portal import bp, news, standing
from core import catalog, orders, queue_view, requirements
from core.base import clock, phones, round_trip, tenancy
from core.base.asks import Ask
from core.online import wallet_debts
from core.orders import Order
from core.orders.real import REAL


@dataclass(frozen=True)
class Sales:
    """Delivered orders since a moment: how many, what customers paid, what the agent earned, in
    pesewas."""

    count: int
    amount_pesewas: int
    profit_pesewas: int


@bp.get("/")
def home() -> ResponseReturnValue:
    """The home page: figures of the day, and what waits for the agent."""
    stands, (sales, (ever,), noticed) = queue_view.standing(
        tenancy.current_store_id(), _asks(), since=clock.accra_midnight()
    )
    standing.keep(stands)
    is_asked = not (ever.delivered and g.store.is_open)
    needed = requirements.of_store(g.store.id) if is_asked else ()
    return render_template(
        "portal/home.html",
        counts=stands.counts,
        today=Sales(*(int(number) for number in sales[0])),
        needed=needed,
        missing=requirements.missing(needed),
        has_orders=ever.ordered,
        unread=news.unread(stands) if ever.ordered else 0,
        shop=_shop() if not (g.store.is_open or ever.ordered) else [],
        owes=orders.debts.sentence_of(int(ever.owed)),
        **standing.notes(stands.now),
        shelf=catalog.notices_by(noticed),
    )


def _shop() -> list[tuple[str, list[catalog.ShelfLine]]]:
    """The shelf as customers will see it, by network."""
    lines = catalog.shelf()
    return [
        (key, own)
        for key in phones.NETWORKS
        if (own := [line for line in lines if line.network == key])
    ]


@cache
def _asks() -> list[Ask]:
    """What was delivered since a moment, whether anything ever was, or was ordered, and what of the
    shelf there is to say; of real orders. And what the store owes."""
    ours = Order.store_id == queue_view.STORE_ID
    delivered = Order.state == "completed"
    since = bindparam("since", type_=Order.final_at.type)
    profit = Order.price_pesewas - Order.agent_price_pesewas
    # by when it ended: by its state, a plan for any store reads all that were ever delivered
    sales = select(
        func.count().filter(delivered),
        func.coalesce(func.sum(Order.price_pesewas).filter(delivered), 0),
        func.coalesce(func.sum(profit).filter(delivered), 0),
    ).where(ours, REAL, Order.completed_at >= since, Order.final_at >= since)
    ordered = select(Order.id).where(ours, REAL)
    ever = select(
        ordered.where(delivered).exists().label("delivered"),
        ordered.exists().label("ordered"),
        wallet_debts.owed_in(queue_view.STORE_ID).scalar_subquery().label("owed"),
    )
    noticed = catalog.noticed_in(queue_view.STORE_ID)
    return list(map(round_trip.ask, (sales, ever, noticed)))
