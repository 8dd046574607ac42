"""Fixtures of the customers' side: shops, their bundles, and what must not change when something is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text
from store_customers import Shop

from core import catalog, stores, tenancy
from core.db import db, transaction


@pytest.fixture
def shop(app: Flask) -> Callable[[str], Shop]:
    return lambda slug="ama": Shop(app, slug)


@pytest.fixture
def bundle(app: Flask) -> Callable[..., int]:
    """The id of the smallest bundle of a network on ama's shelf."""

    def smallest(network: str = "mtn", slug: str = "ama") -> int:
        with app.app_context():
            store = stores.by_slug(slug)
            assert store is not None
            tenancy.use(store.id)
            found = next(line.bundle_id for line in catalog.shelf() if line.network == network)
            tenancy.clear()
            db.session.remove()
            return found

    return smallest


@pytest.fixture
def in_store(app: Flask) -> Callable[[str, Callable[[], Any]], Any]:
    """Do something inside a store, as an agent's request would."""

    def act(slug: str, deed: Callable[[], Any]) -> Any:
        with app.app_context():
            store = stores.by_slug(slug)
            assert store is not None
            tenancy.use(store.id)
            try:
                return deed()
            finally:
                tenancy.clear()
                db.session.remove()

    return act


@pytest.fixture
def counts(app: Flask) -> Callable[[], tuple[int, ...]]:
    """How many orders, events, postings and outbox rows there are on the whole platform."""

    def count() -> tuple[int, ...]:
        with app.app_context(), tenancy.across_stores():
            found = tuple(
                db.session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()
                for table in ("orders", "order_events", "postings", "outbox")
            )
            db.session.remove()
            return found

    return count


@pytest.fixture
def change_store(app: Flask) -> Iterator[Callable[..., None]]:
    """Set fields of a store, and put them back afterwards."""
    before: dict[str, dict[str, Any]] = {}

    def change(slug: str, **values: Any) -> None:
        with app.app_context(), transaction() as session:
            store = session.query(stores.Store).filter_by(slug=slug).one()
            before.setdefault(slug, {name: getattr(store, name) for name in values})
            for name, value in values.items():
                setattr(store, name, value)

    yield change
    for slug, values in before.items():
        change(slug, **values)
