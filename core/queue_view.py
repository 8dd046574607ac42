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

from sqlalchemy import bindparam, select, text

from core import availability, ledger, orders
from core.base import config, db, round_trip
from core.base.asks import Ask
from core.catalog import Bundle
from core.ledger import Wallet
from core.orders import Order, held_up, listing, pressing, tabs
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


def of_tab(store_id: int, tab: str, before: int | None = None) -> QueueView:
    """One page of a tab, by keyset: `before` is the `next_before` of the page before."""
    size = config.current().page_size
    ask = _listed(tab, is_later=before is not None)
    values = tabs.page_values(before, size)
    stands, (rows,) = standing(store_id, [ask], **values)
    page = tabs.turned([round_trip.made(Order, row) for row in rows], size)
    new = [order for order in page.orders if held_up.is_new(order)]
    bundles = {
        row.bundle_id: round_trip.made(Bundle, row, _OF_BUNDLE, _PREFIX)
        for row in {row.bundle_id: row for row in rows}.values()
    }
    held = held_up.of_new(new, stands.now, bundles, stands.free_pesewas)
    return QueueView(stands, page, held)


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
    few = rows.subquery().c
    theirs = round_trip.labelled(Bundle, _OF_BUNDLE, _PREFIX)
    both = select(*few, *theirs).join(Bundle, Bundle.id == few.bundle_id)
    return round_trip.ask(both.order_by(*tabs.in_order(tab, few)))
