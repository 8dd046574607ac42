"""Customers of a store, as its orders make them: what they bought, and what is noted of them.

A customer is a number that data was delivered to, or that was blocked. The number itself stands in
`orders` alone: a row names its newest order, then the newest that still keeps the number, and goes
with the last of them. Rows and sums are written by the trigger that sums a store's days (migration
0027). Amounts in pesewas.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    ForeignKeyConstraint,
    Index,
    ScalarSelect,
    Select,
    Text,
    bindparam,
    func,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.orm import Mapped, mapped_column

from core.base import phones, text_input
from core.base.db import Model, db
from core.base.preconditions import inside_use_case
from core.base.refusal import Refusal
from core.base.tenancy import StoreScoped
from core.orders.model import Order

ENDING = 4
"""Digits by which a customer is found: those that forgetting leaves of a number."""
LONGEST_NAME = 60
LONGEST_NOTE = 200
LOOKED_THROUGH = 50
"""So many of a customer's newest orders are looked through for what they buy."""
OFFERED = 3
NAMES_LOOKED_THROUGH = 10_000
"""So many customers, who bought last, are looked through for a name."""
MOST_WORDS = 5
"""Of what is typed, no more are looked for."""


class NoSuchCustomer(Refusal):
    """No customer of this id in this store."""

    sentence = "There is no such customer in your store."


class Customer(Model, StoreScoped):
    __tablename__ = "customers"
    __table_args__ = (
        ForeignKeyConstraint(
            ["store_id", "newest_order_id"], ["orders.store_id", "orders.id"]
        ),
        CheckConstraint("(blocked_at IS NULL) = (blocked_why IS NULL)", name="blocked"),
        Index("ix_customers_ending", "store_id", "ending"),
        Index("ix_customers_last", "store_id", "last_at", "id"),
        Index("ix_customers_spent", "store_id", "spent_pesewas", "id"),
        Index("ix_customers_order", "newest_order_id"),
        Index(
            "ix_customers_blocked",
            "store_id",
            "ending",
            postgresql_where=text("blocked_at IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    newest_order_id: Mapped[int]
    """Of those that made the row: whose number it is."""
    ending: Mapped[str]
    name: Mapped[str] = mapped_column(server_default="")
    note: Mapped[str] = mapped_column(server_default="")
    buys: Mapped[int] = mapped_column(server_default="0")
    """Orders that were delivered."""
    spent_pesewas: Mapped[int] = mapped_column(server_default="0")
    last_at: Mapped[datetime]
    blocked_at: Mapped[datetime | None]
    blocked_by: Mapped[str | None]
    blocked_why: Mapped[str | None]


@dataclass(frozen=True)
class Known:
    """A customer and their number, as it stands in the newest order."""

    row: Customer
    msisdn: str

    @property
    def masked(self) -> str:
        return phones.mask(self.msisdn)

    @property
    def is_forgotten(self) -> bool:
        return phones.is_masked(self.msisdn)


@dataclass(frozen=True)
class Bought:
    """What a customer bought, the newest first; each bundle once."""

    bundle_id: int
    text: str


def page(by: str, before: int | None, limit: int) -> list[Known]:
    """The current store's customers, who bought last first; or who spent most, with `by` = `spent`.
    By keyset: `before` is the id of the last of the page before."""
    key = Customer.spent_pesewas if by == "spent" else Customer.last_at
    query = known().order_by(key.desc(), Customer.id.desc()).limit(limit)
    if before is not None:
        last = select(key).where(Customer.id == before).scalar_subquery()
        query = query.where(tuple_(key, Customer.id) < tuple_(last, before))
    return read(query)


def found(typed: str, limit: int) -> list[Known]:
    """Those of a whole number, of its last four digits, or of a name: all that is typed must stand
    in it, in whatever order. Who bought last first."""
    digits = "".join(sign for sign in text_input.compact(typed) if sign.isdigit())
    if any(sign.isalpha() for sign in typed) or len(digits) < ENDING:
        return _named(typed, limit)
    query = known().where(Customer.ending == digits[-ENDING:])
    if len(digits) > ENDING:
        try:
            query = query.where(Order.recipient_msisdn == phones.parse(typed))
        except phones.BadNumber:
            return _named(typed, limit)
    return read(query.order_by(Customer.last_at.desc()).limit(limit))


def _named(typed: str, limit: int) -> list[Known]:
    """Names stand in no index: so many of those who bought last are looked through."""
    few = (
        select(Customer.id, Customer.name)
        .order_by(Customer.last_at.desc(), Customer.id.desc())
        .limit(NAMES_LOOKED_THROUGH)
        .subquery()
    )
    words = typed.split()[:MOST_WORDS]
    in_name = (
        func.strpos(func.lower(few.c.name), func.lower(word)) > 0 for word in words
    )
    theirs = select(few.c.id).where(few.c.name != "", *in_name)
    query = known().where(Customer.id.in_(theirs))
    return read(query.order_by(Customer.last_at.desc()).limit(limit))


def by_id(customer_id: int) -> Known:
    """Raises `NoSuchCustomer`."""
    one = read(known().where(Customer.id == customer_id))
    if not one:
        raise NoSuchCustomer
    return one[0]


def of_order(order: Order) -> Known | None:
    """The customer whose number an order is for; None when there is none."""
    ending = Customer.ending == order.recipient_msisdn[-ENDING:]
    is_theirs = Order.recipient_msisdn == order.recipient_msisdn
    one = read(known().where(ending, is_theirs).limit(1))
    return one[0] if one else None


def bought(one: Known) -> list[Bought]:
    """What they bought lately, to be ordered again."""
    rows = db.session.scalars(
        select(Order)
        .where(Order.recipient_msisdn == one.msisdn)
        .order_by(Order.created_at.desc())
        .limit(LOOKED_THROUGH)
    )
    each = {row.bundle_id: Bought(row.bundle_id, row.bundle_text) for row in rows}
    return list(each.values())[:OFFERED]


@inside_use_case
def forget_words(msisdn: str, store_id: int | None = None) -> None:
    """Empty the name and note of a customer whose row stays, since an order still needs the
    number: in one store, or in all that this work may see."""
    theirs = select(Order.id).where(
        Order.id == Customer.newest_order_id, Order.recipient_msisdn == msisdn
    )
    theirs_here = update(Customer).where(
        Customer.ending == msisdn[-ENDING:], theirs.exists()
    )
    if store_id is not None:
        theirs_here = theirs_here.where(Customer.store_id == store_id)
    db.session.execute(theirs_here.values(name="", note=""))


def why_blocked(
    store_id: ColumnElement[int], recipient: ColumnElement[str]
) -> ScalarSelect[str | None]:
    """Why a number is blocked in a store, for the statement that counts its orders; NULL when it is
    not. Takes `ending`, the number's last digits."""
    return (
        select(Customer.blocked_why)
        .join(
            Order,
            (Order.store_id == Customer.store_id)
            & (Order.id == Customer.newest_order_id),
        )
        .where(
            Customer.store_id == store_id,
            Customer.ending == bindparam("ending", type_=Text),
            Customer.blocked_at.is_not(None),
            Order.recipient_msisdn == recipient,
        )
        .limit(1)
        .scalar_subquery()
    )


def known() -> Select[Customer, str]:
    """Customers with their numbers, which `read` reads."""
    return select(Customer, Order.recipient_msisdn).join(
        Order, Order.id == Customer.newest_order_id
    )


def read(query: Select[Customer, str]) -> list[Known]:
    """The rows of a query that began as `known`."""
    return [Known(row, msisdn) for row, msisdn in db.session.execute(query)]
