"""The queue's tabs: which orders stand in which, in what order, and how many."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    bindparam,
    func,
    literal_column,
    or_,
    select,
    tuple_,
)
from sqlalchemy.orm import InstrumentedAttribute

from core.base import clock, config
from core.base.db import db
from core.orders.giving_back import awaits_giving_back
from core.orders.model import Order
from core.orders.searching import find_any

TABS = ("new", "paid", "processing", "late", "failed", "missing", "back", "done", "all")
_OLDEST_FIRST = ("new", "paid", "late", "missing", "back")
_STATES_OF = {
    "new": ("pending",),
    "processing": ("queued", "submitting", "processing"),
    "failed": ("failed",),
}
_OVER = ("completed", "refunded", "cancelled", "expired")
_SORTED_BY: dict[str, InstrumentedAttribute[object]] = {
    "done": Order.final_at,
    "failed": Order.failed_since,
}
"""The moment that the tab shows and sorts by, newest first; the others go by when they were
placed."""


@dataclass(frozen=True)
class Page:
    """One page of orders and the id to continue from, None at the end."""

    orders: list[Order]
    next_before: int | None


def queue(
    tab: str,
    before: int | None = None,
    limit: int | None = None,
) -> Page:
    """One page of a tab, by keyset: `before` is the `next_before` of the page before. An unknown
    tab reads as `new`."""
    query = select(Order).where(_tab(tab))
    if tab in _SORTED_BY:
        return _page_by(_SORTED_BY[tab], query, before, limit)
    return _page(
        query, before, limit, oldest_first=tab in _OLDEST_FIRST or tab not in TABS
    )


def search(
    typed: str,
    before: int | None = None,
    limit: int | None = None,
) -> Page:
    """One page of what a search finds in all tabs, newest first. An empty search finds
    everything."""
    size = limit or config.current().page_size
    return _turned(find_any(typed, size + 1, before), size)


def tab_of(order: Order) -> str:
    """The tab in which an order stands; one that is late stands in `late` as well. Empty before it
    is paid online."""
    if order.owes_back and order.given_back_at is None:
        return "back"
    found = (tab for tab, states in _STATES_OF.items() if order.state in states)
    return next(found, "done" if order.state in _OVER else "")


def newest_id() -> int:
    """The id of the newest order in what this work may see, 0 when there is none."""
    query = select(Order.id).order_by(Order.id.desc()).limit(1)
    return db.session.scalar(query) or 0


def newer_than(order_id: int) -> int:
    """How many pending orders came after this one, for the "4 new orders" bar."""
    count = db.session.scalar(
        select(func.count())
        .select_from(Order)
        .where(Order.state == "pending", Order.id > order_id)
    )
    return int(count or 0)


def tab_counts() -> dict[str, int]:
    """How many orders each tab of the queue holds; `done` and `all` count today's only, since
    history only grows."""
    row = db.session.execute(
        _counts(), {"midnight": clock.accra_midnight(), **_late_limits()}
    ).one()
    return dict(row._mapping)


@cache
def _counts() -> Select[*tuple[Any, ...]]:
    """Put together once: that takes longer than to ask it. Each count is a question of its own,
    with an index of its own: one of them all is a scan of the store's history."""
    today = Order.created_at >= _moment("midnight")
    counts = []
    for tab in TABS:
        count = select(func.count()).select_from(Order).where(_tab(tab))
        if tab in ("done", "all"):
            count = count.where(today)
        counts.append(count.scalar_subquery().label(tab))
    return select(*counts)


def _page(
    query: Select[Order],
    before: int | None,
    limit: int | None,
    *,
    oldest_first: bool = False,
) -> Page:
    if oldest_first:
        if before is not None:
            query = query.where(Order.id > before)
        return _cut(query.order_by(Order.id), limit)
    if before is not None:
        query = query.where(Order.id < before)
    return _cut(query.order_by(Order.id.desc()), limit)


def _page_by(
    moment: InstrumentedAttribute[object],
    query: Select[Order],
    before: int | None,
    limit: int | None,
) -> Page:
    if before is not None:
        last = select(moment).where(Order.id == before).scalar_subquery()
        query = query.where(tuple_(moment, Order.id) < tuple_(last, before))
    return _cut(query.order_by(moment.desc(), Order.id.desc()), limit)


def _cut(query: Select[Order], limit: int | None) -> Page:
    size = limit or config.current().page_size
    rows = list(db.session.scalars(query.limit(size + 1), _late_limits()))
    return _turned(rows, size)


def _turned(rows: list[Order], size: int) -> Page:
    """A page of what was read with one more, by which it is known that another follows."""
    if len(rows) <= size:
        return Page(rows, None)
    last = rows[size - 1]
    return Page(rows[:size], last.id)


def _tab(tab: str) -> ColumnElement[bool]:
    if tab == "all":
        return Order.id > 0
    if tab == "back":
        return awaits_giving_back()
    if tab == "done":
        return and_(Order.final_at.is_not(None), ~awaits_giving_back())
    if tab == "late":
        return _is_late()
    if tab == "paid":
        # in words: a plan for any state would not use its index
        return and_(
            Order.state == literal_column("'pending'"), Order.told_at.is_not(None)
        )
    if tab == "missing":
        return Order.missing_since.is_not(None)
    return Order.state.in_(_STATES_OF.get(tab, _STATES_OF["new"]))


def _is_late() -> ColumnElement[bool]:
    """In line, at the supplier, or told to be paid, for longer than the settings allow:
    `_late_limits` must be given."""
    return or_(
        and_(
            Order.state == "processing",
            Order.processing_at < _moment("processing_limit"),
        ),
        and_(
            Order.state.in_(("queued", "submitting")),
            Order.queued_at < _moment("queued_limit"),
        ),
        and_(
            Order.state == "pending",
            Order.told_at < _moment("told_limit"),
        ),
    )


def _late_limits() -> dict[str, datetime]:
    now, settings = clock.now(), config.current()
    return {
        "processing_limit": now - clock.delta(settings.late_processing_s),
        "queued_limit": now - clock.delta(settings.late_queued_s),
        "told_limit": now - clock.delta(settings.answer_s),
    }


def _moment(name: str) -> ColumnElement[datetime]:
    return bindparam(name, type_=Order.created_at.type)
