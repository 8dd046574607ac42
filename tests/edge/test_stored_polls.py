"""*Nothing new* to the page of an order: said again for two seconds, of that order alone."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from flask import Flask
from store_customers import Shop
from visitors import Visitor

from core import audit, catalog, orders
from edge import stored_pages
from http_server import Head, Ready


@pytest.fixture
def pages(app: Flask) -> stored_pages.Pages:
    """No answer of another test is stored."""
    made: stored_pages.Pages = app.extensions["stored_pages"]
    made.forget()
    return made


@pytest.fixture
def poll(app: Flask, customer: Visitor, in_store: Callable[..., Any]) -> str:
    """What the page of an order of ama's asks."""
    bundle_id = in_store("ama", lambda: catalog.shelf()[0].bundle_id)
    page = customer.get(f"/orders/{Shop(app, 'ama').order(bundle_id)}").text
    found = re.search(r'data-hx-get="([^"]+)"', page)
    assert found is not None
    return unescape(found[1])


def asked(
    stored: stored_pages.Pages,
    target: str,
    host: str = "ama.localhost",
    htmx: bool = True,
) -> Ready | None:
    sent = [(b"host", host.encode())]
    if htmx:
        sent.append((b"hx-request", b"true"))
    path, _, query = target.partition("?")
    found = stored.answer(Head("GET", target, path, query, "1.1", sent))
    return found if isinstance(found, Ready) else None


def test_it_is_said_again_in_a_few_bytes(
    customer: Visitor, pages: stored_pages.Pages, poll: str
) -> None:
    assert asked(pages, poll) is None
    assert customer.get(poll, headers={"HX-Request": "true"}).status_code == 204
    again = asked(pages, poll)
    assert again is not None and again.body == b""
    assert again.head.startswith(b"HTTP/1.1 204 ")
    assert b"Set-Cookie" not in again.head
    date = b"Date: Sun, 29 Nov 2026 18:00:00 GMT\r\n"
    assert len(again.head + date + b"\r\n") <= 200


def test_for_two_seconds(
    customer: Visitor,
    pages: stored_pages.Pages,
    poll: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    customer.get(poll, headers={"HX-Request": "true"})
    now = time.monotonic()
    for later, is_kept in ((1.5, True), (2.01, False)):
        monkeypatch.setattr(stored_pages, "monotonic", lambda later=later: now + later)
        assert (asked(pages, poll) is not None) == is_kept


def test_news_are_not_stored_and_an_old_version_is_not_asked_for(
    customer: Visitor,
    pages: stored_pages.Pages,
    poll: str,
    in_store: Callable[..., Any],
) -> None:
    customer.get(poll, headers={"HX-Request": "true"})
    code = poll.split("/")[2]
    in_store("ama", lambda: orders.cancel(code, audit.CUSTOMER))
    pages.forget()
    assert customer.get(poll, headers={"HX-Request": "true"}).status_code == 200
    assert asked(pages, poll) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda poll: poll + "&x=1",
        lambda poll: poll.replace("?v=", "?v=0"),
        lambda poll: poll.replace("/status", "/status/"),
        lambda poll: poll.partition("?")[0],
        lambda poll: poll.partition("&")[0],
    ],
)
def test_only_what_the_page_asks_is_stored(
    customer: Visitor,
    pages: stored_pages.Pages,
    poll: str,
    change: Callable[[str], str],
) -> None:
    """Else a stranger could fill the store with one order's answers."""
    customer.get(change(poll), headers={"HX-Request": "true"})
    assert pages.count() == 0


def test_not_at_another_shop_nor_to_who_asks_for_the_page_itself(
    customer: Visitor, pages: stored_pages.Pages, poll: str
) -> None:
    customer.get(poll, headers={"HX-Request": "true"})
    assert asked(pages, poll, "kofi.localhost") is None
    assert asked(pages, poll, htmx=False) is None


def test_the_other_shop_s_code_is_unknown_there(
    visitor: Callable[[str], Visitor],
    pages: stored_pages.Pages,
    poll: str,
) -> None:
    other = visitor("kofi")
    assert other.get(poll, headers={"HX-Request": "true"}).status_code == 404
    assert asked(pages, poll, "kofi.localhost") is None


@pytest.mark.slow(seconds=0.4)
def test_what_is_stored_is_bounded() -> None:
    made = stored_pages.Pages()
    poll = stored_pages.Stored("", Ready(b"x" * 1_000, b""), Ready(b"", b""), 1e18)
    for number in range(20_000):
        made.store_poll(stored_pages.Key("ama.localhost", "", "", f"/{number}"), poll)
    assert made.count() == stored_pages.MOST_POLLS_BYTES // 1_000
