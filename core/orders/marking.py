"""What a store's people mark on an order for one another: set aside with a reason (`asides`), a
note, "I am on it".

None of it is a state and none moves money. A note is forgotten with the customer's number, so no
line of the timeline repeats it.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from core.audit import Actor
from core.base import clock
from core.base.db import db, transaction
from core.orders import asides, refusals
from core.orders.model import Order
from core.orders.releasing import locked_by_code
from core.orders.timeline import log

LONGEST_NOTE = 200
"""Characters."""
ON_IT = timedelta(minutes=15)
"""So long "Kofi is on it" is said: nobody remembers to take it back."""
_LATELY = 1_000


def set_aside(code: str, reason: str, actor: Actor) -> Order:
    """Put a new order on hold, for one of `asides.REASONS`. Put there before, only the reason
    changes. Raises `refusals.OrderRefused`."""
    if reason not in asides.REASONS:
        raise refusals.WrongState("Choose why it has to wait, then put it on hold.")
    with transaction():
        order = locked_by_code(code)
        if order.state != "pending":
            raise refusals.WrongState(
                "Only a new order can be put on hold: this one is processed, or over."
            )
        if order.release_at is not None:
            raise refusals.WrongState(
                "Process was pressed: undo that first, then put it on hold."
            )
        if order.aside != reason:
            order.aside = reason
            order.version += 1
            log(
                order,
                actor,
                "aside",
                f"{actor.name} put it on hold: {asides.why(order)}.",
            )
        return order


def take_off(code: str, actor: Actor) -> Order:
    """Take an order off hold. Taken off before, it is returned as it is. Raises
    `refusals.NoSuchOrder`."""
    with transaction():
        order = locked_by_code(code)
        if order.aside is not None:
            order.aside = None
            order.version += 1
            log(order, actor, "aside", f"{actor.name} took it off hold.")
        return order


def write_note(code: str, text: str, actor: Actor) -> Order:
    """Keep a note on an order in place of the one before; an empty one takes it away. Raises
    `refusals.OrderRefused`."""
    with transaction():
        order = locked_by_code(code)
        if order.is_masked and text:
            raise refusals.WrongState(
                "Its customer’s number was forgotten, so nothing is noted of them any more."
            )
        if (order.note or "") != text:
            order.note = text or None
            order.version += 1
            said = "wrote a note" if text else "took the note away"
            log(order, actor, "note", f"{actor.name} {said}.")
        return order


def take_on(code: str, actor: Actor, seen: str = "") -> Order:
    """Say "I am on it". `seen` is who was on it on the page that was pressed: somebody else since
    is not pushed aside. Raises `refusals.OrderRefused`."""
    with transaction():
        order = locked_by_code(code)
        if order.is_final:
            raise refusals.WrongState("This order is over: there is nothing to do.")
        who = on_it(order)
        if who not in ("", seen, actor.name):
            raise refusals.WrongState(
                f"{who} is on it since you looked. Ask {who} first."
            )
        if who != actor.name:
            order.version += 1
            log(order, actor, "taken", f"{actor.name} is on it.")
        order.taken_by, order.taken_at = actor.name, clock.now()
        return order


def let_go_of(code: str, actor: Actor) -> Order:
    """Say "I am not on it any more". Somebody else's word stays. Raises `refusals.NoSuchOrder`."""
    with transaction():
        order = locked_by_code(code)
        if on_it(order) == actor.name:
            order.taken_by = order.taken_at = None
            order.version += 1
            log(order, actor, "taken", f"{actor.name} is not on it any more.")
        return order


def on_it(order: Order) -> str:
    """Who said within `ON_IT` that they are on an order that is still new; empty for nobody."""
    if order.state != "pending" or not order.taken_by or order.taken_at is None:
        return ""
    return order.taken_by if clock.now() - order.taken_at < ON_IT else ""


def people() -> list[str]:
    """Who said lately that they are on an order of this store, or processed one: of its newest
    `_LATELY`, by name."""
    lately = (
        select(Order.taken_by)
        .where(Order.taken_by.is_not(None))
        .order_by(Order.id.desc())
        .limit(_LATELY)
        .subquery()
    )
    return sorted(db.session.scalars(select(lately.c.taken_by).distinct()))
