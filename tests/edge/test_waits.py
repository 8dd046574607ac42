"""How long a request waits for a lock: by its kind, never twice, and never all threads of a process
(fault S12)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from flask import Flask
from seed import WEBHOOK_TOKEN
from sqlalchemy import text
from store_customers import Shop
from visitors import Visitor

from core import catalog, orders
from core.base import config, tenancy
from core.base.config import Config
from core.base.db import db, lock_limit_ms
from edge import hosts, waits
from edge.errors import BUSY
from edge.limits import _endpoint
from tests.support.settings import Using

pytestmark = pytest.mark.slow(seconds=0.4)

SLACK_S = 0.8


@pytest.fixture(autouse=True)
def four_threads(app: Flask, using: Using) -> None:
    """As in a process of the web server."""
    using(lock_crowd=Config.lock_crowd)


@pytest.fixture
def held(postgres: dict[str, str]) -> Callable[[str], Any]:
    """A psql session that has done a statement and goes on holding what it took."""

    @contextmanager
    def hold(statement: str) -> Iterator[None]:
        with psycopg.connect(postgres["super"]) as session:
            session.execute(statement)
            yield
            session.rollback()

    return hold


@pytest.fixture
def code(app: Flask, in_store: Callable[..., Any]) -> str:
    """A pending order of ama's."""
    return in_store(
        "ama",
        lambda: (
            orders.place(
                bundle_id=catalog.shelf()[0].bundle_id,
                recipient_msisdn="+233249000001",
                idempotency_key="waits-00000000000001",
            ).order.code
        ),
    )


@pytest.mark.parametrize(
    ("room", "method", "others", "limit_s"),
    [
        (hosts.STORE, "GET", 0, 1.0),
        (hosts.STORE, "HEAD", 1, 1.0),
        (hosts.STORE, "POST", 0, 2.0),
        (hosts.PORTAL, "POST", 1, 2.0),
        (hosts.CONSOLE, "GET", 0, 1.0),
        (hosts.CONSOLE, "DELETE", 0, 2.0),
        (hosts.HOOKS, "POST", 0, 1.0),
        (hosts.HOOKS, "POST", 3, 1.0),
        (hosts.STORE, "GET", 2, 0.2),
        (hosts.PORTAL, "POST", 2, 0.4),
        (hosts.PORTAL, "POST", 3, 0.3),
        (hosts.STORE, "GET", 9, 0.2),
    ],
)
def test_the_limit_of_each_kind(
    context: Flask, room: str, method: str, others: int, limit_s: float
) -> None:
    assert waits.limit_s(room, method, others) == limit_s


def test_postgresql_is_told_with_the_store_and_work_without_a_request_keeps_its_own(
    ama: int,
) -> None:
    assert db.session.execute(text("SHOW lock_timeout")).scalar_one() == "5s"
    with db.engine.connect() as connection:
        assert connection.execute(text("SHOW lock_timeout")).scalar_one() == "5s"


def test_a_request_s_limit_ends_with_it(
    app: Flask, customer: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def view() -> str:
        seen.append(db.session.execute(text("SHOW lock_timeout")).scalar_one())
        return "done"

    monkeypatch.setitem(
        app.view_functions, _endpoint(app, "store", "GET", "/track"), view
    )
    assert customer.get("/track").text == "done"
    assert seen == ["1s"]
    assert waits._under_way == 0
    with app.app_context():
        assert lock_limit_ms() == 5_000


def test_a_locked_table_is_said_in_about_a_second_and_shops_that_do_not_read_it_go_on(
    customer: Visitor, code: str, held: Callable[[str], Any]
) -> None:
    with held("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE"):
        began = time.monotonic()
        answer = customer.get(f"/orders/{code}")
        took_s = time.monotonic() - began
        shop = customer.get("/")
    assert (answer.status_code, BUSY.sentence in answer.text) == (503, True)
    assert 0.9 < took_s < config.current().lock_read_s + SLACK_S
    assert shop.status_code == 200
    assert customer.get(f"/orders/{code}").status_code == 200


@pytest.mark.parametrize("path", ["/", "/track?code=K7QM2XR94T"])
def test_with_the_stores_locked_every_page_of_a_store_is_a_sentence(
    customer: Visitor, held: Callable[[str], Any], path: str
) -> None:
    with held("LOCK TABLE stores IN ACCESS EXCLUSIVE MODE"):
        began = time.monotonic()
        answer = customer.get(path)
        took_s = time.monotonic() - began
    assert (answer.status_code, BUSY.sentence in answer.text) == (503, True)
    assert took_s < config.current().lock_read_s + SLACK_S


@pytest.mark.parametrize("table", ["sessions", "memberships", "accounts"])
def test_a_portal_page_waits_no_longer(
    ama_agent: Visitor, held: Callable[[str], Any], table: str
) -> None:
    with held(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"):
        began = time.monotonic()
        answer = ama_agent.get("/orders")
        took_s = time.monotonic() - began
    assert (answer.status_code, BUSY.sentence in answer.text) == (503, True)
    assert took_s < config.current().lock_read_s + SLACK_S


def test_a_locked_row_stops_no_page_that_reads_it(
    customer: Visitor, code: str, held: Callable[[str], Any]
) -> None:
    with held(f"SELECT 1 FROM orders WHERE code = '{code}' FOR UPDATE"):
        began = time.monotonic()
        assert customer.get(f"/orders/{code}").status_code == 200
        assert customer.get("/").status_code == 200
    assert time.monotonic() - began < SLACK_S


@pytest.mark.parametrize("what", ["the order", "the wallet"])
def test_a_press_is_told_after_two_seconds_that_somebody_is_at_it(
    ama_agent: Visitor,
    code: str,
    held: Callable[[str], Any],
    in_store: Callable[..., Any],
    what: str,
) -> None:
    lock = {
        "the order": f"SELECT 1 FROM orders WHERE code = '{code}' FOR UPDATE",
        "the wallet": "SELECT 1 FROM accounts WHERE name = 'wallet' FOR UPDATE",
    }[what]
    with held(lock):
        began = time.monotonic()
        answer = ama_agent.post(f"/orders/{code}/process")
        took_s = time.monotonic() - began
    assert (answer.status_code, BUSY.sentence in answer.text) == (503, True)
    assert 1.9 < took_s < config.current().lock_press_s + SLACK_S
    assert in_store("ama", lambda: orders.by_code(code).state) == "pending"
    assert ama_agent.post(f"/orders/{code}/process").status_code == 303


@pytest.mark.parametrize(
    "table", ["webhook_events", "orders", "supplier_state", "outbox"]
)
def test_a_webhook_has_its_answer_before_its_sender_hangs_up(
    app: Flask,
    held: Callable[[str], Any],
    in_store: Callable[..., Any],
    code: str,
    table: str,
) -> None:
    ref = in_store("ama", lambda: orders.release(code, orders_agent()).order_ref)
    body = (
        f'{{"event": "transaction.status_update", "data": {{"reference": "{ref}", "new_status":'
        ' "completed"}}'
    )
    client = app.test_client()
    with held(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"):
        began = time.monotonic()
        answer = client.post(
            f"/datamart/{WEBHOOK_TOKEN}",
            data=body,
            content_type="application/json",
            base_url="http://127.0.0.1",
        )
        took_s = time.monotonic() - began
    assert answer.status_code in (204, 503)
    assert took_s < 2.5
    assert (
        client.post(
            f"/datamart/{WEBHOOK_TOKEN}",
            data=body,
            content_type="application/json",
            base_url="http://127.0.0.1",
        ).status_code
        == 204
    )


def test_the_figures_do_not_wait_longer_than_a_page(
    app: Flask, held: Callable[[str], Any], using: Using
) -> None:
    using(metrics_token="t" * 22)
    headers = {"Authorization": "Bearer " + "t" * 22}
    with held("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE"):
        began = time.monotonic()
        answer = app.test_client().get(
            "/metrics", base_url="http://localhost", headers=headers
        )
        took_s = time.monotonic() - began
    assert "makola_up 0" in answer.text
    assert took_s < config.current().lock_read_s + SLACK_S
    assert lock_limit_ms() == 5_000


def test_of_eight_presses_at_once_most_are_told_at_once(
    app: Flask, logged_in: Callable[..., Visitor], code: str, held: Callable[[str], Any]
) -> None:
    """Else each thread of a process would be held for two seconds, and every shop with them."""
    people = [logged_in("ama@example.test", "portal", "ama") for _ in range(8)]
    gate, took_s = threading.Barrier(8), []

    def press(person: Visitor) -> None:
        token = person.csrf_token
        gate.wait()
        began = time.monotonic()
        answer = person.post(
            f"/orders/{code}/process", {"csrf_token": token}, csrf=False
        )
        took_s.append(time.monotonic() - began)
        assert answer.status_code == 503

    with held(f"SELECT 1 FROM orders WHERE code = '{code}' FOR UPDATE"):
        threads = [threading.Thread(target=press, args=(person,)) for person in people]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(took_s) == 8
    assert sum(took > 1.5 for took in took_s) <= config.current().lock_crowd
    # PostgreSQL counts a wait behind another waiter, and then the one for the holder, each by
    # itself.
    assert max(took_s) < 2 * config.current().lock_press_s + SLACK_S
    assert waits._under_way == 0


def test_forms_that_are_told_of_a_lock_can_be_sent_again(
    app: Flask, held: Callable[[str], Any], in_store: Callable[..., Any]
) -> None:
    from store_customers import fields

    shop = Shop(app, "ama")
    form = fields(
        shop.review(in_store("ama", lambda: catalog.shelf()[0].bundle_id)).text
    )
    with held("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE"):
        answer = shop.post("/orders", form)
    assert answer.status_code == 503
    assert fields(answer.text) == form
    assert shop.post("/orders", fields(answer.text)).status_code == 303


def orders_agent() -> Any:
    from core.audit import Actor

    assert tenancy.current_store_id()
    return Actor("agent", "Ama")
