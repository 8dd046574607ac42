"""Fixtures of the customers' side: shops, their bundles, and what must not change when something is
refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import tables_owner
from flask import Flask
from sqlalchemy import text, update
from store_customers import Shop

from core import catalog, stores
from core.base import tenancy
from core.base.db import db
from tests.support.till import till  # noqa: F401 - a fixture


@pytest.fixture
def shop(app: Flask) -> Callable[..., Shop]:
    return lambda slug="ama", root="": Shop(app, slug, root)


@pytest.fixture
def bundle(in_store: Callable[..., Any]) -> Callable[..., int]:
    """The id of the smallest bundle of a network on a store's shelf."""

    def smallest(network: str = "mtn", slug: str = "ama") -> int:
        return in_store(
            slug,
            lambda: next(l.bundle_id for l in catalog.shelf() if l.network == network),
        )

    return smallest


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
def change_store(app: Flask) -> Callable[..., None]:
    """Set fields of a store as its agent or an operator would."""

    def change(slug: str, **values: Any) -> None:
        with app.app_context():
            fields = {
                getattr(stores.Store, name): value for name, value in values.items()
            }
            tables_owner.execute(
                update(stores.Store).where(stores.Store.slug == slug).values(fields)
            )

    return change
