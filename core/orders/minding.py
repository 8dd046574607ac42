"""What a store's people do about a customer: look at the number, note a name, block the number,
take orders again. Each is one transaction with its line of the audit, which says neither name nor
number.
"""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from core import audit
from core.audit import Actor
from core.base import clock, phones, tenancy, text_input
from core.base.db import db, transaction
from core.base.locks import Lock
from core.base.preconditions import inside_use_case
from core.base.refusal import Refusal
from core.orders import customers
from core.orders.customers import Customer, Known, NoSuchCustomer
from core.orders.model import Order

SHORTEST_WHY = 3


class BadBlock(Refusal):
    """A number that cannot be blocked so."""


def open_number(customer_id: int, actor: Actor) -> Known:
    """The whole number, for somebody who asked to see it: a line of the audit each time. Raises
    `NoSuchCustomer`."""
    with transaction():
        one = customers.by_id(customer_id)
        _write(actor, "open_customer", one.row)
        return one


def describe(customer_id: int, name: str, note: str, actor: Actor) -> Customer:
    """Keep a name and a note. The line of the audit says neither. Raises `NoSuchCustomer`."""
    with transaction():
        row = _locked(customer_id)
        row.name = text_input.one_line(name, customers.LONGEST_NAME)
        row.note = text_input.one_line(note, customers.LONGEST_NOTE)
        _write(actor, "describe_customer", row)
        return row


def block(customer_id: int, why: str, actor: Actor) -> Customer:
    """Take no more orders for the number. Blocked already, only the reason is changed. Raises
    `NoSuchCustomer`, `BadBlock`."""
    why = _reason(why)
    with transaction():
        row = _locked(customer_id)
        _block(row, why, actor)
        return row


def block_of_order(code: str, why: str, actor: Actor) -> Customer:
    """The same for the number of an order, whether anything was ever delivered to it. Raises
    `BadBlock`."""
    why = _reason(why)
    with transaction():
        # the order is held, so that its number is not forgotten meanwhile
        theirs = select(Order).where(Order.code == code)
        order = db.session.scalar(theirs.with_for_update(key_share=True))
        if order is None or phones.is_masked(order.recipient_msisdn):
            raise BadBlock("The number of this order was forgotten.")
        if order.is_test:
            raise BadBlock("This is a test order: nobody has its number.")
        _turn(order.recipient_msisdn)
        row = _of_number(order.recipient_msisdn) or _made(order)
        _block(row, why, actor)
        return row


def unblock(customer_id: int, actor: Actor) -> Customer:
    """Take orders again. Said twice it is said once. Raises `NoSuchCustomer`."""
    with transaction():
        row = _locked(customer_id)
        if row.blocked_at is not None:
            row.blocked_at = row.blocked_by = row.blocked_why = None
            _write(actor, "unblock_customer", row)
        return row


@inside_use_case
def _turn(msisdn: str) -> None:
    """Whoever makes a customer of a number looks first, one after the other: two who block it, and
    the trigger of a delivery, which takes the same lock (migration 0031). After the order, as the
    trigger does."""
    name = f"{tenancy.current_store_id()}/{msisdn}"
    turn = func.pg_advisory_xact_lock(Lock.CUSTOMER, func.hashtext(name))
    db.session.execute(select(turn))


def _of_number(msisdn: str) -> Customer | None:
    ending = Customer.ending == msisdn[-customers.ENDING :]
    query = customers.known().where(ending, Order.recipient_msisdn == msisdn).limit(1)
    row = db.session.execute(query.with_for_update(of=Customer)).first()
    return row[0] if row else None


@inside_use_case
def _made(order: Order) -> Customer:
    customer_id = db.session.scalar(
        insert(Customer)
        .values(
            store_id=tenancy.current_store_id(),
            newest_order_id=order.id,
            ending=order.recipient_msisdn[-customers.ENDING :],
            name=order.customer_name,
            last_at=order.created_at,
        )
        .returning(Customer.id)
    )
    return _locked(int(customer_id or 0))


@inside_use_case
def _locked(customer_id: int) -> Customer:
    query = select(Customer).where(Customer.id == customer_id)
    row = db.session.scalar(query.with_for_update(key_share=True))
    if row is None:
        raise NoSuchCustomer
    return row


def _reason(why: str) -> str:
    why = text_input.one_line(why, customers.LONGEST_NOTE)
    if len(why) < SHORTEST_WHY:
        raise BadBlock(
            "Say why, for yourself and your people: the customer does not read it."
        )
    return why


def _block(row: Customer, why: str, actor: Actor) -> None:
    row.blocked_at = row.blocked_at or clock.now()
    row.blocked_by, row.blocked_why = actor.name, why
    _write(actor, "block_customer", row)


def _write(actor: Actor, action: str, row: Customer) -> None:
    detail = {"store": row.store_id}
    audit.write(actor, action, f"customer:{row.id}", detail)
