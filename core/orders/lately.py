"""How long the last deliveries of a store took."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from sqlalchemy import ColumnElement, Select, literal, select

from core.availability import Now
from core.base import clock
from core.base.db import db
from core.orders.model import Order
from core.orders.states import FINAL

LATELY = timedelta(days=7)
"""How far back deliveries count for what a page says of the next one."""


def usual_minutes(network: str, now: Now) -> int | None:
    """How long the current store's last deliveries on a network took, as a median in minutes.

    None below three, and while buying stands still or nobody has looked whether it does: the past
    promises nothing then.
    """
    if not now.may_promise(network):
        return None
    since = literal(clock.now() - LATELY)
    rows = db.session.execute(lately_delivered(literal(network), since)).all()
    return usual_of(rows, network, now)


def lately_delivered(
    network: ColumnElement[str], since: ColumnElement[datetime]
) -> Select[str, datetime | None, datetime | None]:
    """Network, and from when until when, of its last deliveries."""
    return (
        select(Order.network, Order.queued_at, Order.completed_at)
        .where(
            Order.network == network,
            # of what is over; by its state, a plan for any store reads all that were ever delivered
            *(Order.state != other for other in sorted(FINAL - {"completed"})),
            Order.completed_at > since,
            Order.final_at > since,
        )
        .order_by(Order.final_at.desc())
        .limit(20)
    )


def usual_of(rows: Sequence[Any], network: str, now: Now) -> int | None:
    """As `usual_minutes`, by rows of `lately_delivered`."""
    if not now.may_promise(network):
        return None
    spans = [
        (done - start).total_seconds()
        for its_network, start, done in rows
        if its_network == network and start and done
    ]
    return max(1, round(median(spans) / 60)) if len(spans) >= 3 else None
