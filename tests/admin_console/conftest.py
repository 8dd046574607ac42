"""Fixtures of the owner's side: orders in any state in any store, and what the supplier has told
us."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from console_scenes import Scene
from flask import Flask
from sqlalchemy import text

from core.accounts import security_events
from core.base import tenancy
from core.base.db import db
from tests.support.till import till  # noqa: F401 - a fixture


@pytest.fixture
def scene(app: Flask) -> Scene:
    return Scene(app)


@pytest.fixture
def everywhere(app: Flask) -> Iterator[Flask]:
    """A context that sees every store, as a request of the console does."""
    with app.app_context(), tenancy.across_stores():
        yield app
        db.session.remove()


@pytest.fixture
def counts(app: Flask) -> Callable[[], dict[str, int]]:
    """How many rows the money tables have on the whole platform. Of the audit, acts: a refusal
    leaves a line too."""

    def count() -> dict[str, int]:
        with app.app_context(), tenancy.across_stores():
            tables = (
                "orders",
                "order_events",
                "postings",
                "entries",
                "outbox",
                "cases",
            )
            found: dict[str, Any] = {
                table: db.session.execute(
                    text(f"SELECT count(*) FROM {table}")
                ).scalar_one()
                for table in tables
            }
            acts = text("SELECT count(*) FROM audit WHERE NOT action = ANY(:refusals)")
            found["audit"] = db.session.execute(
                acts, {"refusals": list(security_events.EVENTS)}
            ).scalar_one()
            db.session.remove()
            return found

    return count
