"""Which orders the console's list shows, and what stands beside them: without a search, in one
round trip.

Decides how the filters combine. Finding comes from `core.orders`, the counts from `figures`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlencode

from flask import request
from sqlalchemy import ColumnElement, Integer, Select, bindparam, select, true

from admin_console import figures
from core import orders, store_list, stores
from core.base import clock, config, round_trip
from core.base.asks import Ask
from core.base.db import db
from core.base.text_input import one_line, row_id
from core.orders import Order, listing
from core.orders.real import REAL
from core.stores import Store

S = TypeVar("S", bound=Select[*tuple[Any, ...]])

SEARCHED = 500
"""A search looks through its newest so many matches; the filters then pick from these."""
MEANT = 20
"""So many stores are offered for what was typed."""
STUCK = "stuck"
DAYS = {"today": "Ordered today", "ended": "Ended today"}


@dataclass(frozen=True)
class Filters:
    """What the address of the list asks for; empty means all."""

    q: str = ""
    state: str = ""
    store: str = ""
    day: str = ""
    before: int | None = None

    @classmethod
    def of_request(cls) -> Filters:
        said = request.args
        state = said.get("state", "")
        day = said.get("day", "")
        return cls(
            q=one_line(said.get("q", ""), orders.LONGEST_PASTED),
            state=state if state in orders.STATES or state == STUCK else "",
            store=one_line(said.get("store", ""), 60),
            day=day if day in DAYS else "",
            before=row_id(said.get("before", "")),
        )

    def of(self, slug: str) -> str:
        """The list's path with these filters and this store."""
        return replace(self, store=slug, before=None).address()

    def address(self) -> str:
        """The list's path with these filters, for links."""
        pairs = [
            (name, value)
            for name, value in vars(self).items()
            if value not in ("", None)
        ]
        return "/orders" + (f"?{urlencode(pairs)}" if pairs else "")


class Shop(NamedTuple):
    """The store of a row."""

    slug: str
    name: str


@dataclass(frozen=True)
class OrderList:
    """One look at the list. `orders`: those of the page and one more, to be read, not changed.
    `shops`: of each, by id. `first`: the first stores by name."""

    orders: Sequence[Order]
    shops: dict[int, Shop]
    counts: dict[str, int]
    stuck: int
    open_cases: int
    first: Sequence[Any]


def meant(typed: str, found: Sequence[Store]) -> Store | None:
    """The store whose address or name was typed, or the one that begins so; None for none or
    several."""
    exact = [one for one in found if typed.lower() in (one.slug, one.name.lower())]
    if len(exact) == 1 or len(found) == 1:
        return [*exact, *found][0]
    return None


def of_filters(filters: Filters, shop: Store | None) -> OrderList:
    """What the filters let through; `shop` is the store that is meant by them, if one is."""
    values = {
        **figures.stuck_values(),
        "state": filters.state,
        "store_id": shop.id if shop else None,
        "midnight": clock.accra_midnight(),
        "before": filters.before,
        "most": config.current().page_size + 1,
    }
    if filters.store and shop is None:
        return _look([], values)
    if filters.q:
        return _look(_searched(filters, shop, values), values)
    return _look(None, values, _listed(*_shape(filters, shop)))


def _look(
    searched: Sequence[Order] | None, values: dict[str, Any], *listed: Ask
) -> OrderList:
    """With the orders of a search, or with those that are `listed`."""
    asks = [ask.given(**values) for ask in (*_beside(), *listed)]
    counts, stuck, cases, first, *rows = round_trip.read_everything(asks)
    if searched is None:
        found: Sequence[Order] = [round_trip.made(Order, row) for row in rows[0]]
        shops = {row.store_id: Shop(row.shop_slug, row.shop_name) for row in rows[0]}
    else:
        found = searched
        theirs = stores.by_ids([order.store_id for order in found])
        shops = {one.id: Shop(one.slug, one.name) for one in theirs.values()}
    return OrderList(
        found,
        shops,
        {row.state: row.orders for row in counts},
        stuck[0].orders,
        cases[0].cases,
        first,
    )


def _searched(
    filters: Filters, shop: Store | None, values: dict[str, Any]
) -> Sequence[Order]:
    if filters.before is None and (named := orders.by_code(filters.q)):
        return [named]  # in whatever state, store and day it stands
    many = SEARCHED if filters.state or filters.day else values["most"]
    found = orders.find_any(filters.q, many, filters.before, values["store_id"])
    if not (filters.state or filters.day):
        return found
    query = _let_through(select(Order), *_shape(filters, shop))
    query = query.where(Order.id.in_([order.id for order in found]))
    return db.session.scalars(query, values).all()


def _shape(filters: Filters, shop: Store | None) -> tuple[str, bool, str, bool]:
    """Which of the filters there are: as many statements as these."""
    state = filters.state if filters.state in ("", STUCK) else "one"
    return state, shop is not None, filters.day, filters.before is not None


def _let_through(query: S, *shape: Any) -> S:
    query = query.where(*_conditions(*shape)).order_by(Order.id.desc())
    return query.limit(bindparam("most", type_=Integer))


def _conditions(
    state: str, of_store: bool, day: str, is_later: bool
) -> Iterator[ColumnElement[bool]]:
    if state == STUCK:
        yield figures.stuck()
    elif state:
        yield Order.state == bindparam("state", type_=Order.state.type)
    if of_store:
        yield Order.store_id == bindparam("store_id", type_=Order.id.type)
    if day:
        moment = Order.final_at if day == "ended" else Order.created_at
        yield moment >= bindparam("midnight", type_=Order.created_at.type)
    if (state and state != STUCK) or day:
        yield REAL  # as the figures that lead here count
    if is_later:
        yield Order.id < bindparam("before", type_=Order.id.type)


@cache
def _beside() -> list[Ask]:
    asked = (
        figures.by_state(),
        figures.many_stuck(),
        figures.many_open_cases(),
        store_list.by_name(MEANT).with_only_columns(Store.slug, Store.name),
    )
    return list(map(round_trip.ask, asked))


@cache
def _listed(*shape: Any) -> Ask:
    """The orders, each with its store."""
    few = _let_through(select(*listing.COLUMNS), *shape).subquery()
    # one by one: a plan for any limit expects so many orders that it reads all stores first
    shop = (
        select(Store.slug.label("shop_slug"), Store.name.label("shop_name"))
        .where(Store.id == few.c.store_id)
        .limit(1)
        .lateral()
    )
    rows = select(*few.c, *shop.c).join_from(few, shop, true())
    return round_trip.ask(rows.order_by(few.c.id.desc()))
