"""The wire itself fails under a whole worker: nobody listens, a name leads nowhere, an answer never
comes.

Rows 13 and 14 of docs/faults.md, with the real client on real sockets and RQ's real time limit.
"""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from desk import Desk
from flask import Flask
from redis import Redis

from core import outbox
from core.base import clock
from core.supplier import supply
from fulfilment import relay
from fulfilment.buying import call_log, supplier_link
from integrations.datamart.client import DataMart
from integrations.sandbox import sockets
from integrations.sandbox.store import DEFAULT_KEY, DEFAULT_SECRET
from operations import worker
from tests.support.settings import Using

pytestmark = pytest.mark.slow(seconds=0.8)


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """A worker takes the signals of its process over; they are put back."""
    before = {
        number: signal.getsignal(number)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)
    }
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def supplier_at(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """From now on our supplier is whoever answers at this address."""

    def put(address: str) -> None:
        client = DataMart(
            address,
            DEFAULT_KEY,
            DEFAULT_SECRET,
            on_call=call_log.record,
            clock=clock.now,
        )
        monkeypatch.setitem(app.extensions, "supplier", client)

    return put


@pytest.fixture
def served(desk: Desk) -> Iterator[str]:
    """The desk's supplier behind a real socket."""
    server = sockets.Server(("127.0.0.1", 0), desk.sandbox, lambda _line: None)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/api"
    desk.sandbox.sandbox.holds.stop()
    server.shutdown()
    server.server_close()
    thread.join(5)


def closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}/api"


@pytest.mark.parametrize(
    "address",
    [closed_port(), "http://no-such-host.invalid/api"],
    ids=["closed port", "no name"],
)
def test_where_nobody_can_be_reached_nothing_is_sent_and_nothing_unclear(
    desk: Desk, served: str, supplier_at: Callable[[str], None], address: str
) -> None:
    supplier_at(address)
    order = desk.release()
    desk.work()
    found = desk.read(order)
    assert (found.state, found.wait_reason, found.ever_unknown) == (
        "queued",
        "supplier_unreachable",
        False,
    )
    assert supply.state().unknown_streak == 0
    desk.jump(supplier_link.UNREACHABLE_S + 1)
    desk.work()
    assert desk.read(order).state == "queued"
    supplier_at(served)
    desk.work_until(order, "processing")
    assert desk.charges() == [order.order_ref]
    assert not desk.read(order).ever_unknown


@pytest.mark.parametrize("held", ["hold_before", "hold_after"])
def test_a_jobs_time_limit_inside_a_hanging_purchase_leaves_it_unknown_and_never_failed(
    desk: Desk,
    served: str,
    supplier_at: Callable[[str], None],
    valkey: str,
    held: str,
    monkeypatch: pytest.MonkeyPatch,
    using: Using,
) -> None:
    """120 s at a sixtieth: RQ's alarm strikes inside the read of an answer that does not come."""
    supplier_at(served)
    order = desk.release()
    desk.plan(held, seconds=30)
    using(time_scale=60)
    monkeypatch.setattr(worker, "MAX_JOBS", 1)
    with Redis.from_url(valkey) as connection:
        connection.flushall()
        monkeypatch.setitem(desk.app.extensions, "redis", connection)
        outbox_id = outbox_row(desk, order)
        monkeypatch.setattr(relay, "_quiet_until", 0.0)
        relay.ring([outbox_id])
        began = time.monotonic()
        worker.run(desk.app, valkey)
        assert time.monotonic() - began < 20
    found = desk.read(order)
    assert (found.state, found.ever_unknown) == ("submitting", True)
    assert ["JobTimeoutException"] == [
        detail["reason"] for detail in desk.details(order, "unknown")
    ]
    assert not any("JobTimeoutException" in line for line in desk.told(order)), (
        "people read people's words"
    )
    assert len(desk.charges()) == (held == "hold_after")


def outbox_row(desk: Desk, order: object) -> int:
    from core.base import tenancy
    from core.orders import Order

    assert isinstance(order, Order)
    with tenancy.across_stores():
        row = outbox.of_order(order.id)
        assert row is not None
        return row.id
