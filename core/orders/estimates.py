"""When an order should be there: counted from deliveries, and kept by each order that is processed.

Renewed by the relay every few minutes, by indexes of what was delivered lately: what it costs does
not grow with all orders. Renewed twice it is the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Index,
    Interval,
    Select,
    and_,
    case,
    extract,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import insert

from core import delivery_times
from core.base import clock, config
from core.base.db import db, transaction
from core.base.phones import NETWORKS
from core.base.preconditions import needs_across_stores
from core.delivery_times import DeliveryEstimate, StoreRecord
from core.orders.model import Order
from core.orders.real import REAL
from core.orders.states import WORK

FIGURES = (5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 360, 480, 720, 1_440)
"""Minutes, as people say them. What nine of ten do not keep to within a day has no figure."""
WEEK = timedelta(days=7)
MONTH = timedelta(days=30)
_DAY = timedelta(days=1)
_UNDER_WAY = timedelta(minutes=1)
"""A delivery is written by its commit, a moment after the time it carries."""
STORES_A_ROUND = 50
_MINUTE: ColumnElement[timedelta] = literal_column("interval '1 minute'", Interval())
_IS_IN_WORK = Order.state.in_([literal_column(f"'{state}'") for state in sorted(WORK)])
"""In words: a plan made for any states would not use `ix_orders_open`."""

# What is counted here is found by these.
Index(
    "ix_orders_delivered",
    Order.network,
    Order.completed_at,
    postgresql_include=["store_id", "queued_at"],
    postgresql_where=Order.completed_at.is_not(None),
)
Index(
    "ix_orders_estimated",
    Order.network,
    Order.queued_at,
    postgresql_where=Order.estimate_minutes.is_not(None),
)


def due_at(order: Order) -> datetime | None:
    """From when an order counts as overdue for its customer; None before it is processed.

    Its own estimate after that moment; without one, `no_estimate_s`.
    """
    if order.queued_at is None:
        return None
    if order.estimate_minutes is None:
        return order.queued_at + clock.delta(config.current().no_estimate_s)
    return order.queued_at + timedelta(minutes=order.estimate_minutes)


def is_overdue(order: Order) -> bool:
    """Whether it is under way for longer than it should take."""
    due = due_at(order)
    return order.state in WORK and due is not None and clock.now() > due


@needs_across_stores
def renew() -> int:
    """Count the estimates anew, and the records of stores that have delivered since. Returns of how
    many stores.

    A store that no longer delivers is counted once a day, since its 30 days go on.
    """
    with transaction():
        newest = db.session.scalar(select(func.max(DeliveryEstimate.renewed_at)))
        for network in sorted(NETWORKS):
            _renew_network(network)
        return _renew_stores(newest)


def figure_of(
    took: Sequence[timedelta], open_for: Sequence[timedelta] = ()
) -> int | None:
    """The least of `FIGURES` within which nine of ten came. What is still under way for longer
    than a figure has not come within it."""
    for minutes in FIGURES:
        limit = timedelta(minutes=minutes)
        came = sum(one <= limit for one in took)
        late = sum(one > limit for one in open_for)
        if took and 10 * came >= 9 * (len(took) + late):
            return minutes
    return None


def _renew_network(network: str) -> None:
    now = clock.now()
    came = db.session.execute(_came(network, now - WEEK)).all()
    # not such over which the clock was set back
    took = [done - start for start, done in came if done >= start]
    # of the same time as what they are compared with
    is_whole_week = len(came) < delivery_times.COUNTED_MOST
    since = now - WEEK if is_whole_week else min(done for _, done in came)
    started = db.session.scalars(_under_way(network, since)).all()
    minutes = figure_of(took, [now - start for start in started])
    estimated, in_time = db.session.execute(_run_out(network, now)).one()
    values = {
        "minutes": minutes,
        "counted": len(took),
        "in_time": in_time,
        "estimated": estimated,
        "renewed_at": now,
    }
    db.session.execute(
        insert(DeliveryEstimate)
        .values(network=network, **values)
        .on_conflict_do_update(index_elements=["network"], set_=values)
    )


def _came(network: str, since: datetime) -> Select[Any, Any]:
    return (
        select(Order.queued_at, Order.completed_at)
        .where(
            Order.network == network,
            Order.completed_at > since,
            Order.queued_at.is_not(None),
            REAL,
        )
        .order_by(Order.completed_at.desc())
        .limit(delivery_times.COUNTED_MOST)
    )


def _under_way(network: str, since: datetime) -> Select[Any]:
    return (
        select(Order.queued_at)
        .where(
            Order.network == network,
            _IS_IN_WORK,
            Order.queued_at > since,
            REAL,
        )
        .order_by(Order.queued_at)
        .limit(delivery_times.COUNTED_MOST)
    )


def _run_out(network: str, now: datetime) -> Select[int, int]:
    """Of the newest orders whose own estimate has run out: how many, and how many had come by
    then.

    Not delivered is not right, whatever the reason; only what was cancelled before its time is left
    out. One whose time is still to come says nothing yet, even if it has come: else the quick would
    count before the slow.
    """
    due = Order.queued_at + Order.estimate_minutes * _MINUTE
    newest = (
        select((Order.completed_at <= due).label("is_in_time"))
        .where(
            Order.network == network,
            # never that of a test order, by a CHECK
            Order.estimate_minutes.is_not(None),
            Order.queued_at > now - WEEK,
            due <= now,
            or_(Order.state != "cancelled", Order.final_at > due),
        )
        .order_by(Order.queued_at.desc())
        .limit(delivery_times.COUNTED_MOST)
        .subquery()
    )
    in_time = func.count().filter(newest.c.is_in_time)
    return select(func.count(), in_time).select_from(newest)


def _renew_stores(newest: datetime | None) -> int:
    """Count the records of a bounded number of stores anew, in one statement."""
    now = clock.now()
    since = max(newest or now - _DAY, now - _DAY) - _UNDER_WAY
    ids = sorted(db.session.scalars(_to_count(since, now)).all())
    if not ids:
        return 0
    theirs = select(func.unnest(literal(ids)).label("id")).subquery()
    counted = _delivered(theirs.c.id, now - MONTH).lateral()
    half = func.ceil(extract("epoch", counted.c.half) / 60)
    rows = select(
        theirs.c.id,
        counted.c.delivered,
        func.greatest(1, half),
        literal(now),
    ).join_from(theirs, counted, true())
    names = ["store_id", "delivered", "half_within_minutes", "renewed_at"]
    into = insert(StoreRecord).from_select(names, rows.order_by(theirs.c.id))
    fresh = {name: into.excluded[name] for name in names[1:]}
    db.session.execute(
        into.on_conflict_do_update(index_elements=["store_id"], set_=fresh)
    )
    return len(ids)


def _to_count(since: datetime, now: datetime) -> Select[int]:
    """Stores that delivered since, and those not counted for a day; the longest uncounted first."""
    delivered = (
        select(Order.store_id)
        .where(Order.network.in_(sorted(NETWORKS)), Order.completed_at > since, REAL)
        .distinct()
        .subquery()
    )
    either = union_all(
        select(delivered.c.store_id, StoreRecord.renewed_at).outerjoin(
            StoreRecord, StoreRecord.store_id == delivered.c.store_id
        ),
        select(StoreRecord.store_id, StoreRecord.renewed_at)
        .where(StoreRecord.renewed_at < now - _DAY)
        .order_by(StoreRecord.renewed_at)
        .limit(STORES_A_ROUND),
    ).subquery()
    return (
        select(either.c.store_id)
        .group_by(either.c.store_id)
        .order_by(func.min(either.c.renewed_at).nulls_first())
        .limit(STORES_A_ROUND)
    )


def _delivered(store_id: ColumnElement[int], since: datetime) -> Select[int, timedelta]:
    """How many of a store's orders came, and within what time half of them."""
    took = case(
        (Order.completed_at >= Order.queued_at, Order.completed_at - Order.queued_at)
    ).label("took")
    newest = (
        select(took)
        .where(
            Order.store_id == store_id,
            and_(Order.final_at.is_not(None), Order.final_at > since),
            Order.state == "completed",
            REAL,
        )
        .order_by(Order.final_at.desc())
        .limit(delivery_times.DELIVERED_MOST)
        .correlate_except(Order)
        .subquery()
    )
    half = func.percentile_disc(0.5).within_group(newest.c.took)
    return select(func.count().label("delivered"), half.label("half")).select_from(
        newest
    )
