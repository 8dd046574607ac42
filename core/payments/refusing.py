"""When a message may not be matched with an order, or taken from it: the sentences that say so."""

from __future__ import annotations

from sqlalchemy import select

from core.base.db import db
from core.base.refusal import Refusal
from core.orders import Order
from core.payments.model import PaymentMessage

PAYABLE = ("pending", "cancelled", "expired")
"""States in which a matched payment says something new: to be processed, or to be given back."""


class NotMatched(Refusal):
    """A message cannot be matched so; `sentence` says why, and what to do."""


class NoSuchMessage(NotMatched):
    """No message of this id in this store."""

    sentence = "There is no such message in your store."


def refuse(message: PaymentMessage, order: Order) -> None:
    if not message.is_in:
        raise NotMatched("This message is about money that went out.")
    if message.order_id is not None:
        raise NotMatched(
            "This message pays another order already. One payment is for one order: take that"
            " back first, if it was a mistake."
        )
    if _is_used(message):
        raise NotMatched(
            "The same transaction pays an order already, by a message with another amount or"
            " balance. Take that back first, if it was not true."
        )
    if order.is_test:
        raise NotMatched("This is a test order: no payment is for it.")
    if order.state == "awaiting_payment":
        raise NotMatched("This order is to be paid online.")
    if order.is_masked:
        raise NotMatched("The number of this order was forgotten: it is long over.")
    if order.state in ("cancelled", "expired") and order.given_back_at is not None:
        raise NotMatched(
            "This order is settled: take back what was said in Give back first."
        )


def refuse_late(order: Order) -> None:
    if order.release_at is not None:
        raise NotMatched("Process was pressed: undo that first.")
    if order.given_back_at is not None:
        raise NotMatched("The order is settled: take back what was said there first.")
    if order.state not in PAYABLE:
        raise NotMatched(
            "The order was processed with this payment, so it stays: one payment must not pay for"
            " two orders."
        )


def _is_used(message: PaymentMessage) -> bool:
    """Whether another message of its transaction pays an order."""
    query = select(PaymentMessage.id).where(
        PaymentMessage.came_to == message.came_to,
        PaymentMessage.transaction_id == message.transaction_id,
        PaymentMessage.id != message.id,
        PaymentMessage.order_id.is_not(None),
    )
    return db.session.scalar(query.limit(1)) is not None
