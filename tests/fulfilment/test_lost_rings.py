"""Rings that are lost, doubled or cut off, by real RQ workers on a real Valkey: what was bought is
bought once.

Rows 7, 10, 11 and 12 of docs/faults.md. Time between a lost ring and the next is jumped.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from desk import Desk
from flask import Flask
from redis import Redis
from redis.exceptions import RedisError
from rq.job import Job
from rq.queue import Queue
from rq.serializers import JSONSerializer
from rq.timeouts import TimerDeathPenalty

from core import outbox
from core.base import config, tenancy
from devkit import valkey_server
from edge.limits import valkey as impatient
from fulfilment import jobs, line, relay
from operations import worker
from operations.worker import MarkedWorker

pytestmark = pytest.mark.slow(seconds=0.5)


@pytest.fixture
def own(
    tmp_path: Path, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> Iterator[valkey_server.Valkey]:
    """A Valkey of the test's own; the ring and the relay of this application ring there."""
    server = valkey_server.start_valkey(tmp_path / "valkey")
    monkeypatch.setitem(app.extensions, "redis", impatient(server.url))
    monkeypatch.setattr(outbox, "ring", relay.ring)
    monkeypatch.setattr(relay, "_quiet_until", 0.0)
    yield server
    server.stop()


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


class Gone(SystemExit):
    """The process ends here."""


class DiesAfterDequeue(MarkedWorker):
    def execute_job(self, job: Job, queue: Queue) -> None:
        raise Gone


def round_of(desk: Desk) -> int:
    with tenancy.across_stores():
        return relay.round_once(desk.app.extensions["redis"])


def test_a_job_taken_by_a_worker_that_died_is_rung_again_within_the_lease(
    desk: Desk, own: valkey_server.Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = desk.release()
    monkeypatch.setattr(worker, "MarkedWorker", DiesAfterDequeue)
    with pytest.raises(Gone):
        worker.run(desk.app, own.url)
    monkeypatch.undo()
    monkeypatch.setitem(desk.app.extensions, "redis", impatient(own.url))
    assert (round_of(desk), desk.charges()) == (0, [])
    desk.jump(config.current().relay_lease_s + 0.1)
    assert round_of(desk) == 1
    monkeypatch.setattr(worker, "MAX_JOBS", 1)
    worker.run(desk.app, own.url)
    assert desk.read(order).state == "processing"
    assert desk.charges() == [order.order_ref]


def test_when_valkey_dies_under_a_job_what_it_did_stands_and_is_not_done_again(
    desk: Desk, own: valkey_server.Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    order, run, ran = desk.release(), jobs.run, []

    def run_and_lose_valkey(outbox_id: int, lease_no: int) -> None:
        run(outbox_id, lease_no)
        ran.append((outbox_id, lease_no))
        if len(ran) == 1:
            own.stop()

    monkeypatch.setattr(jobs, "run", run_and_lose_valkey)
    with pytest.raises(RedisError):  # the supervisor starts it anew
        worker.run(desk.app, own.url)
    assert (desk.read(order).state, desk.charges()) == ("processing", [order.order_ref])
    told = desk.told(order)
    own.start()
    with Redis.from_url(
        own.url
    ) as connection:  # RQ never heard that it ended, and runs it once more
        relay.queue_of(connection).enqueue_call(
            line.JOB, args=ran[0], job_id="buy-again"
        )
    monkeypatch.setattr(worker, "MAX_JOBS", 1)
    worker.run(desk.app, own.url)
    assert ran == [ran[0]] * 2
    assert (desk.told(order), desk.charges()) == (told, [order.order_ref])


def test_a_full_valkey_holds_up_nobody_and_the_order_goes_when_there_is_room(
    desk: Desk, own: valkey_server.Valkey
) -> None:
    with Redis.from_url(own.url) as connection:
        connection.config_set("maxmemory-policy", "noeviction")
        connection.config_set("maxmemory", "1")
        order = desk.release()
        assert desk.read(order).state == "queued"
        with pytest.raises(
            RedisError, match="maxmemory"
        ):  # as the relay's loop meets it, which goes on
            round_of(desk)
        connection.config_set("maxmemory", "0")
        desk.jump(config.current().relay_lease_s + 0.1)
        assert round_of(desk) == 1
        assert connection.llen(f"rq:queue:{relay.QUEUE}") == 1
    desk.work()
    assert desk.read(order).state == "queued"  # its lease is with the ring
    desk.jump(config.current().relay_lease_s + 0.1)
    desk.work()
    assert desk.charges() == [order.order_ref]


class InThread(MarkedWorker):
    """Several in one process, of which only the main thread may take signals."""

    death_penalty_class = TimerDeathPenalty

    def _install_signal_handlers(self) -> None:
        pass


def test_one_row_rung_five_times_to_three_workers_is_bought_once(
    desk: Desk, own: valkey_server.Valkey, app: Flask
) -> None:
    """Twice the same job, and three more of leases that were given out meanwhile."""
    desk.sandbox.sandbox.knobs.latency_s = 0.3
    order = desk.release()
    connection = Redis.from_url(own.url)
    queue = relay.queue_of(connection)
    ring = tuple(queue.jobs[0].args)
    for number in range(1, 5):
        queue.enqueue_call(
            line.JOB,
            args=(ring[0], ring[1] + number // 2),
            job_id=f"buy-{ring[0]}-{number}",
        )
    assert queue.count == 5
    broken: list[Any] = []

    def work() -> None:
        with app.app_context(), Redis.from_url(own.url) as line:
            one = InThread(
                [relay.queue_of(line)],
                connection=line,
                job_class=worker.RowJob,
                serializer=JSONSerializer,
            )
            try:
                one.work(burst=True, logging_level="CRITICAL")
            except BaseException as problem:  # noqa: BLE001 - shown by the test's own thread
                broken.append(problem)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    connection.close()
    assert broken == []
    assert desk.charges() == [order.order_ref]
    assert desk.read(order).attempt == 1
