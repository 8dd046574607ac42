"""Stores by name, some at a time, and those whose name or address begins as somebody typed."""

from __future__ import annotations

from sqlalchemy import Select, collate, func, select, tuple_

from core.base.db import db
from core.stores import Store

_SLUG = collate(Store.slug, "C")
_NAME = collate(func.lower(Store.name), "C")
"""As their indexes have them."""
_AFTER_ALL = "\U0010ffff"
"""Comes after every sign."""


def page(limit: int, after: Store | None = None) -> list[Store]:
    """So many stores by name, those that follow `after`."""
    query = by_name(limit)
    if after is not None:
        # named by the database, whose small letters are the index's
        last = select(_NAME).where(Store.id == after.id).scalar_subquery()
        query = query.where(tuple_(_NAME, Store.id) > tuple_(last, after.id))
    return list(db.session.scalars(query))


def by_name(limit: int) -> Select[Store]:
    """The first so many stores by name."""
    return select(Store).order_by(_NAME, Store.id).limit(limit)


def beginning(typed: str, limit: int) -> list[Store]:
    """So many stores whose address or name begins so, by name; one whose address it is stands
    first."""
    small = func.lower(typed)
    found: dict[int, Store] = {}
    for column in (_SLUG, _NAME):
        rows = db.session.scalars(
            select(Store)
            .where(column >= small, column < small + _AFTER_ALL)
            .order_by(column, Store.id)
            .limit(limit)
        )
        found |= {store.id: store for store in rows}
    return sorted(
        found.values(), key=lambda store: (store.slug != typed.lower(), store.name)
    )[:limit]


def all_stores() -> list[Store]:
    """Every store by name."""
    return list(db.session.scalars(select(Store).order_by(Store.name)))
