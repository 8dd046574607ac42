"""A refund's row, locked, and whether a dispute keeps it back."""

from __future__ import annotations

from sqlalchemy import select

from core import cases
from core.base.db import db
from core.base.preconditions import inside_use_case
from core.online.model import GatewayRefund, OnlinePayment
from core.online.paying_back import is_disputed
from core.online.standing import locked, locked_payment


class NoSuchRefund(Exception):
    """There is no refund of that number."""


@inside_use_case
def locked_refund(refund_id: int) -> GatewayRefund:
    """A refund, locked after its payment."""
    payment_id = db.session.scalar(
        select(GatewayRefund.payment_id).where(GatewayRefund.id == refund_id)
    )
    if payment_id is None:
        raise NoSuchRefund
    locked_payment(payment_id)
    return locked(GatewayRefund, refund_id)


def is_held_back(payment: OnlinePayment) -> bool:
    """Whether its payer may get the money by a dispute."""
    return cases.is_open("payment_disputed", payment.subject) or is_disputed(payment.id)
