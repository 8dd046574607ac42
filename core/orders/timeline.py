"""An order's timeline: one line for every change of state, call, webhook and human act. Append
only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, select

from core import cases
from core.audit import WORKER, Actor
from core.base import clock, phones
from core.base.db import db
from core.base.preconditions import inside_use_case
from core.orders.events import OrderEvent
from core.orders.model import Order


@dataclass(frozen=True)
class Moment:
    """A line as a page shows it: when, who, what in words, the colour of its dot, folded detail."""

    at: datetime
    who: str
    text: str
    icon: str = ""
    detail: str | list[str] = ""


@inside_use_case
def log(
    order: Order,
    actor: Actor,
    kind: str,
    text: str,
    *,
    customer_text: str | None = None,
    detail: dict[str, Any] | None = None,
) -> None:
    """Add a line to an order's timeline."""
    made = line(
        order.store_id, actor, kind, text, customer_text=customer_text, detail=detail
    )
    db.session.add(OrderEvent(order_id=order.id, **made))


def line(
    store_id: int,
    actor: Actor,
    kind: str,
    text: str,
    *,
    customer_text: str | None = None,
    detail: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The columns of a line, but for the order's. Phone numbers in it are masked."""
    return {
        "store_id": store_id,
        "at": clock.now(),
        "who": actor.kind,
        "who_name": actor.name,
        "kind": kind,
        "text": phones.hide(text),
        "customer_text": phones.hide(customer_text),
        "detail": phones.hide(detail),
    }


@inside_use_case
def open_case(order: Order, kind: str, evidence: dict[str, Any]) -> None:
    """Open a case about a locked order and say so on its timeline.

    Not when a person has judged this very news before: see `cases.JUDGED_ONCE`.
    """
    subject = f"order:{order.id}"
    is_new = not cases.is_open(kind, subject)
    if is_new and cases.judged_before(kind, subject, evidence):
        return
    case = cases.open_case(
        kind,
        subject,
        evidence,
        store_id=order.store_id,
        order_id=order.id,
    )
    if is_new:
        order.version += 1  # pages that say who is looking at the order are drawn anew
        log(
            order,
            WORKER,
            "case",
            f"A person will look at this: {case.title}.",
            detail=evidence,
        )


def count_lines(order: Order, kind: str) -> int:
    """How many lines of one kind an order has."""
    return db.session.scalar(_LINES, {"order_id": order.id, "kind": kind}) or 0


_LINES = (
    select(func.count())
    .select_from(OrderEvent)
    .where(
        OrderEvent.order_id == bindparam("order_id"),
        OrderEvent.kind == bindparam("kind"),
    )
)


def timeline(order: Order) -> list[OrderEvent]:
    """Every line of an order, oldest first."""
    return list(
        db.session.scalars(
            select(OrderEvent)
            .where(OrderEvent.order_id == order.id)
            .order_by(OrderEvent.id)
        )
    )
