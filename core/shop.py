"""What a shop's front page shows, in one statement: who trades there, what can be bought now, and
the shelf.

The rules are `availability`'s and `catalog`'s; only the asking is put together here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, bindparam, column, select, text

from core import availability, catalog, stores
from core.base import round_trip
from core.base.db import STORE, db
from core.stores import Store

_OF_NOW = ("renewed_at", "stopped", "stopped_since", "short", "pauses")


@dataclass(frozen=True)
class Shop:
    """One look at a shop. `store` belongs to no session: it is to be read, not changed."""

    store: Store
    now: availability.Now
    shelf: list[catalog.ShelfLine]


def by_slug(slug: str) -> Shop | None:
    """The shop at this subdomain, or None. A shop that this process meets for the first time costs
    one statement more, since whose rows may be read is said before they are."""
    row = _row(slug, stores.known_id(slug))
    if row is None:
        store = stores.by_slug(slug)
        if store is None:
            return None
        row = _row(slug, store.id)
    if row is None:
        return None
    return Shop(
        Store(**{name: getattr(row, name) for name in _names_of_store()}),
        availability.of_row(row),
        catalog.shelf_of_rows(row.shelf),
    )


def _row(slug: str, store_id: int | None) -> Any | None:
    """What is shown of this shop; None when it is not known, or has another id in a database that
    was restored."""
    if store_id is None:
        return None
    row = round_trip.read_row(store_id, _statement(), {"store_id": store_id})
    return row if row is not None and row.slug == slug else None


@cache
def _statement() -> str:
    """The whole, as psycopg takes it: made once, so that it is the same text each time and
    PostgreSQL may keep its plan."""
    now = text(availability.ASK).columns(*map(column, _OF_NOW)).subquery()
    store_id: ColumnElement[int] = bindparam("store_id", type_=Store.id.type)
    whole = select(
        *_of_store(), *now.c, catalog.sellable_as_json(store_id).label("shelf")
    ).where(Store.id == store_id)
    dialect = db.engines[STORE].dialect
    joined = whole.join_from(Store, now, text("true"))
    return str(joined.compile(dialect=dialect))


def _of_store() -> Iterator[ColumnElement[Any]]:
    for name in _names_of_store():
        yield Store.__table__.c[name]


@cache
def _names_of_store() -> tuple[str, ...]:
    """The columns of a store that its own role may read."""
    columns = Store.__mapper__.column_attrs
    return tuple(column.key for column in columns if not column.deferred)
