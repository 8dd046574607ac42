"""A new key while the old one is still accepted: nobody is logged out, and nothing new carries the
old one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from seed import PASSWORD, WEBHOOK_TOKEN
from sqlalchemy import func, select
from tables_owner import migrate
from visitors import Visitor

from core.base import config as settings
from core.base import tenancy
from core.base.config import Config
from core.base.db import db
from core.supplier import webhook_events
from storefront import device

pytestmark = [pytest.mark.slow(seconds=0.6), pytest.mark.matrix]

OLD = "the-old-secret-for-tests-thirty-two-characters-or-more"
NEW = "the-new-secret-for-tests-thirty-two-characters-or-more"


Turn = Callable[..., Flask]


class Turned:
    """The same application, restarted with other keys."""

    def __init__(self, config: Config) -> None:
        from wsgi import create_app

        self.config = config
        self.before = settings.current()
        self.app = create_app(config)
        self.app.testing = True

    def close(self) -> None:
        with self.app.app_context():
            for engine in db.engines.values():
                engine.dispose()
        settings.use(self.before)


@pytest.fixture
def turn(app: Flask, config: Config, postgres: dict[str, str]) -> Iterator[Turn]:
    """`turn(secret_key=…)` restarts the application with those settings, after `db upgrade` with
    them."""
    made: list[Turned] = []

    def restart(**changes: str) -> Flask:
        keys = {"secret_key": config.secret_key, "secret_key_fallbacks": ""} | changes
        migrate(postgres, keys["secret_key"], keys["secret_key_fallbacks"])
        made.append(Turned(dataclasses.replace(config, **changes)))
        return made[-1].app

    yield restart
    for each in reversed(made):
        each.close()
    migrate(postgres)


def carried_over(visitor: Visitor, app: Flask) -> Visitor:
    """The same browser with its cookies, in front of the restarted application."""
    other = Visitor(app, visitor.base_url.partition("://")[2].partition(".")[0])
    for key, cookie in visitor.client._cookies.items():
        other.client._cookies[key] = cookie
    return other


def logged_in_by(app: Flask) -> Visitor:
    portal = Visitor(app, "portal")
    portal.post("/login", {"email": "ama@example.test", "password": PASSWORD})
    assert portal.get("/").status_code == 200
    return portal


def test_a_log_in_and_its_forms_survive_a_new_key(turn: Turn) -> None:
    before = logged_in_by(turn(secret_key=OLD))
    token = before.csrf_token  # of a form that was open before the restart
    after = carried_over(
        before, turn(secret_key=NEW, secret_key_fallbacks=f"{OLD} {'x' * 32}")
    )
    assert after.get("/").status_code == 200
    assert (
        after.post(
            "/stores", {"store": "ama", "csrf_token": token}, csrf=False
        ).status_code
        == 303
    )


def test_what_is_signed_after_the_turn_carries_the_new_key_only(turn: Turn) -> None:
    before = logged_in_by(turn(secret_key=NEW, secret_key_fallbacks=OLD))
    token = before.csrf_token
    alone = carried_over(before, turn(secret_key=NEW))
    assert alone.get("/").status_code == 200
    assert (
        alone.post(
            "/stores", {"store": "ama", "csrf_token": token}, csrf=False
        ).status_code
        == 303
    )


@pytest.mark.parametrize(
    "fallbacks", ["", "another-key-that-nobody-ever-had-of-some-length"]
)
def test_an_unknown_key_opens_nothing(turn: Turn, fallbacks: str) -> None:
    before = logged_in_by(turn(secret_key=OLD))
    token = before.csrf_token
    after = carried_over(before, turn(secret_key=NEW, secret_key_fallbacks=fallbacks))
    assert after.get("/").status_code == 303
    answer = after.post(
        "/login",
        {"email": "ama@example.test", "password": "x", "csrf_token": token},
        csrf=False,
    )
    assert answer.status_code == 400


def test_the_device_of_a_customer_is_known_after_a_new_key(turn: Turn) -> None:
    def signed_by(app: Flask, sent: str | None = None) -> tuple[list[str], str]:
        headers = {"Cookie": f"{device.COOKIE}={sent}"}
        with app.test_request_context(
            "/", base_url="http://ama.localhost", headers=headers
        ):
            answer = app.make_response("")
            device.remember(answer, 1, "K7QM2XR94T")
            return device.codes(1), answer.headers["Set-Cookie"].partition("=")[
                2
            ].partition(";")[0]

    _, old = signed_by(turn(secret_key=OLD))
    known, new = signed_by(turn(secret_key=NEW, secret_key_fallbacks=OLD), old)
    assert known == ["K7QM2XR94T"] and new != old
    alone = turn(secret_key=NEW)
    assert signed_by(alone, old)[0] == []
    assert signed_by(alone, new)[0] == ["K7QM2XR94T"]


@pytest.mark.slow(seconds=0.5)
@pytest.mark.parametrize(
    ("token", "status"),
    [
        ("new-token-of-hooks-0123456789", 204),
        (WEBHOOK_TOKEN, 204),
        ("x" * 30, 404),
        ("", 404),
        ("é" * 30, 404),
    ],
)
def test_webhooks_ring_at_the_new_and_the_previous_token(
    turn: Turn, token: str, status: int
) -> None:
    both = turn(
        webhook_token="new-token-of-hooks-0123456789",
        webhook_token_previous=WEBHOOK_TOKEN,
    )
    hooks, before = both.test_client(), kept_webhooks(both)
    answer = hooks.post(
        f"/datamart/{token}", base_url="http://hooks.localhost", data=b'{"event":"x"}'
    )
    assert answer.status_code == status
    assert (kept_webhooks(both) > before) == (status == 204)


def kept_webhooks(app: Flask) -> int:
    with app.app_context(), tenancy.across_stores():
        count = db.session.scalar(
            select(func.count()).select_from(webhook_events.WebhookEvent)
        )
        db.session.remove()
    return count or 0


def test_without_a_previous_token_the_old_address_is_closed(turn: Turn) -> None:
    alone = turn(webhook_token="new-token-of-hooks-0123456789").test_client()
    for token, status in ((WEBHOOK_TOKEN, 404), ("new-token-of-hooks-0123456789", 204)):
        assert (
            alone.post(
                f"/datamart/{token}", base_url="http://hooks.localhost", data=b"{}"
            ).status_code
            == status
        )
