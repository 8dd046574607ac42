"""An order in one round trip says what the same rules say when each is asked by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import inspect

from core import availability, catalog, order_view, orders, stores
from core.base import tenancy
from core.base.db import Model, db
from core.catalog import Bundle
from core.orders import Order, OrderEvent
from core.stores import Store
from tests.support.deliveries import estimate

STATES = ("pending", "queued", "submitting", "processing", "completed", "failed", "refunded",
          "cancelled")  # fmt: skip


def columns(model: type[Model], row: Model | None) -> dict[str, Any]:
    assert row is not None
    return {
        one.key: getattr(row, one.key)
        for one in inspect(model).column_attrs
        if not one.deferred
    }


def look(app: Flask, slug: str, text: str) -> order_view.OrderView | None:
    with app.app_context():
        return order_view.by_code(slug, text, is_whole=True)


@pytest.mark.parametrize("state", STATES)
def test_it_is_what_each_rule_says_by_itself(
    app: Flask,
    place: Callable[..., str],
    as_store: Callable[..., Any],
    state: str,
) -> None:
    estimate()
    code = place(state=state)
    view = look(app, "ama", code)
    assert view is not None

    def by_themselves() -> None:
        order, store = orders.by_code(code), stores.by_slug("ama")
        assert order is not None
        assert columns(Order, view.order) == columns(Order, order)
        assert columns(Store, view.store) == columns(Store, store)
        lines = [columns(OrderEvent, one) for one in view.events]
        assert lines == [columns(OrderEvent, one) for one in orders.timeline(order)]
        bundle = orders.held_up.bundle_of(order)
        assert (view.bundle is None) == (bundle is None)
        if bundle is not None:
            assert columns(Bundle, view.bundle) == columns(Bundle, bundle)
        assert view.is_sold == (catalog.shelf_line(order.bundle_id) is not None)
        assert view.now == availability.now()
        assert view.now.estimate("mtn") is not None

    as_store("ama", by_themselves)


def test_a_bundle_that_is_hidden_is_not_sold(
    app: Flask, place: Callable[..., str], superuser: Any
) -> None:
    code = place()
    superuser.execute("UPDATE store_bundles SET hidden = true")
    view = look(app, "ama", code)
    assert view is not None and not view.is_sold


def test_no_other_store_sees_it(app: Flask, place: Callable[..., str]) -> None:
    code = place("ama")
    view = look(app, "kofi", code)
    assert view is not None and view.store.slug == "kofi"
    assert (view.order, view.bundle, view.events) == (None, None, ())
    assert look(app, "nobody", code) is None


def test_each_statement_names_its_store_as_well(context: Flask) -> None:
    """The other wall, row-level security, is tried with statements that name none."""
    scoped = {
        cls.__tablename__: f"{cls.__tablename__}.store_id = %(store_id)s"
        for cls in tenancy._store_tables()
    }
    met = set()
    for ask in order_view._whole():
        for name, names_it in scoped.items():
            if f"{name}.id" in ask.statement or f"FROM {name} " in ask.statement:
                met.add(name)
                assert names_it in ask.statement, ask.statement
    assert met >= {"orders", "order_events"}


@pytest.mark.parametrize("known", ["kofi's id", "an id of nobody"])
def test_an_id_of_another_database_opens_no_other_store(
    app: Flask,
    place: Callable[..., str],
    kofi: int,
    monkeypatch: pytest.MonkeyPatch,
    known: str,
) -> None:
    """After a restore a process may remember another id for this subdomain."""
    code = place("ama")
    monkeypatch.setitem(stores._known, "ama", kofi if known == "kofi's id" else 10**9)
    view = look(app, "ama", code)
    assert view is not None and view.store.slug == "ama"
    assert view.order is not None and view.order.code == code


@pytest.fixture
def kofi(app: Flask) -> int:
    with app.app_context():
        store = stores.by_slug("kofi")
        db.session.remove()
    assert store is not None
    return store.id


def test_of_several_codes_in_a_text_the_likeliest_is_shown_with_its_own_lines(
    app: Flask, place: Callable[..., str]
) -> None:
    first, second = place(), place(number="0247770001", state="queued")
    view = look(app, "ama", f"{first} or {second}")
    assert view is not None and view.order is not None
    assert view.order.code == orders.codes_in(f"{first} or {second}")[0]
    assert {event.order_id for event in view.events} == {view.order.id}
    assert look(app, "ama", "no code").order is None  # type: ignore[union-attr]
