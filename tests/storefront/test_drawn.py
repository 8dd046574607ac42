"""A front page that would say the same is not drawn again, and one that would not is."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from typing import Any

import brotli
import psycopg
import pytest
from flask import Flask
from shop_changes import CHANGES, OF_A_STORE

from core import stores
from edge import compression
from storefront import drawn, views

Ask = Callable[..., Any]


@pytest.fixture(autouse=True)
def nothing_drawn() -> Iterator[None]:
    drawn.forget()
    yield
    drawn.forget()


@pytest.fixture
def page(app: Flask) -> Ask:
    def ask(slug: str = "ama", path: str = "/", **headers: str) -> Any:
        client = app.test_client(use_cookies=False)
        answer = client.get(path, base_url=f"http://{slug}.localhost", headers=headers)
        assert answer.status_code == 200
        return answer

    return ask


@pytest.fixture
def drawings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The templates that were filled in."""
    filled: list[str] = []
    fill = views.render_template
    monkeypatch.setattr(
        views,
        "render_template",
        lambda name, **values: filled.append(name) or fill(name, **values),
    )
    return filled


def told(answer: Any) -> tuple[bytes, str, str]:
    """What of an answer a page decides."""
    headers = answer.headers
    return answer.data, headers["Content-Security-Policy"], headers["ETag"]


def test_what_says_the_same_is_drawn_once(page: Ask, drawings: list[str]) -> None:
    first, again = page(), page()
    assert told(first) == told(again)
    assert drawings == ["storefront/store.html"]


NOT_SHOWN = {
    "id", "slug", "momo_name", "auto_process", "pay_online", "markup_bp", "version", "created_at",
    "approval", "approval_note", "approved_at", "asked_at", "terms_at", "paused_at", "moved_at", "hours", "hours_closed",
}  # fmt: skip
"""Columns of a store that its front page does not show; the slug is its address, and a store that
was never approved has no front page."""


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_is_sold_is_seen_at_once(
    page: Ask, superuser: psycopg.Connection[Any], change: str
) -> None:
    before = page()
    assert superuser.execute(change).rowcount > 0
    after = page()
    assert after.data != before.data
    drawn.forget()
    assert told(page()) == told(after)


@pytest.mark.parametrize("column", OF_A_STORE)
def test_what_a_store_says_of_itself_is_seen_at_once(
    page: Ask, change_store: Ask, column: str
) -> None:
    change_store("ama", status="closed" if column == "closed_note" else "open")
    before = page()
    change_store("ama", **{column: OF_A_STORE[column]})
    after = page()
    assert after.data != before.data
    drawn.forget()
    assert told(page()) == told(after)


def test_every_column_of_a_store_is_thought_of() -> None:
    columns = {column.key for column in stores.Store.__mapper__.column_attrs}
    assert columns == OF_A_STORE.keys() | NOT_SHOWN


def test_no_shop_gets_the_page_of_another(page: Ask, drawings: list[str]) -> None:
    pages = [
        page(slug, path).data for slug in ("ama", "kofi") for path in ("/", "/tw/")
    ]
    again = [
        page(slug, path).data for slug in ("ama", "kofi") for path in ("/", "/tw/")
    ]
    assert again == pages and len(set(pages)) == 4 == len(drawings)


def test_what_was_typed_or_chosen_is_drawn_each_time(
    page: Ask, bundle: Ask, drawings: list[str]
) -> None:
    plain = page().data
    chosen = page(path=f"/?bundle={bundle()}").data
    assert b"required checked" in chosen and b"required checked" not in plain
    assert page().data == plain
    assert len(drawings) == 2


def test_it_is_compressed_once_and_is_the_same_page(
    page: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = page().data
    squeezed: list[str] = []
    smaller = compression._smaller
    monkeypatch.setattr(
        compression,
        "_smaller",
        lambda body, encoding: squeezed.append(encoding) or smaller(body, encoding),
    )
    for _ in range(2):
        assert brotli.decompress(page(**{"Accept-Encoding": "br"}).data) == plain
        assert gzip.decompress(page(**{"Accept-Encoding": "gzip"}).data) == plain
    assert squeezed == ["br", "gzip"]


def test_an_answer_in_its_place_is_not_taken_for_it(
    app: Flask, page: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Something may go wrong after the page is ready."""
    page(**{"Accept-Encoding": "gzip"})

    def break_down(*_words: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(views, "_as_response", break_down)
    monkeypatch.setitem(app.config, "PROPAGATE_EXCEPTIONS", False)
    answer = app.test_client().get(
        "/", base_url="http://ama.localhost", headers={"Accept-Encoding": "gzip"}
    )
    assert answer.status_code == 500
    body = answer.data
    if answer.headers.get("Content-Encoding") == "gzip":
        body = gzip.decompress(body)
    assert b'name="bundle"' not in body


def test_what_somebody_typed_is_not_kept(app: Flask, page: Ask, shop: Ask) -> None:
    page()
    kept = dict(drawn._kept)
    answer = shop("ama").post("/orders", data={"recipient": "024 9"})
    assert answer.status_code == 422 and "024 9" in answer.text
    assert dict(drawn._kept) == kept


@pytest.mark.parametrize("change", ["network paused", "sold out"])
def test_a_moment_is_told_by_the_day_it_is_read(
    page: Ask,
    superuser: psycopg.Connection[Any],
    set_clock: Callable[[float], None],
    change: str,
) -> None:
    superuser.execute(CHANGES[change])
    superuser.execute(
        "UPDATE settings SET value = jsonb_set(value, '{since}', to_jsonb(now()))"
    )
    today = page().data
    set_clock(86_400)
    superuser.execute("UPDATE buying SET renewed_at = now() + interval '1 day'")
    tomorrow = page().data
    assert tomorrow != today
    drawn.forget()
    assert page().data == tomorrow
