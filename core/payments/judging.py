"""What speaks against a payment message, and which order it may pay.

Decides nothing for good: a message that nothing speaks against, with the code and the price of an
order, is matched (`matching`); all the others are for a person, with these words.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, or_, select

from core.base import clock, money, phones
from core.base.db import db
from core.orders import Order, codes_in, pay_codes
from core.orders.real import REAL
from core.payments import chain
from core.payments.formats import PROVIDERS
from core.payments.model import PaymentMessage

OLD_AFTER = timedelta(days=1)
"""A message of a payment this long ago is old."""
SKEW = timedelta(minutes=5)
"""Clocks of networks and of ours may differ by so much."""
NEAR = timedelta(minutes=30)
"""What a customer says of when they paid is about right within so much."""
LOOKED_BACK = 1_000
"""Messages of one number whose balances are looked at, the newest."""
SUGGESTED = 3
"""Orders that are suggested for one message."""
WAITING_LOOKED_AT = 500
"""Waiting orders of its price that are looked at for one message, the newest."""
_CODE = re.compile(r"[0-9][0-9 .·-]{4,12}[0-9]")


@dataclass(frozen=True)
class Found:
    """What a message is to an order. `is_exact`: its code and its price, and the order waits for
    it."""

    order: Order
    is_exact: bool
    words: str


def doubts(messages: Iterable[PaymentMessage]) -> dict[int, list[str]]:
    """What speaks against each of these messages, as sentences; an empty list where nothing
    does."""
    messages = list(messages)
    of_number: dict[tuple[str, str], list[PaymentMessage]] = defaultdict(list)
    for one in messages:
        of_number[one.came_to, one.provider].append(one)
    broken: dict[int, str] = {}
    for number in of_number:
        broken |= chain.doubts(_links(*number))
    otherwise = _pasted_otherwise(messages)
    said = {}
    for one in messages:
        found = [broken[one.id]] if one.id in broken else []
        said[one.id] = found + otherwise[one.id] + _of_itself(one)
    return said


def by_code(messages: Sequence[PaymentMessage]) -> dict[int, Found]:
    """The order whose code each message names, where there is just one."""
    named = {one.id: _codes_of(one) for one in messages}
    orders = _of_codes({code for codes in named.values() for code in codes})
    paid = paid_for([order.id for order in orders.values()])
    found = {}
    for one in messages:
        meant = {orders[code].id: code for code in named[one.id] if code in orders}
        if len(meant) == 1:
            order = orders[next(iter(meant.values()))]
            found[one.id] = _judged(one, order, paid.get(order.id, 0))
    return found


def suggestions(message: PaymentMessage) -> list[Found]:
    """Waiting orders of just its price whose customer may be its payer, the likeliest first."""
    at = message.happened_at
    waiting = (
        select(Order)
        .where(
            Order.state == "pending",
            REAL,
            Order.price_pesewas == message.amount_pesewas,
            Order.created_at < at + SKEW,
            ~select(PaymentMessage.id)
            .where(PaymentMessage.order_id == Order.id)
            .exists(),
        )
        .order_by(Order.id.desc())
        .limit(WAITING_LOOKED_AT)
    )
    likely = []
    for order in db.session.scalars(waiting):
        why = _why(message, order)
        if why:
            likely.append((len(why), -order.id, order, why))
    likely.sort(key=lambda one: (-one[0], -one[1]))
    return [
        Found(
            order,
            is_exact=False,
            words=f"{_whole(why)}. Its reference is not the order's code.",
        )
        for _count, _id, order, why in likely[:SUGGESTED]
    ]


def paid_for(order_ids: Sequence[int]) -> dict[int, int]:
    """What the messages of these orders come to, in pesewas."""
    rows = db.session.execute(
        select(PaymentMessage.order_id, func.sum(PaymentMessage.amount_pesewas))
        .where(PaymentMessage.order_id.in_(order_ids))
        .group_by(PaymentMessage.order_id)
    )
    return {order_id: int(total) for order_id, total in rows if order_id is not None}


def _links(came_to: str, provider: str) -> list[chain.Link]:
    newest = (
        select(PaymentMessage)
        .where(PaymentMessage.came_to == came_to, PaymentMessage.provider == provider)
        .order_by(PaymentMessage.id.desc())
        .limit(LOOKED_BACK)
    )
    return [
        chain.Link(
            one.id,
            one.before_pesewas,
            one.balance_pesewas,
            is_known=one.order_id is not None,
        )
        for one in db.session.scalars(newest)
    ]


def _pasted_otherwise(messages: Sequence[PaymentMessage]) -> dict[int, list[str]]:
    """What is to be said of messages whose transaction was also pasted for another number of the
    store, or with other figures."""
    alike: dict[str, list[tuple[int, str]]] = defaultdict(list)
    transactions = sorted({one.transaction_id for one in messages})
    rows = db.session.execute(
        select(
            PaymentMessage.transaction_id, PaymentMessage.id, PaymentMessage.came_to
        ).where(PaymentMessage.transaction_id.in_(transactions))
    )
    for transaction_id, message_id, came_to in rows:
        alike[transaction_id].append((message_id, came_to))
    said: dict[int, list[str]] = {}
    for one in messages:
        others = [
            came_to
            for message_id, came_to in alike[one.transaction_id]
            if message_id != one.id
        ]
        said[one.id] = []
        if any(came_to != one.came_to for came_to in others):
            said[one.id].append(
                "The same transaction was pasted for another number of yours."
            )
        if one.came_to in others:
            said[one.id].append(
                "The same transaction was pasted with another amount or balance: one of them is"
                " not true."
            )
    return said


def _of_itself(one: PaymentMessage) -> list[str]:
    said, now = [], clock.now()
    if one.is_from_chat:
        said.append("It was copied out of a chat, where anybody can write.")
    if phones.network_of(one.came_to) not in (one.provider, None):
        said.append(
            f"It is a {PROVIDERS[one.provider]} message, and {phones.show(one.came_to)} looks like"
            f" a number of {phones.NETWORKS[str(phones.network_of(one.came_to))].name}."
        )
    if one.paid_at and one.paid_at < min(one.pasted_at, now) - OLD_AFTER:
        said.append(f"It is old: of {clock.shown(one.paid_at)}.")
    if one.paid_at and one.paid_at > now + SKEW:
        said.append(f"Its time is still to come: {clock.shown(one.paid_at)}.")
    return said


def _codes_of(one: PaymentMessage) -> list[str]:
    """Pay codes, of six digits, and order codes, of ten signs, in its reference."""
    found = [pay_codes.read(text) for text in _CODE.findall(one.reference)]
    return [code for code in found if code] + codes_in(one.reference)


def _of_codes(codes: set[str]) -> dict[str, Order]:
    """The orders of these codes, by each of their own that is asked for."""
    if not codes:
        return {}
    wanted = sorted(codes)
    theirs = or_(Order.pay_code.in_(wanted), Order.code.in_(wanted))
    orders = list(db.session.scalars(select(Order).where(theirs, REAL)))
    by_either = {order.pay_code: order for order in orders if order.pay_code}
    return by_either | {order.code: order for order in orders}


def _judged(one: PaymentMessage, order: Order, paid_pesewas: int) -> Found:
    """What a message with the code of an order is to it."""
    if paid_pesewas:
        return Found(
            order,
            False,
            f"Double: its order is paid already, with {money.cedis(paid_pesewas)}. Give this back,"
            " or take it for another order.",
        )
    if one.paid_at and one.paid_at < order.created_at - SKEW:
        return Found(
            order, False, "It was paid before its order was made: look at it well."
        )
    off = one.amount_pesewas - order.price_pesewas
    if off:
        word = "more" if off > 0 else "less"
        much = "Over" if off > 0 else "Under"
        return Found(
            order,
            False,
            f"{much}: {money.cedis(abs(off))} {word} than its order costs,"
            f" {money.cedis(order.price_pesewas)}.",
        )
    if order.state in ("cancelled", "expired"):
        return Found(
            order,
            False,
            f"Its order is {order.state}: matched with it, it stands in Give back.",
        )
    if order.state == "awaiting_payment":
        return Found(order, False, "Its order is to be paid online.")
    return Found(order, True, "Code and amount are those of its order.")


def _why(one: PaymentMessage, order: Order) -> list[str]:
    """What makes an order likely to be paid by a message without its code: the payer, by
    transaction, number or name. Empty when nothing does."""
    why = []
    said = (order.told_transaction or "").upper()
    if said and said == one.transaction_id:
        why += ["its customer names this transaction", "surely"]
    number = one.payer_msisdn
    told = order.told_payer or ""
    if number and (number == order.recipient_msisdn or _number_in(told) == number):
        why.append("the payer's number is the customer's")
    if _same_name(one.payer_name, f"{told} {order.customer_name}"):
        why.append("the payer's name is the customer's")
    told_at = order.told_paid_at
    if why and told_at is not None and abs(told_at - one.happened_at) < NEAR:
        why.append(f"they say they paid at {clock.shown(told_at)}")
    return why


def _whole(why: Sequence[str]) -> str:
    said = ", ".join(word for word in why if word != "surely")
    return f"The amount fits, and {said}"


def _number_in(told: str) -> str:
    try:
        return phones.parse(told)
    except phones.BadNumber:
        return ""


def _same_name(one: str, other: str) -> bool:
    """Whether two names share a word of three letters or more."""
    words = [set(re.findall(r"[^\W\d_]{3,}", name.casefold())) for name in (one, other)]
    return bool(words[0] & words[1])
