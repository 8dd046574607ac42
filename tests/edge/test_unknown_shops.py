"""Addresses without a shop: told so from what the process knows, and never to a shop that is
there."""

from __future__ import annotations

import pytest
import tables_owner
from flask import Flask

from core import slugs
from edge import stored_pages, unknown_shops
from http_server import Head, Ready


@pytest.fixture
def pages(app: Flask) -> stored_pages.Pages:
    """Nothing of another test is known."""
    made: stored_pages.Pages = app.extensions["stored_pages"]
    made.forget()
    slugs.forget()
    return made


def ask_program(app: Flask, host: str, path: str = "/", **headers: str) -> int:
    answer = app.test_client().get(path, base_url=f"http://{host}", headers=headers)
    return answer.status_code


def asked(
    pages: stored_pages.Pages, host: str, path: str = "/", **headers: str
) -> Ready | None:
    sent = [(b"host", host.encode())]
    for name, value in headers.items():
        sent.append((name.replace("_", "-").encode(), value.encode()))
    return pages.answer(Head("GET", path, path, "", "1.1", sent))


def add_shop(slug: str) -> None:
    columns = "slug, name, colour, welcome, status, closed_note, auto_process, markup_bp, version, created_at"
    tables_owner.execute(
        f"INSERT INTO stores ({columns}) SELECT '{slug}', name, colour, welcome, status,"
        " closed_note, auto_process, markup_bp, version, created_at FROM stores WHERE slug = 'ama'"
    )


def test_after_one_the_others_are_told_as_the_program_told_it(
    app: Flask, pages: stored_pages.Pages
) -> None:
    assert asked(pages, "nobody.localhost") is None
    told = app.test_client().get("/", base_url="http://nobody.localhost")
    for host, path in (
        ("nobody.localhost", "/"),
        ("another.localhost:8080", "/orders/AAAAAAAAAA"),
        ("NOBODY.localhost.", "/track"),
        ("elsewhere.test", "/"),
        ("a.b.localhost", "/"),
        ("[::1]", "/"),
    ):
        page = asked(pages, host, path)
        assert page is not None, host
        assert page.head.startswith(b"HTTP/1.1 404 ") and page.body == told.data


@pytest.mark.parametrize(
    "host", ["ama.localhost", "kofi.localhost", "AMA.localhost:80", "ama.localhost."]
)
def test_a_shop_that_is_there_is_never_said_to_be_missing(
    app: Flask, pages: stored_pages.Pages, host: str
) -> None:
    ask_program(app, "nobody.localhost")
    assert asked(pages, host) is None


@pytest.mark.parametrize(
    "host",
    ["localhost", "portal.localhost", "admin.localhost", "hooks.localhost", "", "a b"],
)
def test_other_rooms_and_odd_hosts_are_the_program_s_to_answer(
    app: Flask, pages: stored_pages.Pages, host: str
) -> None:
    ask_program(app, "nobody.localhost")
    assert asked(pages, host) is None


@pytest.mark.parametrize(
    "path", ["/healthz", "/metrics", "/static/app.css", "/.well-known/security.txt"]
)
def test_what_is_answered_on_any_host_still_is(
    app: Flask, pages: stored_pages.Pages, path: str
) -> None:
    ask_program(app, "nobody.localhost")
    assert asked(pages, "nobody.localhost", path) is None


def test_a_new_shop_is_found_within_a_second(
    app: Flask, pages: stored_pages.Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask_program(app, "yaa.localhost")
    assert asked(pages, "yaa.localhost") is not None
    add_shop("yaa")
    read_at = slugs._read_at
    monkeypatch.setattr(slugs, "monotonic", lambda: read_at + slugs.FRESH_S + 0.01)
    assert asked(pages, "yaa.localhost") is None, "what is known is too old"
    assert ask_program(app, "yaa.localhost") == 200
    assert ask_program(app, "nobody.localhost") == 404
    page = asked(pages, "yaa.localhost")
    assert page is not None and page.head.startswith(b"HTTP/1.1 200 ")
    assert slugs._known >= {"ama", "yaa"}
    assert asked(pages, "nobody.localhost") is not None


def test_a_database_that_was_restored_is_read_anew(
    app: Flask, pages: stored_pages.Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have a shop under an id that was another's."""
    ask_program(app, "nobody.localhost")
    monkeypatch.setattr(slugs, "_last_id", 10**9)
    monkeypatch.setattr(slugs, "_known", frozenset())
    read_at = slugs._whole_at
    monkeypatch.setattr(slugs, "monotonic", lambda: read_at + slugs.WHOLE_S + 0.01)
    ask_program(app, "nobody.localhost")
    assert slugs._known >= {"ama", "kofi"}


def test_a_flood_asks_the_database_once_and_is_not_remembered(
    app: Flask, pages: stored_pages.Pages
) -> None:
    ask_program(app, "nobody.localhost")
    known, read_at = len(slugs._known), slugs._read_at
    for number in range(1_000):
        assert asked(pages, f"n{number}.localhost") is not None
    for number in range(20):
        ask_program(app, f"n{number}.localhost", X_Forwarded_Proto=f"p{number}")
    assert (len(slugs._known), slugs._read_at) == (known, read_at)
    assert asked(pages, "nobody.localhost") is not None, "none was pushed out"
    assert len(pages.unknown_shops._pages) <= 3 * len(unknown_shops.SCHEMES)


def test_a_theme_that_somebody_chose_is_shown_to_nobody_else(
    app: Flask, pages: stored_pages.Pages
) -> None:
    visitor = app.test_client()
    visitor.set_cookie("__Host-theme", "dark", domain="nobody.localhost", secure=False)
    told = visitor.get("/", base_url="http://nobody.localhost")
    assert b"dark" in told.data
    assert asked(pages, "nobody.localhost") is None


def test_a_shop_found_between_two_looks_is_never_missing(
    app: Flask, pages: stored_pages.Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another thread looks while this one asks."""

    class Looked(frozenset[str]):
        def __contains__(self, slug: object) -> bool:
            monkeypatch.setattr(slugs, "_known", frozenset({"yaa"}))
            monkeypatch.setattr(slugs, "_read_at", slugs.monotonic())
            return False

    monkeypatch.setattr(slugs, "_known", Looked())
    monkeypatch.setattr(slugs, "_read_at", slugs.monotonic() - 30)
    assert not slugs.is_missing("yaa")


@pytest.mark.parametrize("name", ["hx_request", "x_forwarded_host", "range"])
def test_the_program_is_asked_where_the_answer_may_be_another(
    app: Flask, pages: stored_pages.Pages, name: str
) -> None:
    ask_program(app, "nobody.localhost")
    assert asked(pages, "nobody.localhost", **{name: "true"}) is None
