"""A refusal is a sentence and what to do, as a page or as a small part; an outage is 503 and
nothing worse."""

from __future__ import annotations

from collections.abc import Callable

import html5lib
import psycopg
import pytest
from flask import Flask, abort
from sqlalchemy import text
from visitors import Visitor

from core.base import tenancy
from core.base.config import Config
from core.base.db import db
from edge.errors import WORDS


def at_port(port: int) -> dict[str, str]:
    """The addresses of both roles, where nobody listens or answers."""
    return {
        "database_url": f"postgresql://makola_platform:x@127.0.0.1:{port}/makola",
        "database_store_url": f"postgresql://makola_store:x@127.0.0.1:{port}/makola",
    }


HTMX = {"HX-Request": "true", "HX-Request-Type": "partial"}


@pytest.fixture
def failing(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Callable[[], object]], None]:
    """Put a view that fails in the place of the tracking page."""
    from edge.limits import _endpoint

    def put(view: Callable[[], object]) -> None:
        monkeypatch.setitem(
            app.view_functions, _endpoint(app, "store", "GET", "/track"), view
        )

    return put


def test_each_status_has_a_sentence_and_advice(
    customer: Visitor, failing: Callable[..., None]
) -> None:
    customer.app.testing = False  # a 500 is then answered instead of raised
    try:
        for status, words in WORDS.items():
            failing(lambda status=status: abort(status))
            page, part = customer.get("/track"), customer.get("/track", headers=HTMX)
            for answer in (page, part):
                assert answer.status_code == status
                assert words.sentence in answer.text, status
                assert "HX-Request" in answer.headers["Vary"], status
            assert words.advice in part.text, status
            assert "<html" in page.text and "<html" not in part.text, status
            assert "hx-trigger" not in part.text, status
            html5lib.HTMLParser(strict=True).parse(page.text)
    finally:
        customer.app.testing = True


def test_a_room_may_say_it_in_its_own_words(
    customer: Visitor, failing: Callable[..., None]
) -> None:
    failing(lambda: abort(404, "No order has the code <b>K7QM</b>."))
    answer = customer.get("/track")
    assert "No order has the code &lt;b&gt;K7QM&lt;/b&gt;." in answer.text


def test_a_bug_is_a_500_that_tells_nothing(
    customer: Visitor, failing: Callable[..., None]
) -> None:
    failing(lambda: {}["secret-key-of-a-dict"])
    customer.app.testing = False
    try:
        answer = customer.get("/track")
    finally:
        customer.app.testing = True
    assert answer.status_code == 500
    assert "secret-key-of-a-dict" not in answer.text and "Traceback" not in answer.text
    assert answer.headers["X-Request-Id"] in answer.text
    assert "Set-Cookie" not in answer.headers


def test_a_form_too_large_is_413(customer: Visitor, config: Config) -> None:
    answer = customer.post(
        "/orders", {"bundle": "x" * (config.form_bytes + 1)}, csrf=False
    )
    assert answer.status_code == 413
    assert "larger than any form" in answer.text


def test_a_method_no_page_has_is_405_and_says_which_it_has(customer: Visitor) -> None:
    answer = customer.client.delete(
        "/track", base_url=customer.base_url, headers={"Origin": customer.base_url}
    )
    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]


def test_a_value_the_database_cannot_take_is_400(
    customer: Visitor, failing: Callable[..., None]
) -> None:
    failing(
        lambda: db.session.execute(
            text("SELECT CAST(:n AS bigint)"), {"n": "9" * 40}
        ).scalar()
    )
    assert customer.get("/track").status_code == 400


def too_slow() -> None:
    """A statement that runs into the limit of its time."""
    db.session.execute(text("SET LOCAL statement_timeout = 20"))
    db.session.execute(text("SELECT pg_sleep(5)"))


def test_a_statement_that_takes_too_long_is_503(
    customer: Visitor, failing: Callable[..., None]
) -> None:
    failing(too_slow)
    answer = customer.get("/track")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "10"


@pytest.mark.parametrize(
    ("host", "path"),
    [
        ("ama", "/"),
        ("ama", "/track"),
        ("portal", "/login"),
        ("admin", "/login"),
        ("nobody", "/"),
    ],
)
def test_with_the_database_gone_pages_say_so_and_set_nothing(
    door_app: Callable[..., Flask], dead_port: int, host: str, path: str
) -> None:
    app = door_app(**at_port(dead_port))
    for headers in ({}, HTMX):
        answer = app.test_client().get(
            path, base_url=f"http://{host}.localhost", headers=headers
        )
        assert answer.status_code == 503
        assert "cannot reach our records" in answer.text
        assert "Set-Cookie" not in answer.headers
    post = app.test_client().post(
        path,
        base_url=f"http://{host}.localhost",
        headers={"Origin": f"http://{host}.localhost"},
    )
    assert post.status_code == 503


def test_health_is_answered_on_any_host(app: Flask) -> None:
    for host in (
        "ama.localhost",
        "nobody.localhost",
        "ama_data.localhost",
        "127.0.0.1",
        "evil.example",
    ):
        answer = app.test_client().get("/healthz", headers={"Host": host})
        assert answer.status_code == 200
        assert answer.get_json() == {"ok": True, "database": True, "valkey": True}
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.slow(seconds=1)
@pytest.mark.parametrize("kind", ["dead", "silent"])
def test_health_tells_what_is_gone_and_is_never_slow(
    kind: str, dead_port: int, silent_port: int, door_app: Callable[..., Flask]
) -> None:
    import time

    port = dead_port if kind == "dead" else silent_port
    without_valkey = door_app(redis_url=f"redis://127.0.0.1:{port}/0")
    began = time.monotonic()
    answer = without_valkey.test_client().get("/healthz")
    assert (answer.status_code, answer.get_json()) == (
        200,
        {"ok": True, "database": True, "valkey": False},
    )
    assert time.monotonic() - began < 1
    without_database = door_app(**at_port(port))
    for _ in range(2):
        began = time.monotonic()
        answer = without_database.test_client().get("/healthz")
        assert (answer.status_code, answer.get_json()) == (
            503,
            {"ok": False, "database": False, "valkey": True},
        )
        assert time.monotonic() - began < 1


@pytest.mark.parametrize("setting", ["database_url", "database_store_url"])
def test_a_powerful_role_is_refused_at_start(
    postgres: dict[str, str], door_app: Callable[..., Flask], setting: str
) -> None:
    from core.base.rights import WrongRights

    for role, why in (("admin", "OWNER"), ("super", "superuser")):
        with pytest.raises(
            WrongRights, match=f"{setting.upper()} connects as .*must not have .*{why}"
        ):
            door_app(**{setting: postgres[role]})


def test_a_page_that_is_ready_stays_one_when_the_database_dies_before_it_is_sent(
    owner: Visitor, postgres: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rollback of a read that is over fails then. The owner's door sees all stores: that must
    end with the page."""
    app, before = owner.app, owner.get("/books").status_code
    view = app.view_functions["console.show_books"]

    def then_dies() -> object:
        page = view()
        pid = db.session.scalar(text("SELECT pg_backend_pid()"))
        with psycopg.connect(postgres["super"], autocommit=True) as connection:
            connection.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
        return page

    monkeypatch.setitem(app.view_functions, "console.show_books", then_dies)
    assert owner.get("/books").status_code == before == 200
    assert not tenancy.sees_everything()
    monkeypatch.undo()
    assert owner.get("/books").status_code == 200
