"""What a shop's front page shows, in one statement: who trades there, what can be bought now, the
shelf, and what the shop has delivered.

The rules are `availability`'s, `catalog`'s and `delivery_times`'; only the asking is put together
here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, column, select, text

from core import availability, catalog, delivery_times, stores
from core.base import round_trip
from core.base.db import STORE, db
from core.delivery_times import Record
from core.stores import Store

_OF_NOW = ("renewed_at", "stopped", "stopped_since", "short", "pauses", "estimates")


@dataclass(frozen=True)
class Shop:
    """One look at a shop. `store` belongs to no session: it is to be read, not changed."""

    store: Store
    now: availability.Now
    shelf: list[catalog.ShelfLine]
    record: Record | None


def by_slug(slug: str) -> Shop | None:
    """The shop at this subdomain, or None."""

    def read(store_id: int) -> Shop | None:
        row = round_trip.read_row(store_id, _statement(), {"store_id": store_id})
        # a database that was restored may have another shop under this id
        if row is None or row.slug != slug:
            return None
        return Shop(
            store_of(row),
            availability.of_row(row),
            list(catalog.shelf_of_json(row.shelf)),
            delivery_times.record_of(row.record),
        )

    return stores.read_at(slug, read)


def store_of(row: Any) -> Store:
    """The store by a row that has its columns and more."""
    return round_trip.made(Store, row, stores.columns())


@cache
def _statement() -> str:
    """The whole, as psycopg takes it: made once, so that it is the same text each time and
    PostgreSQL may keep its plan."""
    store_id: ColumnElement[int] = bindparam("store_id", type_=Store.id.type)
    shelf = catalog.sellable_as_json(store_id).label("shelf")
    record = delivery_times.record_as_json(store_id).label("record")
    whole = store_and_now(store_id).add_columns(shelf, record)
    return str(whole.compile(dialect=db.engines[STORE].dialect))


def store_and_now(store_id: ColumnElement[int]) -> Select[Any]:
    """A store, and what `availability.of_row` takes: the beginning of larger statements."""
    now = text(availability.ASK).columns(*map(column, _OF_NOW)).subquery()
    both = select(*_of_store(), *now.c).where(Store.id == store_id)
    return both.join_from(Store, now, text("true"))


def _of_store() -> Iterator[ColumnElement[Any]]:
    for name in stores.columns():
        yield Store.__table__.c[name]
