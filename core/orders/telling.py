"""What a customer tells of a payment that went to the agent directly: "I have paid"; and that the
agent looked and did not find it.

A told payment moves no money and no state, and proves nothing: it helps the agent to decide whom
to process first. While it is told, the order does not expire.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from sqlalchemy import Index, select, text

from core.audit import CUSTOMER, Actor
from core.base import clock, config, money
from core.base.db import db, transaction
from core.base.language import later, say
from core.base.tenancy import current_store_id
from core.orders import refusals
from core.orders.model import Order
from core.orders.releasing import locked_by_code
from core.orders.timeline import count_lines, log

MOST_TOLD = 5
"""Times one order's customer may tell; then the store is to be asked."""
LONGEST_PAYER = 60
LONGEST_TRANSACTION = 40
FEWEST = 5
"""Answers from which on a store's usual time is told, of those of the last week."""
LATELY = timedelta(days=7)

Index(
    "ix_orders_told",
    Order.store_id,
    Order.id,
    postgresql_where=text("state = 'pending' AND told_at IS NOT NULL"),
)
Index(
    "ix_orders_answered",
    Order.store_id,
    Order.queued_at,
    postgresql_where=text("told_at IS NOT NULL AND queued_at IS NOT NULL"),
)


@dataclass(frozen=True)
class Payment:
    """When it was made, from which number or name, and its transaction id; empty where the customer
    does not know."""

    paid_at: datetime
    payer: str
    transaction: str = ""


def tell(code: str, payment: Payment) -> Order:
    """The customer says that they have paid. The same said twice is said once.

    Raises `refusals.OrderRefused`.
    """
    with transaction():
        order = locked_by_code(code)
        if order.is_test:
            raise refusals.WrongState(
                say("This is a test order: nothing is to be paid.")
            )
        if order.state != "pending":
            raise refusals.Over(_why_over(order))
        if _of(order) == payment and not is_not_found(order):
            return order
        if count_lines(order, "told") >= MOST_TOLD:
            raise refusals.WrongState(
                say(
                    "You have told it several times already. Send the store a message with the"
                    " code of this order."
                )
            )
        now = clock.now()
        order.told_at = now
        order.told_first_at = order.told_first_at or now
        order.told_paid_at = payment.paid_at
        order.told_payer = payment.payer[:LONGEST_PAYER]
        order.told_transaction = payment.transaction[:LONGEST_TRANSACTION]
        order.owner_asked_at = None
        order.version += 1
        log(
            order,
            CUSTOMER,
            "told",
            # from whom stands with the order alone, and is forgotten with its number
            f"The customer says they have paid at {clock.shown(payment.paid_at)}.",
            customer_text=later("You said that you have paid"),
        )
        return order


def note_not_found(code: str, actor: Actor) -> Order:
    """The agent looked and the payment is not there. Said twice it is said once. Raises
    `refusals.OrderRefused`."""
    with transaction():
        order = locked_by_code(code)
        if order.state != "pending" or order.told_at is None:
            raise refusals.WrongState("No payment is waiting to be found here.")
        if order.release_at is not None:
            raise refusals.WrongState(
                "Process was pressed: undo that first, if the payment is not there."
            )
        if not is_not_found(order):
            order.not_found_at = clock.now()
            order.version += 1
            log(
                order,
                actor,
                "not_found",
                f"{actor.name} looked for the payment and did not find it.",
                customer_text=later("The store looked: your payment is not there yet"),
            )
        return order


def is_told(order: Order) -> bool:
    """Whether its customer says that it is paid, and nobody has acted on that yet."""
    return order.state == "pending" and order.told_at is not None


def is_not_found(order: Order) -> bool:
    """Whether the agent has looked since and not found the payment."""
    return (
        order.told_at is not None
        and order.not_found_at is not None
        and order.not_found_at >= order.told_at
    )


def may_note_not_found(order: Order) -> bool:
    """Whether the agent is offered to say so: not while a press of theirs says the opposite."""
    return is_told(order) and not is_not_found(order) and order.release_at is None


def may_tell(order: Order) -> bool:
    """Whether the customer is offered to say it: not while what they said is still to be looked
    at."""
    is_open = order.state == "pending" and not order.is_test
    return is_open and (order.told_at is None or is_not_found(order))


def usually_answers_min() -> int | None:
    """How long the current store's last told payments waited until they were processed, as a median
    in minutes. None below `FEWEST`."""
    waited = (
        select(Order.told_first_at, Order.queued_at)
        .where(
            Order.store_id == current_store_id(),
            Order.told_at.is_not(None),
            Order.queued_at > clock.now() - LATELY,
        )
        .order_by(Order.queued_at.desc())
        .limit(20)
    )
    spans = [
        (queued - told).total_seconds()
        for told, queued in db.session.execute(waited)
        if told is not None and queued is not None
    ]
    return max(1, round(median(spans) / 60)) if len(spans) >= FEWEST else None


def customer_words(order: Order, store: str) -> str:
    """What the customer of a told payment reads."""
    assert order.told_at is not None
    if is_not_found(order) and order.not_found_at is not None:
        return say(
            "%(store)s looked at %(at)s and did not find your payment. Check it and tell it once"
            " more, or send %(store)s a message with this code.",
            store=store,
            at=clock.shown(order.not_found_at),
        )
    told = say(
        "You told %(store)s at %(at)s that you have paid.",
        store=store,
        at=clock.shown(order.told_at),
    )
    meanwhile = say("The order is sent as soon as they see it.")
    return until_answered(order, told, meanwhile, _owner_asked_from(order))


def until_answered(order: Order, told: str, meanwhile: str, until: datetime) -> str:
    """What was told, what is so until the store answers, and when the owner is asked if it does
    not; then, that the owner was asked."""
    if order.owner_asked_at is not None:
        meanwhile = say(
            "They have not answered for long, so Makola was asked at %(at)s.",
            at=clock.shown(order.owner_asked_at),
        )
        return f"{told} {meanwhile}"
    otherwise = say(
        "If there is no answer by %(at)s, Makola is asked.", at=clock.shown(until)
    )
    return f"{told} {meanwhile} {otherwise}"


def _owner_asked_from(order: Order) -> datetime:
    """When a told payment that nobody looked for becomes the owner's: as `unanswered` asks."""
    assert order.told_at is not None
    day = clock.delta(config.current().answer_s)
    first = order.told_first_at or order.told_at
    last, turn = first + 2 * day, order.told_at + day
    return min(turn, last) if order.told_at < last else turn


def agent_words(order: Order) -> str:
    """What the agent of a told payment reads."""
    looked = ""
    if is_not_found(order) and order.not_found_at is not None:
        looked = (
            f" You looked at {clock.shown(order.not_found_at)} and did not find it."
        )
    return (
        f"The customer says they have {_what(order)}. That proves nothing: look whether"
        f" {money.cedis(order.price_pesewas)} is there, then process.{looked}"
    )


def _what(order: Order) -> str:
    assert order.told_paid_at is not None
    payer = f" from {order.told_payer}" if order.told_payer else ""
    sent = f", transaction {order.told_transaction}" if order.told_transaction else ""
    return f"paid at {clock.shown(order.told_paid_at)}{payer}{sent}"


def _of(order: Order) -> Payment | None:
    if order.told_paid_at is None:
        return None
    return Payment(
        order.told_paid_at, order.told_payer or "", order.told_transaction or ""
    )


def _why_over(order: Order) -> str:
    if order.was_processed:
        return say("The store has your payment: the order is on its way.")
    return say(
        "This order is over: nothing is to be paid for it. If you have paid, message the store."
    )
