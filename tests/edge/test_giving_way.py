"""A page that loses against another transaction begins anew, so that nobody is shown an error for
it (fault 37).

The other is a real process with a real lock. PostgreSQL's own words are counted, so that no test
passes because nobody was in the way.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import tables_owner
from flask import Flask
from seed import WALLET_PESEWAS
from sqlalchemy import event, text
from store_customers import NUMBER, Shop, fields
from visitors import Visitor

from core import catalog, ledger, orders
from core.base import config, round_trip
from core.base import db as database
from core.base.db import db, transaction
from core.orders import Order
from core.orders.selecting import IN_THE_WAY
from edge.errors import BUSY, WORDS
from tests.support.queues import queue
from tests.support.settings import Using

pytestmark = pytest.mark.slow(seconds=0.5)

HOLDER = Path(__file__).with_name("lock_holder.py")
WALLET = "SELECT 1 FROM accounts WHERE name = 'wallet' AND store_id = {} FOR UPDATE"
ORDER = "SELECT 1 FROM orders WHERE id = {} FOR UPDATE"
STORE = "SELECT 1 FROM stores WHERE slug = 'ama' FOR UPDATE"
AGENT = 470


@pytest.fixture
def lock_wait() -> dict[str, int]:
    """How long a page of these tests waits for a lock before PostgreSQL gives up, in
    milliseconds."""
    return {"ms": 250}


@pytest.fixture
def said(
    app: Flask, lock_wait: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[str]]:
    """What PostgreSQL refused to our pages, by its own codes, in order."""
    codes: list[str] = []

    def note(context: Any) -> None:
        codes.append(getattr(context.original_exception, "sqlstate", "") or "")

    tell = round_trip._as_elsewhere

    def noted(asks: Any, error: Any, **more: Any) -> Exception:
        codes.append(error.sqlstate or "")
        return tell(asks, error, **more)

    with app.app_context():
        engines = list(db.engines.values())
    for engine in engines:
        event.listen(engine, "handle_error", note)
    # what goes out several statements at a time
    monkeypatch.setattr(round_trip, "_as_elsewhere", noted)
    monkeypatch.setattr(database, "lock_limit_ms", lambda: lock_wait["ms"])
    yield codes
    for engine in engines:
        event.remove(engine, "handle_error", note)


@pytest.fixture
def in_the_way(postgres: dict[str, str]) -> Callable[..., Any]:
    @contextmanager
    def hold(what: str, then: str = "release") -> Iterator[subprocess.Popen[str]]:
        holder = subprocess.Popen(
            [sys.executable, str(HOLDER), postgres["super"], what, then],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            yield holder
            holder.communicate(timeout=20)
            assert holder.returncode == 0
        finally:
            holder.kill()
            holder.wait()
            for pipe in (holder.stdin, holder.stdout):
                assert pipe is not None
                pipe.close()

    return hold


@pytest.fixture
def pending(in_store: Callable[..., Any]) -> Callable[[int], list[Order]]:
    """So many orders that wait for the agent, each for a number of its own."""

    def place(count: int) -> list[Order]:
        def placed() -> list[Order]:
            return [
                orders.place(
                    bundle_id=catalog.shelf()[0].bundle_id,
                    recipient_msisdn=f"+233249000{number:02}0",
                    idempotency_key=f"giving-way-{number:08}",
                ).order
                for number in range(count)
            ]

        return in_store("ama", placed)

    return place


@pytest.fixture
def page(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Callable[[], object]], None]:
    """Put a view in the place of the tracking page."""
    from edge.limits import _endpoint

    return lambda view: monkeypatch.setitem(
        app.view_functions, _endpoint(app, "store", "GET", "/track"), view
    )


@pytest.fixture
def circles_found_late(superuser: psycopg.Connection[Any]) -> Iterator[None]:
    """PostgreSQL looks for a circle when somebody has waited for four seconds: by then the other,
    on a machine that has much else to do, has closed it."""
    superuser.execute("ALTER SYSTEM SET deadlock_timeout = '4s'")
    superuser.execute("SELECT pg_reload_conf()")
    yield
    superuser.execute("ALTER SYSTEM RESET deadlock_timeout")
    superuser.execute("SELECT pg_reload_conf()")


def test_a_deadlock_is_not_seen(
    circles_found_late: None,
    ama_agent: Visitor,
    pending: Callable[[int], list[Order]],
    in_the_way: Callable[..., Any],
    in_store: Callable[..., Any],
    said: list[str],
    lock_wait: dict[str, int],
) -> None:
    """Process holds the order and wants the wallet; the other holds the wallet and then wants the
    order."""
    lock_wait["ms"] = 15_000
    order = pending(1)[0]
    # We began to wait first, so PostgreSQL finds the circle in our session and ends it; the other
    # gets what it wants.
    with in_the_way(WALLET.format(order.store_id), ORDER.format(order.id)):
        answer = ama_agent.post(f"/orders/{order.code}/process")
    assert said == ["40P01"]
    assert answer.status_code == 303
    assert in_store("ama", lambda: orders.by_code(order.code).state) == "queued"
    assert in_store("ama", lambda: ledger.wallet().held_pesewas) == AGENT


def test_a_lock_that_is_let_go_in_time_is_not_seen(
    app: Flask,
    in_the_way: Callable[..., Any],
    in_store: Callable[..., Any],
    said: list[str],
    lock_wait: dict[str, int],
) -> None:
    lock_wait["ms"] = 15_000
    shop = Shop(app, "ama")
    bundle_id = in_store("ama", lambda: catalog.shelf()[0].bundle_id)
    form = fields(shop.review(bundle_id).text)
    with in_the_way(STORE):
        answer = shop.post("/orders", form)
    assert said == []
    assert answer.status_code == 303
    assert NUMBER[-4:] in shop.get(answer.location).text


def test_a_serialization_failure_is_not_seen(
    customer: Visitor,
    page: Callable[..., None],
    postgres: dict[str, str],
    said: list[str],
) -> None:
    tries = []

    def repeatable() -> str:
        tries.append(1)
        with db.engine.connect().execution_options(
            isolation_level="REPEATABLE READ"
        ) as connection:
            connection.execute(text("SELECT 1 FROM settings"))
            if len(tries) == 1:
                with psycopg.connect(postgres["super"], autocommit=True) as rival:
                    rival.execute("UPDATE stores SET version = version + 1")
            connection.execute(
                text("UPDATE stores SET version = version WHERE slug = 'ama'")
            )
        return "done"

    page(repeatable)
    answer = customer.get("/track")
    assert (answer.status_code, answer.text, said, len(tries)) == (
        200,
        "done",
        ["40001"],
        2,
    )


def test_a_lock_nobody_lets_go_is_a_page_that_can_send_it_again(
    app: Flask,
    in_the_way: Callable[..., Any],
    in_store: Callable[..., Any],
    said: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shop = Shop(app, "ama")
    form = fields(
        shop.review(in_store("ama", lambda: catalog.shelf()[0].bundle_id)).text
    )
    with in_the_way(STORE, "keep"):
        answer = shop.post("/orders", form)
    assert answer.status_code == 503
    assert BUSY.sentence in answer.text and BUSY.advice in answer.text
    assert answer.headers["Retry-After"]
    assert said == ["55P03"], "whoever waited the whole time does not wait again"
    assert fields(answer.text) == form, "what was typed is lost"
    assert in_store("ama", lambda: queue("new").orders) == []
    assert shop.post("/orders", fields(answer.text)).status_code == 303


def test_no_try_begins_when_patience_is_over(
    customer: Visitor,
    page: Callable[..., None],
    said: list[str],
    using: Using,
) -> None:
    using(db_patience_s=0.3)

    def loses_late() -> str:
        code = (
            "DO $$ BEGIN PERFORM pg_sleep(0.2); RAISE EXCEPTION 'lost' USING ERRCODE = '40001';"
            " END $$"
        )
        db.session.execute(text(code))
        return "done"

    page(loses_late)
    answer = customer.get("/track")
    assert answer.status_code == 503
    assert said == ["40001"] * 2


def test_what_was_committed_is_not_done_twice(
    customer: Visitor,
    page: Callable[..., None],
    in_the_way: Callable[..., Any],
    said: list[str],
) -> None:
    """Only a page that committed nothing may begin anew."""

    def two_acts() -> str:
        with transaction() as session:
            session.execute(
                text("UPDATE store_bundles SET price_pesewas = price_pesewas + 100")
            )
        with transaction() as session:
            session.execute(text(STORE))
        return "done"

    page(two_acts)
    prices = "SELECT price_pesewas FROM store_bundles WHERE store_id = 1 ORDER BY id"
    before = tables_owner.read(prices)
    with in_the_way(STORE, "keep"):
        answer = customer.get("/track")
    assert (answer.status_code, said) == (503, ["55P03"])
    assert before and tables_owner.read(prices) == [price + 100 for price in before]


def too_slow() -> None:
    """A statement that runs into the limit of its time."""
    db.session.execute(text("SET LOCAL statement_timeout = 20"))
    db.session.execute(text("SELECT pg_sleep(5)"))


def test_a_mistake_is_made_once(
    customer: Visitor, page: Callable[..., None], said: list[str]
) -> None:
    """A statement that is too slow or wrong would be so again."""
    page(too_slow)
    answer = customer.get("/track")
    assert (answer.status_code, said) == (503, ["57014"])
    assert WORDS[503].sentence in answer.text


@pytest.mark.parametrize("locked", [0, 1, 2])
def test_one_locked_order_of_a_selection_holds_up_no_other(
    ama_agent: Visitor,
    pending: Callable[[int], list[Order]],
    in_the_way: Callable[..., Any],
    in_store: Callable[..., Any],
    said: list[str],
    locked: int,
) -> None:
    placed = pending(3)
    codes = [order.code for order in placed]
    with in_the_way(ORDER.format(placed[locked].id), "keep"):
        answer = ama_agent.post("/orders/process", {"order": codes})
    assert said == ["55P03"]
    assert answer.status_code == 200
    assert (
        answer.text.count(IN_THE_WAY) == 2
    )  # the words of its group, and its name for screen readers
    assert "2 sent, 1 not sent" in answer.text
    states = [
        in_store("ama", lambda code=code: orders.by_code(code).state) for code in codes
    ]
    assert states == [
        "pending" if number == locked else "queued" for number in range(3)
    ]
    assert (
        in_store("ama", lambda: ledger.wallet().available_pesewas)
        == WALLET_PESEWAS - 2 * AGENT
    )
    again = ama_agent.post("/orders/process", {"order": codes})
    assert again.status_code == 200
    assert (
        in_store("ama", lambda: ledger.wallet().available_pesewas)
        == WALLET_PESEWAS - 3 * AGENT
    )


def test_a_selection_that_is_locked_as_a_whole_waits_once(
    ama_agent: Visitor,
    pending: Callable[[int], list[Order]],
    in_the_way: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Twenty orders that wait for one locked wallet: two seconds for the first, and a moment for
    each of the others."""
    placed = pending(20)
    began = time.monotonic()
    with in_the_way(WALLET.format(placed[0].store_id), "keep"):
        answer = ama_agent.post(
            "/orders/process", {"order": [order.code for order in placed]}
        )
    assert answer.status_code == 409
    assert "20</span> · " + IN_THE_WAY in answer.text
    # not twenty times that
    assert time.monotonic() - began < 3 * config.current().lock_press_s


def test_a_page_that_sends_again_never_holds_a_password(
    app: Flask,
    visitor: Callable[[str], Visitor],
    monkeypatch: pytest.MonkeyPatch,
    said: list[str],
) -> None:
    from edge.limits import _endpoint

    def view() -> str:
        too_slow()
        return ""

    monkeypatch.setitem(
        app.view_functions, _endpoint(app, "portal", "POST", "/login"), view
    )
    answer = visitor("portal").post(
        "/login", {"email": "ama@example.test", "password": "correct horse battery"}
    )
    assert answer.status_code == 503
    assert "correct horse" not in answer.text and "ama@example.test" not in answer.text
