"""What a customer says when the data has not come: the report, the store's answer to it, and when
it may be made.

A report moves no money and no state: the agent looks, asks the supplier, and answers. While one is
open the order stands in the queue's *Not received*.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ForeignKeyConstraint, Index, Select, func, select
from sqlalchemy.orm import Mapped, mapped_column

from core.audit import CUSTOMER, Actor
from core.base import clock, config
from core.base.db import Model, db, transaction
from core.base.language import later, say
from core.base.tenancy import StoreScoped
from core.orders import estimates, refusals, telling
from core.orders.model import Order
from core.orders.releasing import locked_by_code
from core.orders.timeline import log

BALANCES = {
    "none": later("no new data"),
    "less": later("less data than ordered"),
    "unseen": later("not looked at yet"),
}
"""What the phone's balance shows, as the customer sees it."""
ANSWERS = {
    "came": later("The store answered: the data is there now."),
    "delivered": later(
        "The store answered: the network confirms that it delivered to this number."
    ),
    "asked": later("The store answered: the supplier has been asked."),
    "back": later("The store answered: your money goes back to you."),
}
_IN_OWN_WORDS = later("The store answered:")
MOST_REPORTS = 3
"""Reports of one order; then the store is to be asked."""
LONGEST_WORDS = 300
LONGEST_CONTACT = 60
SETTLES_IN = timedelta(minutes=15)
"""A network's own message may come so long after it has delivered."""
OPEN_FOR = timedelta(days=7)
"""So long after an order's end it may be said that it has not come."""
RATE_OVER = timedelta(days=30)

Index(
    "ix_orders_missing",
    Order.store_id,
    Order.id,
    postgresql_where=Order.missing_since.is_not(None),
)


class Report(Model, StoreScoped):
    """One report and its answer."""

    __tablename__ = "not_received"
    __table_args__ = (
        ForeignKeyConstraint(
            ["store_id", "order_id"], ["orders.store_id", "orders.id"]
        ),
        Index("ix_not_received_order", "order_id", "id"),
        Index("ix_not_received_opened", "store_id", "opened_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int]
    opened_at: Mapped[datetime] = mapped_column(default=clock.now)
    balance: Mapped[str]
    words: Mapped[str]
    contact: Mapped[str]
    answered_at: Mapped[datetime | None]
    answered_by: Mapped[str | None]
    answer: Mapped[str | None]
    answer_words: Mapped[str | None]


def opens_at(order: Order) -> datetime | None:
    """From when its customer may say that nothing came; None when they may not, also when its
    number is forgotten: what they told would stay."""
    if order.is_masked or order.is_test:
        return None
    if order.state == "completed" and order.completed_at is not None:
        return order.completed_at + SETTLES_IN
    if order.state in ("processing", "failed"):
        return estimates.due_at(order)
    return None


def closes_at(order: Order) -> datetime | None:
    """Until when; None while it is not over."""
    if order.final_at is None:
        return None
    return order.final_at + OPEN_FOR


def may_report(order: Order) -> bool:
    """Whether the customer is offered to say it now."""
    opens, closes, now = opens_at(order), closes_at(order), clock.now()
    if opens is None or order.missing_since is not None:
        return False
    return opens <= now and (closes is None or now < closes)


def report(code: str, balance: str, words: str, contact: str) -> Order:
    """The customer says that nothing came. Said twice it is said once. Raises
    `refusals.OrderRefused`."""
    if balance not in BALANCES:
        raise refusals.WrongState(say("Choose what the balance of the phone shows."))
    with transaction() as session:
        order = locked_by_code(code)
        if order.missing_since is not None:
            return order
        if not may_report(order):
            raise refusals.WrongState(_why_not(order))
        if _count(order) >= MOST_REPORTS:
            raise refusals.WrongState(
                say(
                    "You have reported it several times already. Send the store a message with the"
                    " code of this order."
                )
            )
        order.missing_since = clock.now()
        order.owner_asked_at = None
        order.version += 1
        session.add(
            Report(
                store_id=order.store_id,
                order_id=order.id,
                opened_at=order.missing_since,
                balance=balance,
                words=words[:LONGEST_WORDS],
                contact=contact[:LONGEST_CONTACT],
            )
        )
        log(
            order,
            CUSTOMER,
            "not_received",
            f"The customer says that the data has not come: {BALANCES[balance]}.",
            customer_text=later("You said that it has not come"),
        )
        return order


def answer(code: str, how: str, words: str, actor: Actor) -> Order:
    """The store answers: `how` is of `ANSWERS`, or empty with words of its own. Answered before,
    the order is returned as it is. Raises `refusals.OrderRefused`."""
    if how not in ANSWERS and not words:
        raise refusals.WrongState("Choose an answer, or write one.")
    with transaction() as session:
        order = locked_by_code(code)
        if order.missing_since is None:
            return order
        one = session.scalars(
            _of(order).where(Report.answered_at.is_(None)).with_for_update()
        ).one()
        one.answered_at = clock.now()
        one.answered_by = actor.name
        one.answer = how if how in ANSWERS else "other"
        one.answer_words = words[:LONGEST_WORDS]
        order.missing_since = order.owner_asked_at = None
        order.version += 1
        answered = ANSWERS.get(how, _IN_OWN_WORDS)
        text = f"{actor.name} to the customer: {answered.partition(': ')[2]}"
        log(
            order,
            actor,
            "not_received_answered",
            text.rstrip(": "),
            customer_text=answered,
        )
        if words:  # a line of its own: it is said as it was written, in every language
            quoted = f"“{words}”"
            log(order, actor, "answer_words", quoted, customer_text=quoted)
        return order


def last_of(order: Order) -> Report | None:
    """The newest report of an order."""
    query = _of(order).order_by(Report.id.desc()).limit(1)
    return db.session.scalars(query).first()


def reported(store_id: int) -> int:
    """Orders of one store whose customers said in `RATE_OVER` that nothing came."""
    found = db.session.scalar(
        select(func.count(Report.order_id.distinct())).where(
            Report.store_id == store_id, Report.opened_at > clock.now() - RATE_OVER
        )
    )
    return found or 0


def customer_words(order: Order, store: str) -> str:
    """What the customer reads while a report is open; empty otherwise."""
    if order.missing_since is None:
        return ""
    told = say(
        "You told %(store)s at %(at)s that it has not come.",
        store=store,
        at=clock.shown(order.missing_since),
    )
    return telling.until_answered(
        order,
        told,
        say("They look into it and answer here."),
        order.missing_since + clock.delta(config.current().answer_s),
    )


def _of(order: Order) -> Select[Report]:
    return select(Report).where(Report.order_id == order.id)


def _count(order: Order) -> int:
    query = select(func.count()).where(Report.order_id == order.id)
    return db.session.scalar(query) or 0


def _why_not(order: Order) -> str:
    opens, closes = opens_at(order), closes_at(order)
    if order.is_masked:
        return say(
            "The number of this order has been forgotten, so it cannot be looked into here. Send"
            " the store a message with its code."
        )
    if opens is None:
        return say("Nothing has been sent for this order, so nothing can be missing.")
    if closes is not None and clock.now() >= closes:
        return say(
            "This order ended too long ago to be looked into here. Send the store a message with"
            " its code."
        )
    return say(
        "It may still come. You can say so from %(at)s on.", at=clock.shown(opens)
    )
