"""What each posting word of the state table books for one order."""

from __future__ import annotations

from dataclasses import dataclass

from core import ledger, online
from core.audit import Actor
from core.base import money
from core.orders.model import Order
from core.orders.timeline import log, open_case


@dataclass(frozen=True)
class News:
    """What a supplier said about an order. Amounts in pesewas."""

    raw_status: str | None = None
    supplier_ref: str | None = None
    amount_pesewas: int | None = None
    failure_reason: str | None = None
    money_back: bool = False
    """The supplier said that it gave the money back (reversed, refunded)."""


NOTHING = News()


def _hold(order: Order, actor: Actor, _news: News) -> None:
    if order.paid_online:
        online.hold(order, actor)
        return
    ledger.hold(order, order.agent_price_pesewas, actor)


def _commit(order: Order, actor: Actor, news: News) -> None:
    number = ledger.next_commit(order.id)
    if number is None:
        return
    order.charged_pesewas = (
        news.amount_pesewas if news.amount_pesewas is not None else order.cost_pesewas
    )
    ledger.commit(order, order.charged_pesewas, number, actor)


def _capture(order: Order, actor: Actor, _news: News) -> None:
    charged = (
        order.charged_pesewas
        if order.charged_pesewas is not None
        else order.cost_pesewas
    )
    if order.paid_online:
        online.capture(
            order,
            cost_pesewas=order.cost_pesewas,
            charged_pesewas=charged,
            actor=actor,
        )
        if lost := online.bear_at_delivery(order, actor):
            borne = f"The store bears {money.cedis(lost)} of it."
            said = f"Its payment was taken back by a dispute. {borne}"
            log(order, actor, "payment", said)
        return
    ledger.capture(
        order,
        agent_price_pesewas=order.agent_price_pesewas,
        cost_pesewas=order.cost_pesewas,
        charged_pesewas=charged,
        actor=actor,
    )


def _release(order: Order, actor: Actor, _news: News) -> None:
    if order.paid_online:
        online.release(order, actor)
        return
    ledger.release(order, order.agent_price_pesewas, actor)


def _owe(order: Order, actor: Actor, _news: News) -> None:
    if order.paid_online:
        online.owe_of_order(order, actor)


def _supplier_refund(order: Order, actor: Actor, news: News) -> None:
    if not ledger.commit_is_open(order.id):
        return
    if news.money_back and order.charged_pesewas is not None:
        ledger.supplier_refund(
            order,
            order.charged_pesewas,
            ledger.count(order.id, "supplier_refund") + 1,
            actor,
        )
        return
    open_case(
        order,
        "supplier_money",
        {"charged_pesewas": order.charged_pesewas, "reason": order.failure_reason},
    )


BOOK = {
    "hold": _hold,
    "commit_if_none_open": _commit,
    "capture": _capture,
    "release": _release,
    "owe_if_paid": _owe,
    "supplier_refund_if_seen": _supplier_refund,
}
