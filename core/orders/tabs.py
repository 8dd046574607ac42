"""The queue's tabs: which orders stand in which, in what order, and how many."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    and_,
    bindparam,
    case,
    func,
    literal_column,
    or_,
    select,
    tuple_,
)

from core.base import clock, config
from core.base.db import db
from core.orders.giving_back import awaits_giving_back
from core.orders.model import Order
from core.orders.real import REAL
from core.orders.searching import find_any
from core.orders.states import State

S = TypeVar("S", bound=Select[*tuple[Any, ...]])

TABS = ("new", "paid", "processing", "late", "failed", "missing", "back", "done", "all")
_OLDEST_FIRST = ("new", "paid", "late", "missing", "back")
_STATES_OF: dict[str, tuple[State, ...]] = {
    "new": ("pending",),
    "processing": ("queued", "submitting", "processing"),
    "failed": ("failed",),
}
_OVER = ("completed", "refunded", "cancelled", "expired")
_SORTED_BY = {"done": "final_at", "failed": "failed_since"}
"""The moment that the tab shows and sorts by, newest first; the others go by when they were
placed."""


MOST_COUNTED = 1_000
"""No tab counts more: with ten thousand open orders, counting them was most of a page."""


@dataclass(frozen=True)
class Page:
    """One page of orders and the id to continue from, None at the end."""

    orders: list[Order]
    next_before: int | None


def search(
    typed: str,
    before: int | None = None,
    limit: int | None = None,
) -> Page:
    """One page of what a search finds in all tabs, newest first. An empty search finds
    everything."""
    size = limit or config.current().page_size
    return turned(find_any(typed, size + 1, before), size)


def tab_of(order: Order) -> str:
    """The tab in which an order stands; one that is late stands in `late` as well. Empty before it
    is paid online."""
    if order.owes_back and order.given_back_at is None:
        return "back"
    found = (tab for tab, states in _STATES_OF.items() if order.state in states)
    return next(found, "done" if order.state in _OVER else "")


def newest(*ours: ColumnElement[bool]) -> Select[int]:
    """The newest order's id of those that meet `ours`; no row for none."""
    return select(Order.id).where(*ours).order_by(Order.id.desc()).limit(1)


def newer_than(order_id: int) -> int:
    """How many pending orders came after this one, at most `MOST_COUNTED`: for the "4 new orders"
    bar."""
    newer = (
        select(Order.id)
        .where(Order.state == "pending", Order.id > order_id)
        .limit(MOST_COUNTED)
        .subquery()
    )
    return int(db.session.scalar(select(func.count()).select_from(newer)) or 0)


def tab_counts() -> dict[str, int]:
    """How many orders each tab of the queue holds, at most `MOST_COUNTED`; `done` and `all` count
    today's only, since history only grows."""
    row = db.session.execute(_counts(), count_values()).one()
    return dict(row._mapping)


def counts(*ours: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    """One row with a column for each tab: how many it holds of the orders that meet `ours`, at
    most `MOST_COUNTED`; takes `count_values`. Each count is a question of its own, with an index of
    its own: one of them all is a scan of the store's history."""
    today = Order.created_at >= _moment("midnight")
    asked = []
    for tab in TABS:
        some = select(Order.id).where(_tab(tab), *ours)
        if tab in ("done", "all"):
            # in this order they stand in an index; without one, a few may be looked for anywhere
            some = some.where(today).order_by(Order.created_at.desc())
        few = some.limit(MOST_COUNTED).subquery()
        count = select(func.count()).select_from(few)
        asked.append(count.scalar_subquery().label(tab))
    return select(*asked)


def count_values() -> dict[str, datetime]:
    """What `counts` takes."""
    return {"midnight": clock.accra_midnight(), **_late_limits()}


@cache
def _counts() -> Select[*tuple[Any, ...]]:
    """Put together once: that takes longer than to ask it."""
    return counts()


def on_tab(query: S, tab: str, *ours: ColumnElement[bool], is_later: bool) -> S:
    """The orders of `query` that meet `ours` and stand on one page of a tab, and one more, by which
    it is known that another page follows; takes `page_values`. `is_later`: not the first page. An
    unknown tab reads as `new`."""
    query = query.where(_tab(tab), *ours).limit(bindparam("most", type_=Integer))
    query = query.order_by(*in_order(tab, Order))
    if not is_later:
        return query
    before = bindparam("before", type_=Order.id.type)
    if moment := _SORTED_BY.get(tab):
        at = getattr(Order, moment)
        last = select(at).where(Order.id == before, *ours).scalar_subquery()
        return query.where(tuple_(at, Order.id) < tuple_(last, before))
    if _is_oldest_first(tab):
        return query.where(Order.id > before)
    return query.where(Order.id < before)


def in_order(tab: str, of: Any) -> list[ColumnElement[Any]]:
    """How a tab sorts its orders, whose columns `of` has."""
    if moment := _SORTED_BY.get(tab):
        return [getattr(of, moment).desc(), of.id.desc()]
    return [of.id if _is_oldest_first(tab) else of.id.desc()]


def _is_oldest_first(tab: str) -> bool:
    return tab in _OLDEST_FIRST or tab not in TABS


def page_values(before: int | None, size: int) -> dict[str, Any]:
    """What `on_tab` takes: by keyset, `before` is the `next_before` of the page before."""
    return {"before": before, "most": size + 1, **_late_limits()}


def turned(rows: list[Order], size: int) -> Page:
    """A page of what was read with one more."""
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
        return is_late()
    if tab == "paid":
        return and_(
            is_in("pending"),
            REAL,
            or_(Order.told_at.is_not(None), Order.confirmed_at.is_not(None)),
        )
    if tab == "missing":
        return Order.missing_since.is_not(None)
    return is_in(*_STATES_OF.get(tab, _STATES_OF["new"]))


def is_in(*states: State) -> ColumnElement[bool]:
    """In words: a plan for any state knows of no state that it is rare, and reads all orders."""
    words: list[ColumnElement[str]] = [literal_column(f"'{state}'") for state in states]
    return Order.state == words[0] if len(words) == 1 else Order.state.in_(words)


FAILED_AT: ColumnElement[Any] = case(
    (Order.failed_since.is_not(None), Order.failed_since), else_=Order.final_at
)
"""When an order that is `UNDELIVERED` failed. Both as `ix_orders_undelivered` says them: a CASE,
since row-level security keeps a COALESCE from being looked up in an index."""
UNDELIVERED: ColumnElement[bool] = or_(
    Order.failed_since.is_not(None), is_in("refunded")
)


def is_late() -> ColumnElement[bool]:
    """In line, at the supplier, or told to be paid, for longer than the settings allow:
    `_late_limits` must be given."""
    return or_(
        and_(
            is_in("processing"),
            Order.processing_at < _moment("processing_limit"),
        ),
        and_(
            is_in("queued", "submitting"),
            Order.queued_at < _moment("queued_limit"),
        ),
        and_(
            is_in("pending"),
            Order.told_at.is_not(None),
            Order.told_at < _moment("told_limit"),
        ),
    )


def late_since() -> ColumnElement[Any]:
    """From when an order of the tab *late* is late; takes `late_values`."""

    def since(moment: Any, limit: str) -> Any:
        return moment + (_moment("late_now") - _moment(limit))

    return case(
        (is_in("processing"), since(Order.processing_at, "processing_limit")),
        (is_in("queued", "submitting"), since(Order.queued_at, "queued_limit")),
        else_=since(Order.told_at, "told_limit"),
    )


def late_values() -> dict[str, datetime]:
    """What `is_late` and `late_since` take."""
    limits = _late_limits()
    return {"late_now": clock.now(), **limits}


def _late_limits() -> dict[str, datetime]:
    now, settings = clock.now(), config.current()
    return {
        "processing_limit": now - clock.delta(settings.late_processing_s),
        "queued_limit": now - clock.delta(settings.late_queued_s),
        "told_limit": now - clock.delta(settings.answer_s),
    }


def _moment(name: str) -> ColumnElement[datetime]:
    return bindparam(name, type_=Order.created_at.type)
