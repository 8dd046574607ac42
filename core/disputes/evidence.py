"""The evidence of a dispute, generated from what is on record and never typed: what was ordered,
paid, bought and delivered, when, and what its customer did. Numbers are masked; the gateway gets
the order's own one beside it, as far as it is still known, since a bank compares it. Device and
address of who ordered are not in it: they are forgotten once an order is paid."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from core.base import clock, config, money, phones
from core.base.db import db
from core.disputes.rows import Found
from core.online import GatewayRefund, OnlinePayment
from core.orders import Order, OrderEvent

_MOST_CLICKS = 12
NO_NUMBER = "none on record"


def generated(found: Found) -> dict[str, Any]:
    """The pack: `lines` as [what, words], and what the gateway asks for by name. JSON."""
    order, payment = found.order, found.payment
    lines = [*_of_order(order), *_of_payment(payment), *_of_delivery(order)]
    lines += [*_of_refunds(payment), *_of_customer(order)]
    return {"lines": lines, **_by_name(order, payment), "made_at": _at(clock.now())}


def text_of(pack: dict[str, Any]) -> str:
    """The pack as the gateway gets it in one field."""
    return "\n".join(f"{what}: {words}" for what, words in pack["lines"])


def is_delivered(order: Order | None) -> bool:
    """Whether there is a delivery to show."""
    return order is not None and order.state == "completed"


def _of_order(order: Order | None) -> list[list[str]]:
    if order is None:
        return [["Paid for", "wallet money of a store, used by itself"]]
    number = phones.mask(order.recipient_msisdn)
    return [
        ["Order", order.shown_code],
        ["Ordered", f"{order.bundle_text}, for {number}"],
        ["Price", money.cedis(order.price_pesewas)],
        ["Ordered at", _at(order.created_at)],
    ]


def _of_payment(payment: OnlinePayment) -> list[list[str]]:
    lines = [["Payment", payment.reference]]
    if payment.charged_pesewas is not None and payment.paid_at is not None:
        way = f" by {payment.channel.replace('_', ' ')}" if payment.channel else ""
        amount = money.cedis(payment.charged_pesewas)
        lines.append(["Paid", f"{amount} online{way}, seen at {_at(payment.paid_at)}"])
    if payment.funded_at is not None:
        lines.append(["In the wallet at", _at(payment.funded_at)])
    return lines


def _of_delivery(order: Order | None) -> list[list[str]]:
    if order is None:
        return []
    lines = []
    if order.submitted_at is not None:
        lines.append(["Bought at", _at(order.submitted_at)])
    if order.supplier_ref:
        lines.append(["Supplier's reference", order.supplier_ref])
    if order.processing_at is not None:
        lines.append(["Accepted by the supplier at", _at(order.processing_at)])
    if order.completed_at is not None:
        number = phones.mask(order.recipient_msisdn)
        lines.append(["Delivered at", f"{_at(order.completed_at)}, to {number}"])
    elif order.is_final:
        lines.append(["Delivered", "no: the order ended without delivery"])
    else:
        lines.append(["Delivered", "not yet: the order is under way"])
    return lines


def _of_refunds(payment: OnlinePayment) -> list[list[str]]:
    done = db.session.scalars(
        select(GatewayRefund)
        .where(GatewayRefund.payment_id == payment.id, GatewayRefund.state == "done")
        .order_by(GatewayRefund.n)
    )
    return [
        ["Given back", f"{money.cedis(one.amount_pesewas)} at {_at(one.ended_at)}"]
        for one in done
    ]


def _of_customer(order: Order | None) -> list[list[str]]:
    """What its customer did on the order's page, as its timeline has it."""
    if order is None:
        return []
    events = db.session.scalars(
        select(OrderEvent)
        .where(OrderEvent.order_id == order.id, OrderEvent.who == "customer")
        .order_by(OrderEvent.id)
        .limit(_MOST_CLICKS)
    )
    return [
        ["The customer", f"{_at(event.at)}: {phones.hide(event.text)}"]
        for event in events
    ]


def _by_name(order: Order | None, payment: OnlinePayment) -> dict[str, str]:
    domain = config.current().base_domain
    code = order.code if order is not None else payment.reference
    number = order.recipient_msisdn if order is not None else ""
    delivered = order.completed_at if order is not None else None
    return {
        "email": f"c{code.lower()}@pay.{domain}",
        "name": (order.customer_name if order is not None else "")
        or f"Customer of {code}",
        "phone": phones.local(number) if number else NO_NUMBER,
        "delivered_on": delivered.astimezone(clock.ACCRA).date().isoformat()
        if delivered
        else "",
    }


def kept(pack: dict[str, Any]) -> dict[str, Any]:
    """What stays of a pack once its dispute is over: neither name nor whole number."""
    if not pack.get("phone"):
        return pack
    return {**pack, "phone": phones.hide(pack["phone"]), "name": ""}


def _at(moment: Any) -> str:
    return f"{moment.astimezone(clock.ACCRA):%d %b %Y %H:%M}" if moment else "no time"
