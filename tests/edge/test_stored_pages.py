"""A shop's page as it was last drawn: shown for a moment, to nobody but visitors of that shop."""

from __future__ import annotations

import gzip
import time
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask, session
from hypothesis import given
from hypothesis import strategies as st

from core import stores
from core.base import tenancy
from core.base.db import transaction
from edge import stored_pages
from http_server import Head, Ready


@pytest.fixture
def pages(app: Flask, monkeypatch: pytest.MonkeyPatch) -> stored_pages.Pages:
    """No page of another test is stored."""
    made: stored_pages.Pages = app.extensions["stored_pages"]
    made.forget()
    return made


def draw(app: Flask, slug: str = "ama", **headers: str) -> None:
    drawn = app.test_client().get(
        "/", base_url=f"http://{slug}.localhost", headers=headers
    )
    assert drawn.status_code == 200


def asked(
    pages: stored_pages.Pages,
    host: str = "ama.localhost",
    target: str = "/",
    **headers: str,
) -> Ready | None:
    sent = [(b"host", host.encode())]
    for name, value in headers.items():
        sent.append((name.replace("_", "-").encode(), value.encode()))
    path, _, query = target.partition("?")
    found = pages.answer(Head("GET", target, path, query, "1.1", sent))
    return found if isinstance(found, Ready) else None


def etag_of(page: Ready) -> str:
    line = next(one for one in page.head.split(b"\r\n") if one.startswith(b"ETag: "))
    return line.removeprefix(b"ETag: ").decode()


def test_a_page_that_was_drawn_is_shown_again_as_it_was(
    app: Flask, pages: stored_pages.Pages
) -> None:
    assert asked(pages) is None
    fresh = app.test_client().get("/", base_url="http://ama.localhost")
    page = asked(pages)
    assert page is not None and page.body == fresh.data
    for name, value in fresh.headers:
        line = f"\r\n{name}: {value}\r\n".encode()
        assert (line in page.head) == (name not in ("X-Request-Id", "Date")), name


def test_each_encoding_is_a_page_of_its_own(
    app: Flask, pages: stored_pages.Pages
) -> None:
    draw(app, **{"Accept-Encoding": "gzip"})
    assert asked(pages) is None
    zipped = asked(pages, accept_encoding="deflate, gzip")
    assert zipped is not None and b"Ama" in gzip.decompress(zipped.body)
    assert asked(pages, accept_encoding="gzip, br") is None, "Brotli is the better one"


def test_who_has_it_already_is_told_so_in_a_few_bytes(
    app: Flask, pages: stored_pages.Pages
) -> None:
    draw(app)
    page = asked(pages)
    assert page is not None
    for known in (etag_of(page), f'"other", {etag_of(page)}', f"W/{etag_of(page)}"):
        short = asked(pages, if_none_match=known)
        assert short is not None and short.body == b""
        assert short.head.startswith(b"HTTP/1.1 304 ")
        assert b"Content-Length" not in short.head and b"ETag" in short.head
    assert asked(pages, if_none_match='"another"') == page
    with app.test_client() as visitor:
        asked_of_app = visitor.get(
            "/",
            base_url="http://ama.localhost",
            headers={"If-None-Match": etag_of(page)},
        )
    assert (asked_of_app.status_code, asked_of_app.data) == (304, b"")


@pytest.mark.parametrize("other", ["kofi.localhost", "ama.localhost.", "AMA.localhost"])
def test_no_other_host_is_shown_it(
    app: Flask, pages: stored_pages.Pages, other: str
) -> None:
    """Also those that mean the same shop: the exact words are the key."""
    draw(app)
    assert asked(pages, other) is None


def test_two_shops_are_two_pages(app: Flask, pages: stored_pages.Pages) -> None:
    draw(app, "ama")
    draw(app, "kofi")
    ama, kofi = asked(pages, "ama.localhost"), asked(pages, "kofi.localhost")
    assert ama is not None and kofi is not None and ama.body != kofi.body


@given(host=st.text(max_size=30))
def test_whatever_a_host_is_called_it_is_shown_no_page_of_another(host: str) -> None:
    made = stored_pages.Pages()
    page = stored_pages.Stored('"a"', Ready(b"", b"x"), Ready(b"", b""), 1e18)
    made.store(stored_pages.Key("ama.localhost", ""), page)
    sent = [(b"host", host.encode("utf-8", "replace"))]
    found = made.answer(Head("GET", "/", "/", "", "1.1", sent))
    assert (found is page.whole) == (host == "ama.localhost")


@pytest.mark.parametrize(
    "name, value",
    [
        ("x_forwarded_host", "ama.localhost"),
        ("hx_request", "true"),
        ("range", "bytes=0-1"),
        ("x_forwarded_proto", "https"),
    ],
)
def test_the_program_is_asked_where_the_answer_may_be_another(
    app: Flask, pages: stored_pages.Pages, name: str, value: str
) -> None:
    draw(app)
    assert asked(pages) is not None
    assert asked(pages, **{name: value}) is None


def test_a_host_that_is_named_twice_is_judged_by_the_program(
    app: Flask, pages: stored_pages.Pages
) -> None:
    draw(app)
    sent = [(b"host", b"kofi.localhost"), (b"host", b"ama.localhost")]
    assert pages.answer(Head("GET", "/", "/", "", "1.1", sent)) is None


@pytest.mark.parametrize("target", ["/?bundle=1", "//", "/orders", "http://ama/"])
def test_only_the_front_page_is_stored(
    app: Flask, pages: stored_pages.Pages, target: str
) -> None:
    app.test_client().get(target, base_url="http://ama.localhost")
    assert asked(pages, target=target) is None
    assert asked(pages) is None


def test_what_is_of_one_person_or_went_wrong_is_not_stored(
    app: Flask, pages: stored_pages.Pages
) -> None:
    visitor = app.test_client()
    visitor.get("/", base_url="http://nobody.localhost")
    visitor.get("/login", base_url="http://portal.localhost")
    visitor.head("/", base_url="http://ama.localhost")
    assert pages.count() == 0


@pytest.mark.parametrize(
    "header, value",
    [("Set-Cookie", "device=1"), ("Vary", "Accept-Encoding, Cookie"), ("Vary", "*")],
)
def test_an_answer_that_is_of_one_visitor_is_not_stored(
    app: Flask, header: str, value: str
) -> None:
    with app.test_request_context("/", base_url="http://ama.localhost"):
        assert stored_pages.is_for_everybody(app.make_response("shop"))
        own = app.make_response(("shop", {header: value}))
        assert not stored_pages.is_for_everybody(own)


@pytest.mark.parametrize("touch", ["read", "written"])
def test_a_page_that_looked_at_the_session_is_not_stored(
    app: Flask,
    pages: stored_pages.Pages,
    monkeypatch: pytest.MonkeyPatch,
    touch: str,
) -> None:
    """Flask saves the session after every hook of ours."""
    view = app.view_functions["storefront.show_store"]

    def personal() -> object:
        if touch == "read":
            session.get("shown")
        else:
            session["shown"] = True
        return view()

    monkeypatch.setitem(app.view_functions, "storefront.show_store", personal)
    draw(app)
    assert pages.count() == 0


def test_headers_that_are_long_to_read_are_read_in_a_thread(
    app: Flask, pages: stored_pages.Pages
) -> None:
    draw(app)
    assert asked(pages, accept_encoding="a," * 100) is not None
    assert asked(pages, accept_encoding="a," * 4_000) is None
    assert asked(pages, if_none_match='"a",' * 4_000) is None


def test_it_is_shown_for_a_second_after_it_was_asked_for(
    app: Flask,
    pages: stored_pages.Pages,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    draw(app)
    now = time.monotonic()
    monkeypatch.setattr(stored_pages, "monotonic", lambda: now + 0.5)
    assert asked(pages) is not None
    monkeypatch.setattr(stored_pages, "monotonic", lambda: now + 1.01)
    assert asked(pages) is None


def test_what_is_shown_is_counted_by_kind_and_said_in_one_line(
    app: Flask, pages: stored_pages.Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not a line for each, and not only when a front page happens to be drawn."""
    said: list[tuple[str, dict[str, Any]]] = []
    told = SimpleNamespace(info=lambda what, **how: said.append((what, how)))
    now = time.monotonic()
    monkeypatch.setattr(stored_pages, "log", told)
    monkeypatch.setattr(stored_pages, "monotonic", lambda: now)
    monkeypatch.setattr(pages, "_shown", Counter())
    monkeypatch.setattr(pages, "_said_at", now)
    stranger = app.test_client()
    draw(app)
    stranger.get("/", base_url="http://nobody.localhost")
    for host, times in (("ama.localhost", 5), ("nobody.localhost", 7)):
        for _ in range(times):
            assert asked(pages, host) is not None
    assert said == []
    monkeypatch.setattr(stored_pages, "monotonic", lambda: now + 60)
    for _ in range(2):
        stranger.get("/track", base_url="http://ama.localhost")
    assert said == [("shown", {"seconds": 60, "pages": 5, "unknown_shops": 7})]


def test_a_closed_shop_is_drawn_anew(app: Flask, pages: stored_pages.Pages) -> None:
    draw(app)
    open_page = asked(pages)
    with app.app_context(), tenancy.across_stores():
        store = stores.by_slug("ama")
        assert store is not None
    with app.app_context(), tenancy.across_stores(), transaction():
        stores.set_status_row(store.id, "closed", "Back on Monday")
    draw(app)
    closed_page = asked(pages)
    assert open_page is not None and closed_page is not None
    assert b"Back on Monday" in closed_page.body and open_page != closed_page


def test_what_is_stored_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    made = stored_pages.Pages()
    page = stored_pages.Stored("", Ready(b"", b"x" * 100_000), Ready(b"", b""), 1e18)
    for number in range(1_000):
        made.store(stored_pages.Key(f"s{number}.localhost", ""), page)
    assert made.count() == stored_pages.MOST_BYTES // 100_000
