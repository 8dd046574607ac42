"""The first page of an agent: numbers that need him, each a link; today's sales; the store's link
to share.

Decides what is worth a place on that page. Leaves counting the queue to `core.orders` and the
wallet to `core.ledger`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import g, render_template, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import func, select

from agent_portal import bp, standing
from core import catalog, ledger
from core.base import clock
from core.base.db import db
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
    counts = standing.counts()
    wallet = ledger.wallet()
    return render_template(
        "portal/home.html",
        counts=counts,
        wallet=wallet,
        today=sales_since(clock.accra_midnight()),
        steps=first_steps(counts, wallet),
        **standing.notes(),
        shelf=catalog.notices(),
    )


def sales_since(moment: datetime) -> Sales:
    """What was delivered since `moment` in the current store."""
    delivered = Order.state == "completed"
    profit = Order.price_pesewas - Order.agent_price_pesewas
    row = db.session.execute(
        # by when it ended: by its state, a plan for any store reads all that were ever delivered
        select(
            func.count().filter(delivered),
            func.coalesce(func.sum(Order.price_pesewas).filter(delivered), 0),
            func.coalesce(func.sum(profit).filter(delivered), 0),
        ).where(Order.completed_at >= moment, Order.final_at >= moment)
    ).one()
    return Sales(*(int(number) for number in row))


def first_steps(counts: dict[str, int], wallet: ledger.Wallet) -> list[dict[str, Any]]:
    """What a new store still has to do before its first sale; empty once an order was delivered."""
    if db.session.scalar(select(Order.id).where(Order.state == "completed").limit(1)):
        return []
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
