"""What an agent's pages show, in one round trip: what can be bought now, how many orders each tab
holds, the wallet, and one tab's orders with their bundles, or what else a page asks.

The rules are those of `orders`, `availability`, `catalog` and `ledger`; only the asking is put
together here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Integer, Select, Text, and_, bindparam, func, select, text

from core import availability, ledger, orders
from core.base import clock, config, db, round_trip
from core.base.asks import Ask
from core.catalog import Bundle
from core.ledger import Wallet
from core.orders import Order, filtering, held_up, listing, marking, pressing, tabs
from core.orders.filtering import Filter
from core.orders.held_up import Held
from core.orders.tabs import Page
from core.stores import Store

STORE_ID = bindparam("store_id", type_=Store.id.type)
_OURS = Order.store_id == STORE_ID


@dataclass(frozen=True)
class Standing:
    """What several pages of an agent say, whatever else they show. `newest_id`: 0 when there is no
    order."""

    newest_id: int
    now: availability.Now
    counts: dict[str, int]
    wallet: Wallet
    going_pesewas: int

    @property
    def free_pesewas(self) -> int:
        """What one more press may take from the wallet."""
        return pressing.free_of(self.wallet, self.going_pesewas)


@dataclass(frozen=True)
class QueueView:
    """One look at the queue. What a tab lists belongs to no session: it is to be read, not
    changed."""

    stands: Standing
    page: Page
    held: dict[str, Held]


@dataclass(frozen=True)
class Together:
    """Orders that may be pressed at once: how many and what they cost, how many of them are left
    out and why, and the `first` of them, oldest first. Of `filtering.LOOKED_AT` orders."""

    count: int
    cost_pesewas: int
    on_hold: int
    with_others: int
    first: list[Order]


def of_tab(
    store_id: int, tab: str, before: int | None = None, only: Filter = filtering.EVERY
) -> QueueView:
    """One page of a tab, by keyset: `before` is the `next_before` of the page before. With a
    filter, of what it lets through."""
    size = config.current().page_size
    asks, values = _asked(tab, before, only, size)
    stands, found = standing(store_id, asks, **values)
    page = _page(found, size)
    new = [order for order in page.orders if held_up.is_new(order)]
    bundles = {
        row.bundle_id: round_trip.made(Bundle, row, _OF_BUNDLE, _PREFIX)
        for row in {row.bundle_id: row for row in found[0]}.values()
    }
    held = held_up.of_new(new, stands.now, bundles, stands.free_pesewas)
    return QueueView(stands, page, held)


def listed(
    store_id: int, tab: str, before: int | None, only: Filter, size: int
) -> Page:
    """`size` orders of a tab and nothing beside them: for a file."""
    asks, values = _asked(tab, before, only, size)
    asks = [ask.given(store_id=store_id, **values) for ask in asks]
    return _page(round_trip.read(store_id, asks), size)


def together(
    store_id: int, tab: str, only: Filter, who: str
) -> tuple[Standing, Together]:
    """What may be pressed at once of a tab, its first page being `process_many` long: not what is
    on hold, goes already, or has somebody else than `who` on it."""
    most = config.current().process_many
    values = tabs.page_values(None, filtering.LOOKED_AT - 1)
    values |= filtering.values(only, filtering.LOOKED_AT)
    values |= {"who": who, "lately": clock.now() - marking.ON_IT, "first": most}
    stands, (sums, first) = standing(store_id, _together(tab), **values)
    return stands, Together(
        **sums[0]._asdict(), first=[round_trip.made(Order, row) for row in first]
    )


def _asked(
    tab: str, before: int | None, only: Filter, size: int
) -> tuple[list[Ask], dict[str, Any]]:
    is_later = before is not None
    if only == filtering.EVERY:
        return [_listed(tab, is_later=is_later)], tabs.page_values(before, size)
    values = tabs.page_values(before, filtering.LOOKED_AT - 1)
    values |= filtering.values(only, size + 1)
    return [_filtered(tab, is_later=is_later), _end(tab, is_later=is_later)], values


def _page(found: Sequence[Sequence[Any]], size: int) -> Page:
    """Of the rows of `_asked`. Where a filter let less through than a page, the next one goes on
    where it stopped looking."""
    rows, *ends = found
    page = tabs.turned([round_trip.made(Order, row) for row in rows], size)
    if page.next_before is None and ends and ends[0]:
        return Page(page.orders, ends[0][0].id)
    return page


def of_search(store_id: int, typed: str, before: int | None = None) -> QueueView:
    """One page of what a search finds, as `orders.search`, read after the rest."""
    stands, _ = standing(store_id)
    page = orders.search(typed, before)
    return QueueView(stands, page, held_up.on_page(page.orders, stands.now))


def standing(
    store_id: int, asks: Sequence[Ask] = (), **values: Any
) -> tuple[Standing, list[list[Any]]]:
    """How things stand in a store, and in the same round trip the rows of more `asks`, which name
    `STORE_ID` and take `values`. What was read before gives its connection back, so that nobody
    holds two."""
    db.end_read()
    values |= {"store_id": store_id, **tabs.count_values()}
    every = [ask.given(**values) for ask in (*_beside(), *asks)]
    newest, now, counts, accounts, going, *rows = round_trip.read(store_id, every)
    stands = Standing(
        newest[0].id if newest else 0,
        availability.of_row(now[0]),
        counts[0]._asdict(),
        ledger.wallet_by(accounts),
        int(going[0].pesewas),
    )
    return stands, rows


@cache
def _beside() -> list[Ask]:
    asked = (
        tabs.newest(_OURS),
        text(availability.ASK),
        tabs.counts(_OURS),
        ledger.accounts_of(STORE_ID),
        pressing.going(_OURS),
    )
    return list(map(round_trip.ask, asked))


_PREFIX = "bundle_"
_OF_BUNDLE = ("active", "unlisted_since", "cost_pesewas", "agent_price_pesewas")
"""Columns by which it is seen whether it can be bought."""


@cache
def _listed(tab: str, *, is_later: bool) -> Ask:
    """The orders of a page, each with its bundle: asked by itself, another press might have come
    in between. First these few orders are found, then their bundles."""
    rows = tabs.on_tab(select(*listing.COLUMNS), tab, _OURS, is_later=is_later)
    return _with_bundles(tab, rows)


@cache
def _filtered(tab: str, *, is_later: bool) -> Ask:
    """As `_listed`, of what a filter lets through."""
    rows = tabs.on_tab(select(*listing.COLUMNS), tab, _OURS, is_later=is_later)
    return _with_bundles(tab, filtering.of(tab, rows))


@cache
def _end(tab: str, *, is_later: bool) -> Ask:
    """The last order that a filter looks at; no row where it looks at all that follow."""
    rows = tabs.on_tab(select(Order.id), tab, _OURS, is_later=is_later)
    return round_trip.ask(rows.limit(1).offset(filtering.LOOKED_AT - 1))


@cache
def _together(tab: str) -> list[Ask]:
    """What may be pressed at once: its sums, and its first orders."""
    all_rows = tabs.on_tab(select(*listing.COLUMNS), tab, _OURS, is_later=False)
    one = filtering.of(tab, all_rows).subquery().c
    is_new = and_(one.state == "pending", one.release_at.is_(None), ~one.is_test)
    others = and_(
        one.aside.is_(None),
        func.coalesce(one.taken_by, bindparam("who", type_=Text())) != bindparam("who"),
        one.taken_at > bindparam("lately", type_=Order.taken_at.type),
    )
    free = and_(is_new, one.aside.is_(None), others.is_not(True))
    cost = func.sum(one.agent_price_pesewas).filter(free)
    sums = select(
        func.count().filter(free).label("count"),
        func.coalesce(cost, 0).label("cost_pesewas"),
        func.count().filter(is_new, one.aside.is_not(None)).label("on_hold"),
        func.count().filter(is_new, others).label("with_others"),
    )
    first = select(*one).where(free).order_by(*tabs.in_order(tab, one))
    first = first.limit(bindparam("first", type_=Integer()))
    return [round_trip.ask(sums), round_trip.ask(first)]


def _with_bundles(tab: str, rows: Select[*tuple[Any, ...]]) -> Ask:
    few = rows.subquery().c
    theirs = round_trip.labelled(Bundle, _OF_BUNDLE, _PREFIX)
    both = select(*few, *theirs).join(Bundle, Bundle.id == few.bundle_id)
    return round_trip.ask(both.order_by(*tabs.in_order(tab, few)))
