"""The first page of an agent: numbers that need him, each a link; today's sales; the store's link
to share.

Decides what is worth a place on that page. Leaves counting the queue to `core.orders` and the
wallet to `core.ledger`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from flask import g, render_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import bindparam, func, select

from agent_portal import bp, standing
from core import catalog, ledger, queue_view
from core.base import clock, round_trip, tenancy
from core.base.asks import Ask
from core.orders import Order


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
    stands, (sales, delivered, noticed) = queue_view.standing(
        tenancy.current_store_id(), _asks(), since=clock.accra_midnight()
    )
    standing.keep(stands)
    return render_template(
        "portal/home.html",
        counts=stands.counts,
        today=Sales(*(int(number) for number in sales[0])),
        steps=[] if delivered else first_steps(stands.counts, stands.wallet),
        **standing.notes(stands.now),
        shelf=catalog.notices_by(noticed),
    )


@cache
def _asks() -> list[Ask]:
    """What was delivered since a moment, whether anything ever was, and what of the shelf there is
    to say."""
    ours = Order.store_id == queue_view.STORE_ID
    delivered = Order.state == "completed"
    since = bindparam("since", type_=Order.final_at.type)
    profit = Order.price_pesewas - Order.agent_price_pesewas
    # by when it ended: by its state, a plan for any store reads all that were ever delivered
    sales = select(
        func.count().filter(delivered),
        func.coalesce(func.sum(Order.price_pesewas).filter(delivered), 0),
        func.coalesce(func.sum(profit).filter(delivered), 0),
    ).where(ours, Order.completed_at >= since, Order.final_at >= since)
    ever = select(Order.id).where(ours, delivered).limit(1)
    noticed = catalog.noticed_in(queue_view.STORE_ID)
    return list(map(round_trip.ask, (sales, ever, noticed)))


def first_steps(counts: dict[str, int], wallet: ledger.Wallet) -> list[dict[str, Any]]:
    """What a new store still has to do before its first sale."""
    shelf = catalog.shelf()
    return [
        {
            "done": g.store.is_open,
            "text": "Your store is open",
            "link": None,
            "do": "Ask the platform’s owner to open it",
        },
        {
            "done": bool(shelf),
            "text": "Your prices are set",
            "link": url_for(".prices"),
            "do": "Set your prices",
        },
        {
            "done": bool(wallet.available_pesewas + wallet.held_pesewas),
            "text": "Your wallet has money",
            "link": url_for(".wallet", _anchor="fund"),
            "do": "Fund your wallet",
        },
        {
            "done": any(counts.values()),
            "text": "Your first order came in",
            "link": "#share",
            "do": "Share your store’s link",
        },
    ]
