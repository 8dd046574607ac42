"""How often pages that are asked for most ask the database: each exchange is a seventh of such a page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import tables_owner
from flask import Flask
from sqlalchemy import event
from store_customers import NUMBER, Shop, fields
from visitors import Visitor

from core import stores
from core.base import connections
from core.base.db import db


class Exchanges:
    """Each exchange since it was asked last: how many statements went out in it."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def since(self) -> int:
        many = len(self.sizes)
        self.sizes.clear()
        return many


@pytest.fixture
def exchanges(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Exchanges]:
    """What goes out in one exchange, and each statement that goes out alone."""
    seen = Exchanges()
    ask_all = connections.TimedConnection.ask_all

    def asked(connection: Any, several: Any) -> Any:
        seen.sizes.append(len(several))
        return ask_all(connection, several)

    def alone(*_told: Any) -> None:
        seen.sizes.append(1)

    monkeypatch.setattr(connections.TimedConnection, "ask_all", asked)
    with app.app_context():
        engines = list(db.engines.values())
    for engine in engines:
        event.listen(engine, "before_cursor_execute", alone)
    yield seen
    for engine in engines:
        event.remove(engine, "before_cursor_execute", alone)


def test_a_visit(
    shop: Callable[[str], Shop], bundle: Callable[[], int], exchanges: Exchanges
) -> None:
    store = shop("ama")
    store.get("/")
    exchanges.since()
    wish = {"bundle": bundle(), "recipient": NUMBER}
    exchanges.since()
    first = store.post("/orders", wish)
    assert first.status_code == 303
    assert exchanges.since() == 2, "what is checked, with the store; the draft"
    review = store.get(first.location)
    assert review.status_code == 200
    assert exchanges.since() == 2, "the store, with the draft; what is checked"
    placed = store.post("/orders", fields(review.text))
    assert placed.status_code == 303
    assert exchanges.since() == 4, "the store; BEGIN; what is checked; the order"
    page = store.get(placed.location)
    assert page.status_code == 200 and exchanges.since() == 1
    poll = page.text.partition('data-hx-get="')[2].partition('"')[0]
    assert store.get(poll.replace("&amp;", "&")).status_code == 204
    assert exchanges.since() == 1


def test_the_queue(ama_agent: Visitor, exchanges: Exchanges) -> None:
    ama_agent.get("/orders")
    exchanges.since()
    assert ama_agent.get("/orders").status_code == 200
    assert exchanges.since() == 2, "the log-in, with its store; the queue"


def test_a_shop_that_has_another_id_since_a_restore_is_found_by_its_address(
    app: Flask,
    shop: Callable[[str], Shop],
    bundle: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with app.app_context():
        ids = {slug: stores.by_slug(slug).id for slug in ("ama", "kofi")}
    store = shop("ama")
    wish = {"bundle": bundle(), "recipient": NUMBER}

    def mistaken() -> None:
        monkeypatch.setitem(stores._known, "ama", ids["kofi"])

    mistaken()
    first = store.post("/orders", wish)
    mistaken()
    review = store.get(first.location)
    assert first.status_code == 303 and review.status_code == 200
    assert "Ama&#39;s Data" in review.text and "Kofi" not in review.text
    assert tables_owner.read("SELECT store_id FROM order_drafts") == [ids["ama"]]
