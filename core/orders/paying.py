"""What customers read of an order that they pay online: before the money has come, and when it goes
back. Dates, never "instantly": a network may take its time.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from core.base import clock, money
from core.base.language import later, say
from core.online import OnlinePayment, refund_lists
from core.orders.model import Order
from core.orders.states import State

BACK_DAYS = 10
"""Working days within which a network has given money back, at the latest."""
_SATURDAY = 5
_SENTENCES: dict[State, str] = {
    "awaiting_payment": later(
        "Nothing is sent before your payment has come; then it goes on by itself."
    ),
    "pending": later("Paid. It goes to the network in its turn."),
    "queued": later("Paid. It goes to the network in its turn."),
    "expired": later(
        "No payment came in time, so nothing was sent. If you have paid all the same, nothing is"
        " lost: this page says so once your payment is found."
    ),
}
"""Where it reads otherwise than an order that is paid to its store."""


def sentence_of(order: Order) -> str:
    """What its customer reads of the state it is in; empty where that is as of every order."""
    if not order.paid_online:
        return ""
    if order.state in ("cancelled", "refunded") and order.queued_at is not None:
        ended = (
            say("Not sent.") if order.state == "cancelled" else say("Not delivered.")
        )
        back = _goes_back(order.price_pesewas, order.final_at or clock.now())
        return f"{ended} {back}"
    found = _SENTENCES.get(order.state)
    return say(found) if found else ""


def agent_sentence(order: Order, reason: str = "") -> str:
    """What its agent reads of the state it is in; empty where that is as of every order."""
    if not order.paid_online:
        return ""
    back = (
        f"The customer’s {money.cedis(order.price_pesewas)} goes back to them online."
    )
    was_paid = order.queued_at is not None
    if order.state == "awaiting_payment":
        return "Waits for the customer’s online payment, then goes on by itself."
    if order.state == "expired":
        return "Expired: no online payment came in time. Nothing was sent."
    if order.state == "refunded":
        return f"Not delivered{reason}. {back} Your wallet is not touched."
    if order.state == "cancelled" and was_paid:
        return f"Cancelled. {back} Your wallet is not touched."
    return ""


def of_payments(order: Order, tries: Sequence[OnlinePayment]) -> list[tuple[str, bool]]:
    """A sentence for each payment that came, and whether it is the one that pays the order."""
    return [
        (_of_payment(order, one), one.pays_order_id == order.id)
        for one in reversed(tries)
        if one.paid_at is not None
    ]


def of_refund(order: Order, store_name: str) -> str:
    """How money stands that is on its way back to who paid for this order; empty where none is."""
    refund = refund_lists.newest_of_order(order.id)
    if refund is None or refund.state == "requested":
        return ""
    if refund.state in ("needs_details", "failed", "returned"):
        return say(
            "Your network could not take your money back, and it is not lost. Tell %(store)s to"
            " which number it shall go.",
            store=store_name,
        )
    if refund.state == "done":
        return say(
            "Your %(amount)s was sent back at %(at)s. Your network may take its time until it"
            " shows.",
            amount=money.cedis(refund.amount_pesewas),
            at=clock.shown(refund.ended_at or refund.asked_at),
        )
    return say(
        "We asked for your money back at %(at)s.",
        at=clock.shown(refund.sent_at or refund.asked_at),
    )


def _of_payment(order: Order, payment: OnlinePayment) -> str:
    amount = money.cedis(payment.charged_pesewas or 0)
    at = clock.shown(payment.paid_at or clock.now())
    if payment.pays_order_id == order.id:
        return say("%(amount)s paid online at %(at)s.", amount=amount, at=at)
    if payment.pays_order_id is not None:
        return say(
            "Your payment of %(amount)s came at %(at)s, after this order was over. A new order was"
            " made of it, and is on its way.",
            amount=amount,
            at=at,
        )
    if payment.owed_pesewas:
        back = _goes_back(payment.owed_pesewas, payment.paid_at or clock.now())
        other = say(
            "Another payment of %(amount)s came at %(at)s, which this order does not take.",
            amount=amount,
            at=at,
        )
        return f"{other} {back}"
    return say(
        "Your payment of %(amount)s came at %(at)s, after this order was over, and nothing was"
        " sent. Nothing is lost: somebody looks at it, and this page says what becomes of it.",
        amount=amount,
        at=at,
    )


def _goes_back(pesewas: int, since: datetime) -> str:
    by = working_days_after(since.astimezone(clock.ACCRA).date(), BACK_DAYS)
    day = f"{by.day} {by:%b}"
    return say(
        "Your %(amount)s goes back to where you paid from. Networks may take up to 10 working days:"
        " until %(day)s.",
        amount=money.cedis(pesewas),
        day=day,
    )


def working_days_after(day: date, days: int) -> date:
    """The day that many working days later; Saturdays and Sundays are none."""
    while days:
        day += timedelta(days=1)
        days -= day.weekday() < _SATURDAY
    return day
