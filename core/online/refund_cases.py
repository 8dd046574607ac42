"""What of a refund asks for a person: a case of its payment, and a number that cannot be kept."""

from __future__ import annotations

from typing import Any

from core import cases
from core.base import clock, config
from core.base.db import db
from core.base.preconditions import inside_use_case
from core.online.model import MOST_ID, GatewayRefund, OnlinePayment

_DIGITS = 40


@inside_use_case
def ask(kind: str, refund: GatewayRefund, why: str, **more: Any) -> None:
    """Have a person look at a refund; `why` is what the gateway says."""
    payment = db.session.get_one(OnlinePayment, refund.payment_id)
    cases.open_case(
        kind,
        payment.subject,
        {
            "payment": payment.reference,
            "refund": f"{refund.n}",
            "amount_pesewas": refund.amount_pesewas,
            "gateway_says": why,
            **more,
        },
        store_id=refund.store_id,
        order_id=payment.order_id,
    )


@inside_use_case
def ask_when_late(refund: GatewayRefund, why: str) -> None:
    """One that stays on its way for longer than the gateway may take. It is looked at as before;
    nothing is sent again."""
    age = clock.now() - (refund.sent_at or refund.asked_at)
    if refund.state != "open" or age < clock.delta(config.current().refund_late_s):
        return
    payment = db.session.get_one(OnlinePayment, refund.payment_id)
    if not cases.is_open("refund_late", payment.subject):
        ask("refund_late", refund, why)


def number(said: str) -> int | None:
    """The gateway's number of a refund, by which it is asked for again; None for one that cannot be
    kept."""
    if not (said.isascii() and said.isdecimal() and len(said) < _DIGITS):
        return None
    return int(said) if int(said) <= MOST_ID else None
