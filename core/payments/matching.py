"""Matching payment messages with orders: a paste, a person's word about one message, and taking
that back.

No state and no money moves. A matched order counts as paid in the eyes of its store: it does not
expire, and stands in *Give back* when it is cancelled. Locks: the order before the message; whoever
matches many takes what is free and waits for nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TypeVar

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import aliased

from core import audit
from core.audit import Actor
from core.base import clock, money, phones, tenancy
from core.base.db import db, transaction
from core.base.preconditions import inside_use_case
from core.orders import Order, codes_in, pay_codes
from core.orders.releasing import locked_by_code
from core.orders.timeline import log
from core.payments import judging, reading, refusing
from core.payments.model import PaymentMessage
from core.payments.reading import Message
from core.payments.refusing import NoSuchMessage, NotMatched

Row = TypeVar("Row", Order, PaymentMessage)
MATCHED_AT_ONCE = 400
"""Open messages that are looked at in one go, the oldest first."""


@dataclass(frozen=True)
class Outcome:
    """What became of a paste. `unread` are texts that are of no known shape, `left` those beyond
    the limit."""

    new: int
    seen: int
    matched: int
    unread: tuple[str, ...]
    left: tuple[str, ...]


def is_open() -> ColumnElement[bool]:
    """Money that came and waits for somebody to say what it is for."""
    return and_(
        PaymentMessage.is_in,
        PaymentMessage.order_id.is_(None),
        PaymentMessage.put_away_at.is_(None),
    )


def paste(pasted: str, came_to: str, actor: Actor) -> Outcome:
    """Keep the messages of a text that came to one of the store's numbers, each once, and match
    what is sure. Of one transaction with different figures each is kept, and doubted.
    Raises `phones.BadNumber`."""
    number = phones.parse(came_to)
    found = reading.read(pasted)
    with transaction():
        new = _keep(found.messages, number, actor)
        matched = _match_sure(actor)
        outcome = Outcome(
            new, len(found.messages) - new, matched, found.unread, found.left
        )
        if found.messages:
            audit.write(
                actor,
                "paste_messages",
                "payments",
                {
                    "store": tenancy.current_store_id(),
                    "new": new,
                    "seen": outcome.seen,
                    "matched": matched,
                    "unread": len(found.unread),
                },
            )
    return outcome


def accept(message_id: int, code: str, actor: Actor) -> Order:
    """A person says that a message pays this order, found by its code or pay code. Said twice it is
    said once. What that proves of the number's other messages is matched with it. Raises
    `NotMatched`, `orders.OrderRefused`."""
    with transaction():
        order = locked_by_code(_order_code(code))
        message = _locked(message_id)
        if message.order_id == order.id:
            return order
        refusing.refuse(message, order)
        _match(message, order, actor)
        _write(actor, "match_message", message, order)
        _match_sure(actor)
        return order


def put_away(message_id: int, actor: Actor) -> PaymentMessage:
    """A person says that a message is for no order. Said twice it is said once."""
    with transaction():
        message = _locked(message_id)
        if message.order_id is not None:
            raise NotMatched("It is matched with an order: take that back first.")
        if message.put_away_at is None:
            message.put_away_at = clock.now()
            message.put_away_by = actor.name
            _write(actor, "put_message_away", message)
        return message


def take_back(message_id: int, actor: Actor) -> PaymentMessage:
    """That was a mistake: the message waits again. Not once its order was processed: one payment
    must not pay for two. Raises `NotMatched`."""
    with transaction():
        order = _order_of(message_id)
        message = _locked(message_id)
        if order is not None and message.order_id == order.id:
            refusing.refuse_late(order)
            _unmatch(message, order, actor)
            _write(actor, "unmatch_message", message, order)
        elif message.put_away_at is not None:
            message.put_away_at = message.put_away_by = None
            _write(actor, "take_message_out", message)
        return message


def _keep(messages: Sequence[Message], number: str, actor: Actor) -> int:
    """How many were new. Sorted, so that two people who paste the same wait for each other in one
    direction."""
    if not messages:
        return 0
    kept = [one.name for one in fields(Message)]
    rows = [
        {
            "store_id": tenancy.current_store_id(),
            "pasted_by": actor.name,
            "came_to": number,
            **{name: getattr(one, name) for name in kept},
        }
        for one in sorted(messages, key=_what_is_said)
    ]
    added = (
        insert(PaymentMessage)
        .values(rows)
        .on_conflict_do_nothing()
        .returning(PaymentMessage.id)
    )
    return len(db.session.scalars(added).all())


@inside_use_case
def _match_sure(actor: Actor) -> int:
    """Match every open message that names code and price of an order and that nothing speaks
    against. Returns how many. An order that somebody is at is left for the next time."""
    query = select(PaymentMessage).where(is_open()).order_by(PaymentMessage.id)
    messages = db.session.scalars(query.limit(MATCHED_AT_ONCE)).all()
    found = judging.by_code(messages)
    against = judging.doubts(one for one in messages if one.id in found)
    sure = {
        one.id: found[one.id].order.id
        for one in messages
        if one.id in found and found[one.id].is_exact and not against[one.id]
    }
    orders = _free(Order, Order.id.in_(sorted(set(sure.values()))))
    free = _free(PaymentMessage, PaymentMessage.id.in_(sorted(sure)), is_open())
    paid = set(judging.paid_for(list(orders)))
    matched = 0
    for message in free.values():
        order = orders.get(sure[message.id])
        still = order is not None and order.id not in paid
        if order is not None and still and _is_payable(order):
            _match(message, order, actor)
            paid.add(order.id)
            matched += 1
    return matched


def _is_payable(order: Order) -> bool:
    """Whether a sure message is matched with it by itself: not what is over without it."""
    return not order.is_masked and (order.state == "pending" or order.was_processed)


@inside_use_case
def _match(message: PaymentMessage, order: Order, actor: Actor) -> None:
    now = clock.now()
    message.order_id, message.matched_at = order.id, now
    message.matched_by = actor.name
    message.put_away_at = message.put_away_by = None
    if order.state in refusing.PAYABLE:
        order.confirmed_at = order.confirmed_at or now
    order.version += 1
    text = (
        f"{actor.name} matched a payment message with it: {_amount(message)} came at"
        f" {clock.shown(message.paid_at)}."
        if message.paid_at
        else f"{actor.name} matched a payment message with it: {_amount(message)} came."
    )
    log(order, actor, "matched", text)


@inside_use_case
def _unmatch(message: PaymentMessage, order: Order, actor: Actor) -> None:
    if order.confirmed_at == message.matched_at:
        order.confirmed_at = None
    message.order_id = message.matched_at = message.matched_by = None
    db.session.flush()
    if order.id in judging.paid_for([order.id]):
        order.confirmed_at = order.confirmed_at or clock.now()
    order.version += 1
    text = f"{actor.name} took it back: {_amount(message)} was not for this order."
    log(order, actor, "unmatched", text)


def _order_code(typed: str) -> str:
    """The code of the order that is meant; a pay code names the order that has it now."""
    pay_code = pay_codes.read(typed)
    if pay_code is not None:
        found = db.session.scalar(select(Order.code).where(Order.pay_code == pay_code))
        if found is not None:
            return found
    codes = codes_in(typed)
    if not codes:
        raise NotMatched(
            "Type the order's pay code, like 482 913, or its code of ten letters and digits."
        )
    return codes[0]


def _order_of(message_id: int) -> Order | None:
    """The order that a message pays, locked."""
    query = (
        select(Order)
        .join(PaymentMessage, PaymentMessage.order_id == Order.id)
        .where(PaymentMessage.id == message_id)
    )
    locked = query.with_for_update(key_share=True, of=Order)
    return db.session.scalar(locked.execution_options(populate_existing=True))


def _locked(message_id: int) -> PaymentMessage:
    """A message, locked with all others of its transaction, of which one alone may pay."""
    twin = aliased(PaymentMessage)
    query = (
        select(PaymentMessage)
        .join(
            twin,
            and_(
                twin.came_to == PaymentMessage.came_to,
                twin.transaction_id == PaymentMessage.transaction_id,
            ),
        )
        .where(twin.id == message_id)
        .order_by(PaymentMessage.id)
        .with_for_update(of=PaymentMessage)
    )
    found = db.session.scalars(query.execution_options(populate_existing=True))
    for one in found.all():
        if one.id == message_id:
            return one
    raise NoSuchMessage


def _what_is_said(one: Message) -> tuple[str, int, int]:
    return one.transaction_id, one.amount_pesewas, one.balance_pesewas


def _free(table: type[Row], *which: ColumnElement[bool]) -> dict[int, Row]:
    """Rows that nobody else is at, locked, by id."""
    query = select(table).where(*which).order_by(table.id)
    locked = query.with_for_update(key_share=True, skip_locked=True)
    rows = db.session.scalars(locked.execution_options(populate_existing=True))
    return {row.id: row for row in rows}


def _amount(message: PaymentMessage) -> str:
    return money.cedis(message.amount_pesewas)


def _write(
    actor: Actor, action: str, message: PaymentMessage, order: Order | None = None
) -> None:
    subject = f"order:{order.id}" if order is not None else f"payment:{message.id}"
    said = {
        "store": message.store_id,
        "message": message.id,
        "pesewas": message.amount_pesewas,
    }
    audit.write(actor, action, subject, said)
