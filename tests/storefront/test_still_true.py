"""A stored answer whose moment is over: shown for another one when the database says that it is
still true, and else never again."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from html import unescape
from typing import Any

import psycopg
import pytest
from counting import counted
from flask import Flask
from shop_changes import CHANGES, OF_A_STORE
from store_customers import Shop

from core import audit, catalog, orders
from core.base.db import db
from edge import stored_pages
from http_server import Head, Ready, Renewal
from storefront import drawn

HTMX = {"HX-Request": "true"}


class Process:
    """What the server asks of a process, at a time of its own."""

    def __init__(self, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pages: stored_pages.Pages = app.extensions["stored_pages"]
        self.pages.forget()
        self._later_s = 0.0
        real = time.monotonic
        monkeypatch.setattr(stored_pages, "monotonic", lambda: real() + self._later_s)

    def wait(self, seconds: float) -> None:
        self._later_s += seconds

    def found(
        self, target: str = "/", slug: str = "ama", **headers: str
    ) -> Ready | Renewal | None:
        sent = [(b"host", f"{slug}.localhost".encode())]
        for name, value in headers.items():
            sent.append((name.replace("_", "-").encode(), value.encode()))
        path, _, query = target.partition("?")
        return self.pages.answer(Head("GET", target, path, query, "1.1", sent))

    def looked_at(
        self, target: str = "/", slug: str = "ama", **headers: str
    ) -> Ready | None:
        """What the thread gives that looks at an answer whose moment is over."""
        look = self.found(target, slug, **headers)
        assert look is not None and not isinstance(look, Ready)
        return look()


@pytest.fixture
def process(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Process]:
    drawn.forget()
    yield Process(app, monkeypatch)
    drawn.forget()


@pytest.fixture
def poll(app: Flask, bundle: Callable[..., int], process: Process) -> str:
    """What the page of an order of ama's asks, answered once with "nothing new"."""
    customer = Shop(app, "ama")
    page = customer.get(f"/orders/{customer.order(bundle())}").text
    found = re.search(r'data-hx-get="([^"]+)"', page)
    assert found is not None
    target = unescape(found[1])
    assert customer.get(target, headers=HTMX).status_code == 204
    return target


def draw(app: Flask, slug: str = "ama", path: str = "/") -> None:
    assert Shop(app, slug).get(path).status_code == 200


def test_one_exchange_shows_it_for_another_moment(app: Flask, process: Process) -> None:
    draw(app)
    first = process.found()
    process.wait(1.01)
    with app.app_context(), counted() as cost:
        again = process.looked_at()
    assert isinstance(first, Ready) and again == first
    assert (len(cost.statements), cost.commits) == (1, 0)
    assert process.found() == first, "until the next moment is over nobody is asked"
    process.wait(1.01)
    assert process.looked_at() == first


def test_who_has_it_already_is_told_so(app: Flask, process: Process) -> None:
    etag = Shop(app, "ama").get("/").headers["ETag"]
    process.wait(1.01)
    short = process.looked_at(if_none_match=etag)
    assert short is not None and short.head.startswith(b"HTTP/1.1 304 ")


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_is_sold_is_seen(
    app: Flask, process: Process, superuser: psycopg.Connection[Any], change: str
) -> None:
    draw(app)
    process.wait(1.01)
    assert superuser.execute(change).rowcount > 0
    assert process.looked_at() is None


@pytest.mark.parametrize("column", OF_A_STORE)
def test_what_a_store_says_of_itself_is_seen(
    app: Flask, process: Process, change_store: Callable[..., Any], column: str
) -> None:
    draw(app)
    process.wait(1.01)
    change_store("ama", **{column: OF_A_STORE[column]})
    assert process.looked_at() is None


def test_another_shop_at_the_address_is_seen(
    app: Flask, process: Process, superuser: psycopg.Connection[Any]
) -> None:
    """The same rows under another name, and the old name is nobody's."""
    draw(app)
    process.wait(1.01)
    superuser.execute("UPDATE stores SET slug = 'ama-moved' WHERE slug = 'ama'")
    assert process.looked_at() is None


def test_no_shop_is_shown_the_page_of_another(app: Flask, process: Process) -> None:
    for slug in ("ama", "kofi"):
        draw(app, slug)
    process.wait(1.01)
    ama, kofi = (process.looked_at(slug=slug) for slug in ("ama", "kofi"))
    assert ama is not None and kofi is not None and ama.body != kofi.body


def test_each_language_is_looked_at_in_its_own_words(
    app: Flask, process: Process
) -> None:
    pages = {}
    for path in ("/", "/tw/"):
        draw(app, path=path)
        pages[path] = process.found(path)
    process.wait(1.01)
    assert {path: process.looked_at(path) for path in pages} == pages


def test_a_page_that_shows_a_moment_is_not_looked_at(
    app: Flask, process: Process, superuser: psycopg.Connection[Any]
) -> None:
    superuser.execute(CHANGES["sold out"])
    draw(app)
    assert isinstance(process.found(), Ready)
    process.wait(1.01)
    assert process.found() is None


def test_what_was_drawn_meanwhile_stays(
    app: Flask, process: Process, superuser: psycopg.Connection[Any]
) -> None:
    """One thread has looked and is about to say so, while another draws the new page."""
    draw(app)
    process.wait(1.01)
    look = process.found()
    assert look is not None and not isinstance(look, Ready)
    kept = next(iter(process.pages._pages.values()))

    def change_then_say_true() -> bool:
        superuser.execute(CHANGES["price"])
        draw(app)
        return True

    object.__setattr__(kept, "is_still_true", change_then_say_true)
    assert look() is not None
    now = process.looked_at()
    assert now is not None and now != kept.whole


def test_after_ten_minutes_it_is_drawn_anew(app: Flask, process: Process) -> None:
    draw(app)
    process.wait(1 + stored_pages.KEPT_S + 0.01)
    assert process.found() is None


def test_what_is_wrong_with_the_database_is_left_to_the_program(
    app: Flask, process: Process, superuser: psycopg.Connection[Any]
) -> None:
    draw(app)
    process.wait(1.01)
    superuser.execute("ALTER TABLE buying RENAME TO buying_gone")
    try:
        assert process.looked_at() is None
    finally:
        superuser.execute("ALTER TABLE buying_gone RENAME TO buying")
    assert process.looked_at() is not None


def test_nothing_new_is_said_again_after_one_exchange(
    app: Flask, process: Process, poll: str
) -> None:
    first = process.found(poll, hx_request="true")
    process.wait(2.01)
    with app.app_context(), counted() as cost:
        again = process.looked_at(poll, hx_request="true")
    assert isinstance(first, Ready) and again == first
    assert (len(cost.statements), cost.commits) == (2, 0)
    assert process.found(poll, hx_request="true") == first


def test_an_order_that_moved_is_news(
    in_store: Callable[..., Any], process: Process, poll: str
) -> None:
    process.wait(2.01)
    code = poll.split("/")[2]
    in_store("ama", lambda: orders.cancel(code, audit.CUSTOMER))
    assert process.looked_at(poll, hx_request="true") is None


def test_words_that_change_with_age_are_news(
    process: Process, poll: str, jump: Callable[[float], None]
) -> None:
    process.wait(2.01)
    jump(3 * 86_400)
    assert process.looked_at(poll, hx_request="true") is None


def test_what_can_be_bought_is_news_to_who_waits(
    process: Process, poll: str, across: Flask
) -> None:
    process.wait(2.01)
    for network in ("mtn", "telecel", "at"):
        catalog.pause_network(network, "a test", audit.CUSTOMER)
    db.session.commit()
    assert process.looked_at(poll, hx_request="true") is None


def test_who_waits_is_noted_by_a_look_too(
    process: Process,
    poll: str,
    superuser: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Their orders are looked up before routine ones."""
    watched: list[str] = []
    monkeypatch.setattr(orders, "watch", lambda order: watched.append(order.code))
    process.wait(2.01)
    assert process.looked_at(poll, hx_request="true") is not None
    assert watched == [poll.split("/")[2]]


def test_who_looks_at_a_shop_is_noted_by_a_look_too(
    app: Flask, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw(app)
    looks: list[int] = []
    monkeypatch.setattr(orders, "look", lambda: looks.append(1))
    process.wait(1.01)
    assert process.looked_at() is not None and looks == [1]
