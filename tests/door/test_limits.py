"""Limits count what they should, hold when Valkey is gone, and never make a page slow."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from flask import Flask, g, request
from limits.storage import MemoryStorage
from werkzeug.test import TestResponse

from core.config import Config
from door import limits
from door.limits import caller

QUICK_S = 0.5


@pytest.fixture
def quick_orders(monkeypatch: pytest.MonkeyPatch) -> Callable[[Flask], Callable[[str], TestResponse]]:
    """Replace the order view by one that says whether it made an order, behind the same limit."""

    def prepare(app: Flask) -> Callable[[str], TestResponse]:
        endpoint = limits._endpoint(app, "store", "POST", "/orders")
        limited = app.view_functions[endpoint]

        def view() -> str:
            g.order_created = request.form.get("new") == "1"
            return "ok"

        (limiter,) = app.extensions["limiter"]
        limit = limits.table(_config(app))[("store", "POST", "/orders")]
        wrapped = limiter.limit(limit.amount, key_func=caller, methods=["POST"], deduct_when=limit.counts)(view)
        assert limited is not wrapped
        monkeypatch.setitem(app.view_functions, endpoint, wrapped)
        client = app.test_client()
        origin = {"Origin": "http://ama.localhost"}
        return lambda new: client.post("/orders", base_url="http://ama.localhost", headers=origin, data={"new": new})

    return prepare


def _config(_app: Flask) -> Config:
    from core import config

    return config.current()


def test_the_eleventh_new_order_of_a_minute_waits(
    door_app: Callable[..., Flask], quick_orders: Callable[..., Callable[[str], TestResponse]]
) -> None:
    order = quick_orders(door_app(orders_per_address_minute=10))
    assert [order("0").status_code for _ in range(30)] == [200] * 30, "what makes no order never counts"
    assert [order("1").status_code for _ in range(10)] == [200] * 10
    refused = order("1")
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert "Too many tries" in refused.text


def test_every_limited_address_is_served(app: Flask) -> None:
    for room, method, path in limits.table(_config(app)):
        assert limits._endpoint(app, room, method, path)
    with pytest.raises(LookupError, match="no room serves"):
        limits._endpoint(app, "store", "POST", "/gone")


def test_guessing_codes_ends_and_other_stores_go_on(app: Flask) -> None:
    client = app.test_client()
    statuses = [client.get(f"/orders/{code:010d}", base_url="http://ama.localhost").status_code for code in range(62)]
    assert statuses == [404] * 60 + [429] * 2
    assert client.get("/orders/0000000099", base_url="http://kofi.localhost").status_code == 404


@pytest.mark.parametrize("kind", ["dead", "silent"])
def test_without_valkey_pages_answer_quickly_and_limits_hold(
    kind: str,
    dead_port: int,
    silent_port: int,
    door_app: Callable[..., Flask],
    quick_orders: Callable[..., Callable[[str], TestResponse]],
    memory_of: Callable[[Flask], MemoryStorage],
) -> None:
    port = dead_port if kind == "dead" else silent_port
    app = door_app(redis_url=f"redis://127.0.0.1:{port}/0", orders_per_address_minute=5)
    order = quick_orders(app)
    took, statuses = [], []
    started = time.monotonic()
    for _ in range(12):
        began = time.monotonic()
        statuses.append(order("1").status_code)
        took.append(time.monotonic() - began)
    assert statuses == [200] * 5 + [429] * 7
    assert max(took) < QUICK_S, took
    assert time.monotonic() - started < 12 * QUICK_S
    assert memory_of(app).storage


def test_valkey_is_used_again_once_it_is_back(
    door_app: Callable[..., Flask],
    quick_orders: Callable[..., Callable[[str], TestResponse]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = door_app(orders_per_address_minute=1_000)
    order = quick_orders(app)
    (limiter,) = app.extensions["limiter"]
    limiter.reset()
    limiter._storage_dead = True
    now = time.time()
    monkeypatch.setattr("flask_limiter._extension.time.time", lambda: now + 100)
    assert order("1").status_code == 200
    assert not limiter._storage_dead


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("196.201.1.9", "196.201.1.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::"),
        ("not an address", "not an address"),
        (None, "nobody"),
    ],
)
def test_one_caller_is_one_address_or_one_ipv6_network(app: Flask, address: str | None, key: str) -> None:
    with app.test_request_context("/", environ_base={"REMOTE_ADDR": address}):
        assert caller() == key


def test_strangers_cannot_choose_their_address(app: Flask) -> None:
    with app.test_request_context(
        "/", environ_base={"REMOTE_ADDR": "196.201.1.9"}, headers={"X-Forwarded-For": "10.0.0.1"}
    ):
        assert caller() == "196.201.1.9"
