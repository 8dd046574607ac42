"""What each verdict about a payment does: under the locks of its order and then of itself, inside
the use case that judged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import select

from core import availability, cases, online, orders
from core.audit import SYSTEM
from core.base import clock, money
from core.base.db import db
from core.base.preconditions import inside_use_case
from core.online import OnlinePayment, Verdict, Verified
from core.online.model import MOST_ID
from core.orders import Order, releasing
from core.orders.timeline import log


@inside_use_case
def do(verdict: Verdict, payment: OnlinePayment, order: Order, found: Verified) -> None:
    """Do what this verdict asks for, if it asks for anything."""
    if deed := _DEEDS.get(verdict):
        deed(payment, order, found)


@inside_use_case
def tell(order: Order, text: str, *, kind: str = "payment") -> None:
    """A line of the timeline, and pages of the order are drawn anew."""
    log(order, SYSTEM, kind, text)
    order.version += 1


@inside_use_case
def watch_others(payment: OnlinePayment, order: Order) -> None:
    """Its customer is at this attempt now, or needs none any more: others are watched on."""
    for other in online.of_order(order.id):
        if other.id != payment.id and other.state in online.OPEN:
            other.state = "watched"
    db.session.flush()


def _accept(payment: OnlinePayment, order: Order, found: Verified) -> None:
    """It pays its order, which goes on by itself."""
    _pay_in(payment, found, pays=order)
    watch_others(payment, order)
    paid = f"{_amount(found)} paid online, reference {payment.reference}."
    moved = orders.advance(order.id, "pending", text=paid, actor=SYSTEM)
    assert moved, "an order that waits for its payment"
    releasing.put_in_line(
        order, SYSTEM, "Paid: it goes on by itself.", availability.now()
    )


@inside_use_case
def know(payment: OnlinePayment, found: Verified) -> None:
    """What the gateway's record of a payment says that was not known before."""
    if payment.gateway_id is None and (found.gateway_id or MOST_ID + 1) <= MOST_ID:
        payment.gateway_id = found.gateway_id
    if payment.fees_pesewas is None and found.fees_pesewas is not None:
        online.fee_found(payment, found.fees_pesewas, SYSTEM)


def _know(payment: OnlinePayment, _order: Order, found: Verified) -> None:
    know(payment, found)


def _fail(payment: OnlinePayment, order: Order, found: Verified) -> None:
    if payment.state not in online.OPEN:
        return
    payment.state, payment.failed_at = "failed", clock.now()
    why = f": {found.reason}" if found.reason else ""
    tell(order, f"The payment did not go through{why}.")


def _come_late(payment: OnlinePayment, order: Order, found: Verified) -> None:
    """What becomes of the money is a person's word: the case offers to owe it back."""
    _pay_in(payment, found)
    ask_person("paid_late", payment, order, found)


def _come_twice(payment: OnlinePayment, order: Order, found: Verified) -> None:
    _pay_in(payment, found)
    online.owe(payment, SYSTEM)
    ask_person("paid_twice", payment, order, found)


def _come_short(payment: OnlinePayment, order: Order, found: Verified) -> None:
    _pay_in(payment, found)
    online.owe(payment, SYSTEM)
    ask_person("paid_short", payment, order, found)


def _refuse(payment: OnlinePayment, order: Order, found: Verified) -> None:
    """No money of ours: nothing is booked."""
    if payment.state != "refused":
        payment.state, payment.ended_at = "refused", clock.now()
        ask_person("paid_unfit", payment, order, found)


def _see_reversed(payment: OnlinePayment, order: Order, found: Verified) -> None:
    """Unless a refund of ours did it, or a dispute that is looked after."""
    if payment.state == "paid":
        know(payment, found)
    if payment.state == "paid" and not online.left(payment):
        return  # all of it is booked as gone
    if not has_refund(payment) and not _is_disputed(payment):
        ask_person("payment_reversed", payment, order, found)


def _is_disputed(payment: OnlinePayment) -> bool:
    of_it = select(online.Dispute.id).where(
        online.Dispute.payment_id == payment.id, online.Dispute.gateway_id.is_not(None)
    )
    return db.session.scalar(of_it.limit(1)) is not None


def _see_odd(payment: OnlinePayment, order: Order, found: Verified) -> None:
    ask_person("payment_odd", payment, order, found)


_DEEDS: dict[Verdict, Callable[[OnlinePayment, Order, Verified], None]] = {
    "accept": _accept,
    "known": _know,
    "failed": _fail,
    "late": _come_late,
    "double": _come_twice,
    "short": _come_short,
    "unfit": _refuse,
    "reversed": _see_reversed,
    "unreadable": _see_odd,
}


def has_refund(payment: OnlinePayment) -> bool:
    """Whether a refund of ours may have taken a payment back."""
    is_ours = select(online.GatewayRefund.id).where(
        online.GatewayRefund.payment_id == payment.id,
        online.GatewayRefund.state.in_(("submitting", "open", "done")),
    )
    return db.session.scalar(is_ours.limit(1)) is not None


@inside_use_case
def noted(payment: OnlinePayment, found: Verified) -> tuple[int, int | None]:
    """What was charged of a payment that succeeded, and its fees if they are known; how it was paid
    is kept with it."""
    charged = found.charged_pesewas or 0
    fees = found.fees_pesewas
    if fees is not None and fees > charged:
        fees = None  # nobody keeps more than there is: it is asked for again
    payment.channel = found.channel[:40] or None
    if found.gateway_id is not None and found.gateway_id <= MOST_ID:
        payment.gateway_id = found.gateway_id
    return charged, fees


def _pay_in(payment: OnlinePayment, found: Verified, pays: Order | None = None) -> None:
    charged, fees = noted(payment, found)
    online.pay_in(payment, charged, fees, SYSTEM, pays)


@inside_use_case
def ask_person(
    kind: str, payment: OnlinePayment, order: Order | None, found: Verified
) -> None:
    """A case of its own for each payment, said on its order's timeline once. No order: it was to go
    into a wallet."""
    evidence: dict[str, Any] = {
        "payment": payment.reference,
        "asked_pesewas": payment.amount_pesewas,
        "paid_pesewas": found.charged_pesewas,
        "requested_pesewas": found.requested_pesewas,
        "currency": found.currency,
        "world": found.mode,
        "gateway_says": found.raw_word,
    }
    if order is not None:
        evidence["order_is"] = order.state
    is_new = not cases.is_open(kind, payment.subject)
    cases.open_case(
        kind,
        payment.subject,
        evidence,
        store_id=payment.store_id,
        order_id=payment.order_id,
    )
    if is_new and order is not None:
        tell(order, f"A person will look at this: {cases.KINDS[kind]}.", kind="case")


def _amount(found: Verified) -> str:
    return money.cedis(found.charged_pesewas or 0)
