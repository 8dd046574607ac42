"""The customer's own money: which orders' customers are to get it back, and that the agent says
they have it.

What a customer paid the agent is outside the books, so nothing is posted here. Owed is the price of
an order that was paid for, in somebody's eyes, and not delivered: refunded, or cancelled after the
payment was confirmed, by a press or a matched message, or its customer said that they have paid.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, literal_column, or_

from core.audit import Actor
from core.base import clock, money
from core.base.db import transaction
from core.base.language import later, say
from core.orders import refusals
from core.orders.model import Order
from core.orders.real import REAL
from core.orders.releasing import locked_by_code
from core.orders.timeline import log

HOW = {
    "momo": later("by MoMo"),
    "cash": later("in cash"),
    "other": later("in another way"),
}
_GIVEN_BACK = {
    "momo": later("Given back by MoMo"),
    "cash": later("Given back in cash"),
    "other": later("Given back in another way"),
}
NOTHING = {
    "unpaid": "the customer had not paid",
    "delivered": "the data came after all",
}
"""Why there is nothing to give back."""
_ENDED = {
    "refunded": later("Not delivered"),
    "cancelled": later("Cancelled"),
    "expired": later("Expired"),
}


def awaits_giving_back() -> ColumnElement[bool]:
    """Orders whose customers are to get their money back and have not. The same words as
    `Order.owes_back` and its index, the states as constants too: a plan for any values uses the
    index of some states for these words alone."""
    return and_(
        REAL,
        Order.given_back_at.is_(None),
        ~Order.paid_online,
        or_(
            Order.state == literal_column("'refunded'"),
            and_(
                Order.state.in_(map(literal_column, ("'cancelled'", "'expired'"))),
                or_(
                    Order.queued_at.is_not(None),
                    Order.confirmed_at.is_not(None),
                    Order.told_at.is_not(None),
                ),
            ),
        ),
    )


def give(code: str, how: str, actor: Actor) -> Order:
    """The agent says that the customer has the money, or why nothing is owed: `how` is of `HOW` or
    `NOTHING`.

    Said before, the order is returned as it is. Raises `refusals.OrderRefused`.
    """
    if how not in HOW and how not in NOTHING:
        raise refusals.WrongState(
            "Choose how the money went back: by MoMo, in cash, or in another way."
        )
    with transaction():
        order = locked_by_code(code)
        if not order.owes_back:
            raise refusals.WrongState("Nobody is owed money for this order.")
        if order.given_back_at is None:
            order.given_back_at = clock.now()
            order.given_back_by = actor.name
            order.given_back_how = how
            order.version += 1
            log(
                order,
                actor,
                "given_back",
                _told(order),
                customer_text=_short(order),
            )
        return order


def take_back(code: str, actor: Actor) -> Order:
    """It was a mistake: the money is to be given back still. Not said at all, the order is returned
    as it is."""
    with transaction():
        order = locked_by_code(code)
        if order.given_back_at is not None:
            order.given_back_at = order.given_back_by = order.given_back_how = None
            order.version += 1
            text = f"{actor.name} took it back: the money is to be given back still."
            log(
                order,
                actor,
                "given_back",
                text,
                customer_text=later("Not given back yet"),
            )
        return order


def label(order: Order) -> str:
    """How the order stands, for its agent, in two words."""
    if order.given_back_at is None:
        return "Give back"
    if order.given_back_how in HOW:
        return "Given back"
    return "Nothing owed"


def agent_words(order: Order) -> str:
    """What is to be done with the customer's money, or was."""
    if order.given_back_at is not None:
        return f"{_told(order)[:-1]} on {day(order)}."
    if order.state == "refunded":
        return f"Give the customer {money.cedis(order.price_pesewas)}."
    amount = money.cedis(order.price_pesewas)
    if _is_only_told(order):
        return f"The customer says they paid: if {amount} came, give it back."
    return f"The payment had been confirmed: give the customer {amount}."


def customer_words(order: Order, store: str) -> tuple[str, str]:
    """The customer's headline and sentence about their money."""
    what = say(_ENDED[order.state])
    amount = money.cedis(order.price_pesewas)
    if order.given_back_at is None and _is_only_told(order):
        sentence = say(
            "Nothing was sent. If your %(amount)s came, %(store)s gives it back. Send them a"
            " message with this code.",
            amount=amount,
            store=store,
        )
        return what, sentence
    if order.given_back_at is None:
        why = _why(order) if order.state == "refunded" else say("Nothing was sent.")
        sentence = say(
            "%(why)s You get %(amount)s back. Send %(store)s a message with this code.",
            why=why,
            amount=amount,
            store=store,
        )
        label = say("%(what)s: %(store)s gives your money back", what=what, store=store)
        return label, sentence
    if order.given_back_how in HOW:
        sentence = say(
            "%(what)s. %(store)s gave %(amount)s back %(how)s, they say. If it is not there, send"
            " %(store)s a message with this code.",
            what=what,
            store=store,
            amount=amount,
            how=say(HOW[order.given_back_how]),
        )
        return say("Given back on %(day)s", day=day(order)), sentence
    if order.given_back_how == "unpaid":
        sentence = say(
            "%(store)s says that you had not paid. If you had, send %(store)s a message with this"
            " code.",
            store=store,
        )
    else:
        sentence = say(
            "%(store)s says that the data came. If it did not, send %(store)s a message with this"
            " code.",
            store=store,
        )
    return say("%(what)s: nothing to give back", what=what), sentence


def day(order: Order) -> str:
    """The day of it, in Accra: `29 Nov`."""
    assert order.given_back_at is not None
    local = order.given_back_at.astimezone(clock.ACCRA)
    return f"{local.day} {local:%b}"


def _is_only_told(order: Order) -> bool:
    """Whether nobody but its customer says that it was paid."""
    is_confirmed = order.queued_at is not None or order.confirmed_at is not None
    return order.state != "refunded" and not is_confirmed


def _told(order: Order) -> str:
    if order.given_back_how in HOW:
        return (
            f"{order.given_back_by} gave {money.cedis(order.price_pesewas)} back"
            f" {HOW[order.given_back_how]}."
        )
    return f"{order.given_back_by}: nothing to give back, {NOTHING[str(order.given_back_how)]}."


def _short(order: Order) -> str:
    return _GIVEN_BACK.get(str(order.given_back_how)) or later("Settled with the store")


def _why(order: Order) -> str:
    """Why it was not delivered, in our words: the supplier's are for agents."""
    if order.submitted_at and not order.processing_at and order.failure_reason:
        is_number = any(
            word in order.failure_reason.lower()
            for word in ("number", "phone", "msisdn", "recipient")
        )
        if is_number:
            return say("It could not be sent: the network does not take this number.")
        return say("It could not be sent.")
    return say("The network did not deliver it.")
