"""An order as its customer's page shows it, in one round trip: its store, what can be bought now,
the order with its bundle, and for the whole page its timeline.

The rules are those of `orders`, `availability` and `catalog`; only the asking is put together here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Select, Text, bindparam, func, select

from core import availability, catalog, orders, shop, stores
from core.base import round_trip
from core.base.asks import Ask
from core.catalog import Bundle, StoreBundle
from core.orders import Order, OrderEvent
from core.stores import Store


@dataclass(frozen=True)
class OrderView:
    """One look at an order. Nothing of it belongs to a session: it is to be read, not changed."""

    store: Store
    now: availability.Now
    order: Order | None
    """None: no order of this store has the code."""
    bundle: Bundle | None = None
    """While the order waits."""
    events: Sequence[OrderEvent] = ()
    is_sold: bool = False
    """Whether the store has its bundle on the shelf now."""


def by_code(slug: str, text: str, *, is_whole: bool) -> OrderView | None:
    """The order at this shop whose code stands in `text`; None where there is no such shop. With
    `is_whole` the timeline too."""
    codes = orders.codes_in(text)

    def read(store_id: int) -> OrderView | None:
        values = {"store_id": store_id, "codes": codes}
        asks = _whole() if is_whole else _asks()
        stores_row, *found = round_trip.read(
            store_id, [ask.given(**values) for ask in asks]
        )
        # a database that was restored may have another shop under this id
        if not stores_row or stores_row[0].slug != slug:
            return None
        return _view(stores_row[0], codes, *found)

    return stores.read_at(slug, read)


def _view(
    row: Any,
    codes: Sequence[str],
    ours: Sequence[Any],
    events: Sequence[Any] = (),
) -> OrderView:
    """By the rows of each statement; a pasted text may have named several orders."""
    store, now = shop.store_of(row), availability.of_row(row)
    if not ours:
        return OrderView(store, now, None)
    likeliest = min(ours, key=lambda one: codes.index(one.code))
    order = round_trip.made(Order, likeliest)
    return OrderView(
        store,
        now,
        order,
        _bundle_of(likeliest) if order.is_waiting else None,
        [
            round_trip.made(OrderEvent, one)
            for one in events
            if one.order_id == order.id
        ],
        likeliest.is_sold,
    )


def _bundle_of(row: Any) -> Bundle:
    return round_trip.made(Bundle, row, Bundle.__table__.c.keys(), _PREFIX)


_PREFIX = "of_bundle_"


@cache
def _asks() -> list[Ask]:
    """Store and what can be bought; the orders, each with its bundle and whether that is on the
    shelf now."""
    sold = catalog.sellable().where(
        StoreBundle.store_id == _store_id(), Bundle.id == Order.bundle_id
    )
    theirs = round_trip.labelled(Bundle, Bundle.__table__.c.keys(), _PREFIX)
    is_sold = sold.correlate(Order).exists().label("is_sold")
    ours = _orders_of(*Order.__table__.c, *theirs, is_sold)
    return [
        round_trip.ask(shop.store_and_now(_store_id())),
        round_trip.ask(ours.join_from(Order, Bundle, Bundle.id == Order.bundle_id)),
    ]


@cache
def _whole() -> list[Ask]:
    """As `_asks`; then the lines of the timeline."""
    events = (
        select(*OrderEvent.__table__.c)
        .where(
            OrderEvent.store_id == _store_id(),
            OrderEvent.order_id.in_(_orders_of(Order.id)),
        )
        .order_by(OrderEvent.id)
    )
    return [*_asks(), round_trip.ask(events)]


def _store_id() -> ColumnElement[int]:
    return bindparam("store_id", type_=Store.id.type)


def _orders_of(*columns: Any) -> Select[Any]:
    """Of the orders of this store with these codes."""
    codes: ColumnElement[Any] = bindparam("codes", type_=ARRAY(Text))
    return (
        select(*columns)
        .where(Order.store_id == _store_id(), Order.code == func.any(codes))
        .correlate(None)
    )
