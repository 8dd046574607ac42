"""Where to report a fault, on every host; and HTTPS for a year on what is answered before Flask."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from core.base import clock

PATH = "/.well-known/security.txt"
HOSTS = ("ama", "portal", "admin", "hooks", "nobody")
CONTACT = "mailto:security@shop.example"


@pytest.fixture
def told(door: Callable[..., Flask]) -> Flask:
    return door(security_contact=CONTACT)


def test_every_host_says_where_to_report_a_fault(told: Flask) -> None:
    for base in (*(f"http://{host}.localhost" for host in HOSTS), "http://localhost"):
        answer = told.test_client().get(PATH, base_url=base)
        assert answer.status_code == 200, base
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "Set-Cookie" not in answer.headers
        fields = dict(line.split(": ", 1) for line in answer.text.splitlines())
        assert fields["Contact"] == CONTACT
        until = datetime.strptime(fields["Expires"], "%Y-%m-%dT%H:%M:%SZ").replace(
            tzinfo=UTC
        )
        assert timedelta(days=28) < until - clock.now() <= timedelta(days=30)


def test_it_is_the_same_bytes_all_day_and_head_has_none(told: Flask) -> None:
    client = told.test_client()
    assert client.get(PATH).data == client.get(PATH).data
    head = client.head(PATH)
    assert (head.status_code, head.data) == (200, b"")
    assert int(head.headers["Content-Length"]) == len(client.get(PATH).data)


def test_without_an_address_there_is_no_such_page(app: Flask) -> None:
    for host in HOSTS:
        assert (
            app.test_client().get(PATH, base_url=f"http://{host}.localhost").status_code
            == 404
        )


def test_nothing_is_done_by_posting_there(told: Flask) -> None:
    for base in ("http://ama.localhost", "http://portal.localhost"):
        answer = told.test_client().post(PATH, base_url=base, headers={"Origin": base})
        assert answer.status_code in (404, 405)


BEFORE_FLASK = (PATH, "/healthz", "/metrics", "/static/{css}", "/static/none.css")


def strictness(app: Flask, scheme: str) -> dict[str, list[str]]:
    """The header as each kind of answer carries it."""
    found = {}
    for path in (*BEFORE_FLASK, "/", "/no-such-page"):
        path = path.replace("{css}", app.extensions["static_names"]["app.css"])
        with app.test_client().get(
            path, base_url=f"{scheme}://ama.localhost"
        ) as answer:
            found[path] = answer.headers.getlist("Strict-Transport-Security")
    return found


@pytest.mark.slow(seconds=0.2)
def test_what_is_answered_before_flask_is_strict_about_https_too(
    told: Flask, door_app: Callable[..., Flask]
) -> None:
    once = ["max-age=31536000; includeSubDomains"]
    assert [path for path, said in strictness(told, "http").items() if said] == []
    assert [
        path for path, said in strictness(told, "https").items() if said != once
    ] == []
    public = door_app(public_scheme="https", security_contact=CONTACT)
    assert [
        path for path, said in strictness(public, "http").items() if said != once
    ] == []
