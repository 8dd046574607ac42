"""A supplier that is frozen, or whose wallet was emptied elsewhere, shows while people look: with
the real relay and real sockets."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from desk import Desk
from flask import Flask
from redis import Redis
from sqlalchemy import func, select

from core import availability, orders, stores
from core.base import clock, config, tenancy
from core.base.db import db
from core.orders import watching
from core.supplier import balances, supply
from edge import limits
from fulfilment import relay, supplier_probe
from fulfilment.buying import call_log
from integrations.datamart.client import DataMart
from integrations.sandbox import sockets
from integrations.sandbox.store import DEFAULT_KEY, DEFAULT_SECRET, FIRST_ID
from tests.support.settings import Using

pytestmark = pytest.mark.servers

SCALE = 4
WITHIN_S = 20 / SCALE
LATE_S = 3.0
"""Other tests keep the machine busy; this is not scaled."""


class Gate:
    """The desk's supplier behind a socket that can freeze: it takes connections and answers nothing
    meanwhile."""

    def __init__(self, desk: Desk) -> None:
        self.open, self.asked = threading.Event(), 0
        self.open.set()
        self.slow: dict[str, float] = {}
        self._app = desk.sandbox
        self.server = sockets.Server(("127.0.0.1", 0), self._answer, lambda _line: None)  # type: ignore[arg-type]
        self.address = f"http://127.0.0.1:{self.server.server_port}/api"

    def __getattr__(self, name: str) -> Any:
        return getattr(self._app, name)

    def _answer(self, environ: dict[str, Any], start: Any) -> Any:
        self.asked += 1
        for part, seconds in self.slow.items():
            if part in environ["PATH_INFO"]:
                time.sleep(seconds)
        self.open.wait(60)
        return self._app(environ, start)


@pytest.fixture
def gate(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, using: Using, valkey: str
) -> Iterator[Gate]:
    """A fresh Valkey, no worker at all, a supplier behind a gate."""
    made = Gate(desk)
    serving = threading.Thread(
        target=made.server.serve_forever, args=(0.05,), daemon=True
    )
    serving.start()
    client = DataMart(
        made.address,
        DEFAULT_KEY,
        DEFAULT_SECRET,
        on_call=call_log.record,
        clock=clock.now,
        scale=clock.seconds,
    )
    monkeypatch.setitem(desk.app.extensions, "supplier", client)
    using(time_scale=SCALE)
    monkeypatch.setattr(watching, "keep_look", relay.look)
    monkeypatch.setattr(watching, "_looked_until", 0.0)
    monkeypatch.setattr(relay, "_quiet_until", 0.0)
    with Redis.from_url(valkey) as connection:
        connection.flushall()
        monkeypatch.setitem(desk.app.extensions, "redis", connection)
        yield made
    made.open.set()
    made.server.shutdown()
    made.server.server_close()
    serving.join(5)


@pytest.fixture
def relayed(app: Flask, gate: Gate) -> Iterator[None]:
    """The relay's own loop."""
    stop = threading.Event()
    running = threading.Thread(target=relay.run, args=(app, stop))
    running.start()
    yield
    stop.set()
    gate.open.set()
    running.join(20)
    assert not running.is_alive()
    wait_for(lambda: not calls_under_way())


def wait_for(condition: Callable[[], Any], seconds: float = 20) -> float:
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds
        time.sleep(0.05)
    return time.monotonic() - began


def now(app: Flask) -> availability.Now:
    with app.app_context():
        store = stores.by_slug("ama")
        assert store is not None
        with tenancy.inside(store.id):
            return availability.now()


def stopped(app: Flask) -> str | None:
    link = now(app).link
    return link.reason if link else None


def look(app: Flask) -> None:
    assert (
        app.test_client().get("/", base_url="http://ama.localhost").status_code == 200
    )


def look_on(app: Flask, seconds: float) -> None:
    """Somebody looks at the shop again and again for so long; it must be open all the while."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        look(app)
        assert stopped(app) is None
        time.sleep(0.1)


def reads() -> int:
    with tenancy.across_stores():
        return db.session.scalar(select(func.count(balances.BalanceRead.id))) or 0


@pytest.mark.slow(seconds=12)
@pytest.mark.usefixtures("relayed")
def test_a_frozen_supplier_closes_a_shop_that_is_looked_at_and_opens_it_at_once(
    app: Flask, gate: Gate
) -> None:
    wait_for(lambda: stopped(app) is None)
    look(app)
    wait_for(lambda: gate.asked)
    gate.open.clear()
    wait_for(lambda: stopped(app) == "supplier_silent", WITHIN_S + LATE_S)
    gate.open.set()
    wait_for(lambda: stopped(app) is None, 1 + LATE_S)


@pytest.mark.slow(seconds=6)
@pytest.mark.usefixtures("relayed")
def test_whoever_comes_while_it_is_frozen_reads_it_soon(app: Flask, gate: Gate) -> None:
    """Nobody had looked for hours: the first look has it asked."""
    gate.open.clear()
    wait_for(lambda: stopped(app) is None)
    look(app)
    wait_for(lambda: stopped(app) == "supplier_silent", WITHIN_S + LATE_S)


@pytest.mark.slow(seconds=5)
@pytest.mark.usefixtures("relayed")
def test_a_blink_closes_nothing(app: Flask, gate: Gate) -> None:
    look(app)
    wait_for(lambda: gate.asked)
    gate.open.clear()
    look_on(app, 9 / SCALE)
    gate.open.set()
    look_on(app, 9 / SCALE)


def calls_under_way() -> list[str]:
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name.startswith("listening")]


@pytest.mark.slow(seconds=3)
@pytest.mark.parametrize("hangs", [False, True])
def test_a_relay_that_stops_waits_for_its_calls_but_not_for_a_supplier_that_hangs(
    app: Flask, gate: Gate, hangs: bool
) -> None:
    stop = threading.Event()
    running = threading.Thread(target=relay.run, args=(app, stop))
    gate.slow[""] = 0.5
    if hangs:
        gate.open.clear()
    running.start()
    look(app)
    wait_for(lambda: gate.asked)
    stop.set()
    began = time.monotonic()
    running.join(20)
    assert bool(calls_under_way()) == hangs
    assert time.monotonic() - began < supplier_probe._LEAVE_S + LATE_S
    gate.open.set()
    wait_for(lambda: not calls_under_way())


@pytest.mark.slow(seconds=8)
@pytest.mark.usefixtures("relayed")
@pytest.mark.parametrize("address", ["/v1/balance", "/v1/products"])
def test_one_address_that_hangs_closes_nothing(
    app: Flask, gate: Gate, address: str
) -> None:
    gate.slow[address] = 6.0
    look_on(app, 25 / SCALE)


@pytest.mark.slow(seconds=3)
@pytest.mark.usefixtures("relayed")
def test_while_nobody_looks_nobody_asks(app: Flask, gate: Gate) -> None:
    wait_for(lambda: stopped(app) is None)
    app.test_client().get("/login", base_url="http://portal.localhost")
    time.sleep(10 / SCALE)
    assert gate.asked == 0


@pytest.mark.slow(seconds=8)
@pytest.mark.usefixtures("relayed")
def test_looks_cost_ten_calls_a_minute_and_a_row_when_something_changed(
    app: Flask, gate: Gate
) -> None:
    look_on(app, 30 / SCALE)
    assert 3 <= gate.asked <= 6
    assert reads() == 1


@pytest.mark.slow(seconds=5)
@pytest.mark.usefixtures("relayed")
def test_a_wallet_that_was_emptied_elsewhere_shows_while_somebody_looks(
    app: Flask, desk: Desk, gate: Gate
) -> None:
    look(app)
    wait_for(lambda: gate.asked and reads() == 1)
    assert not now(app).short
    with desk.sandbox.sandbox.store.change() as theirs:
        theirs.execute(
            "UPDATE accounts SET balance_pesewas = 300, balance_float = 3.0 WHERE id = ?",
            (FIRST_ID,),
        )
    look(app)
    wait_for(lambda: now(app).short, 10 / SCALE + LATE_S)


@pytest.mark.slow(seconds=4)
@pytest.mark.usefixtures("relayed")
def test_what_is_kept_for_purchases_and_news_is_not_taken(
    app: Flask, gate: Gate
) -> None:
    settings = config.current()
    routine = (
        settings.rate_calls
        - settings.rate_reserved_for_purchases
        - settings.rate_reserved_for_news
    )
    with app.app_context(), tenancy.across_stores():
        for _ in range(routine):
            assert supply.take_call("other") == 0.0
    look_on(app, 10 / SCALE)
    assert gate.asked == 0


@pytest.mark.slow(seconds=4)
def test_a_supplier_that_hangs_holds_up_no_round(
    app: Flask, desk: Desk, gate: Gate, relayed: None
) -> None:
    gate.open.clear()
    look(app)
    wait_for(lambda: gate.asked)
    order = desk.release()
    with desk.inside("ama"):
        assert orders.by_code(order.code) is not None
    renewed = lambda: _renewed_at(app)
    for _ in range(4):
        before = renewed()
        wait_for(lambda before=before: renewed() != before, 1 + LATE_S)


def _renewed_at(app: Flask) -> Any:
    with app.app_context(), tenancy.across_stores():
        return db.session.scalar(select(availability.Buying.renewed_at))


def test_a_lost_look_holds_up_no_page(
    app: Flask, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "keep_look", relay.look)
    monkeypatch.setattr(watching, "_looked_until", 0.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setitem(
            app.extensions,
            "redis",
            limits.valkey(f"redis://127.0.0.1:{silent.getsockname()[1]}/0"),
        )
        monkeypatch.setattr(relay, "_quiet_until", 0.0)
        app.test_client().get(
            "/track", base_url="http://ama.localhost"
        )  # what a first page costs is not asked
        began = time.monotonic()
        look(app)
        assert time.monotonic() - began < 0.2
