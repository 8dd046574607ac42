"""One worker process: it marks itself busy while a job runs, takes the one queue, and ends after
its jobs."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from desk import Desk
from flask import Flask
from redis import Redis
from redis.exceptions import ConnectionError as Away

from core import outbox
from fulfilment import jobs, relay
from fulfilment.line import line_up
from operations import worker


@pytest.fixture
def redis(valkey: str) -> Iterator[Redis]:
    connection = Redis.from_url(valkey)
    connection.flushall()
    yield connection
    connection.flushall()
    connection.close()


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
def work(
    app: Flask, valkey: str, monkeypatch: pytest.MonkeyPatch
) -> Callable[[int], bool]:
    """Run a worker in this process until so many jobs are done."""

    def run(jobs_done: int) -> bool:
        monkeypatch.setattr(worker, "MAX_JOBS", jobs_done)
        return worker.run(app, valkey)

    return run


def ring(redis: Redis, number: int) -> None:
    line_up(relay.queue_of(redis), relay.QUEUE, [(number, 1)])


@pytest.mark.slow(seconds=0.2)
def test_a_worker_buys_what_was_rung_and_ends_after_its_jobs(
    desk: Desk,
    redis: Redis,
    work: Callable[[int], bool],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outbox, "ring", relay.ring)
    first, second = desk.release(), desk.release()
    assert work(2) is True
    assert {desk.read(order).state for order in (first, second)} == {"processing"}
    assert sorted(desk.charges()) == sorted([first.order_ref, second.order_ref])


@pytest.mark.slow(seconds=0.7)
def test_the_mark_stands_while_a_job_runs_and_not_after(
    app: Flask,
    redis: Redis,
    work: Callable[[int], bool],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mark, seen = tmp_path / "busy", []
    monkeypatch.setenv(worker.BUSY_VARIABLE, str(mark))

    def job(outbox_id: int, lease_no: int) -> None:
        seen.append((outbox_id, lease_no, mark.exists()))
        if outbox_id == 7:
            raise RuntimeError("this job breaks")

    monkeypatch.setattr(jobs, "run", job)
    ring(redis, 7)
    ring(redis, 8)
    work(2)
    assert seen == [(7, 1, True), (8, 1, True)]
    assert not mark.exists()


def test_without_a_supervisor_there_is_no_mark(
    app: Flask,
    redis: Redis,
    work: Callable[[int], bool],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(worker.BUSY_VARIABLE, raising=False)
    seen: list[int] = []
    monkeypatch.setattr(
        jobs, "run", lambda outbox_id, _lease_no: seen.append(outbox_id)
    )
    ring(redis, 9)
    assert work(1) is True
    assert seen == [9]


def test_only_our_own_function_is_run_whatever_valkey_holds(
    app: Flask, redis: Redis, work: Callable[[int], bool], tmp_path: Path
) -> None:
    made, queue = tmp_path / "made", relay.queue_of(redis)
    queue.enqueue_call("os.mkdir", args=(str(made),))
    assert work(1) is True
    assert not made.exists()
    assert queue.failed_job_registry.count == 1


@pytest.mark.slow(seconds=0.2)
def test_a_worker_that_cannot_reach_valkey_ends_so_that_it_is_started_anew(
    app: Flask,
) -> None:
    with pytest.raises(Away):
        worker.run(app, "redis://127.0.0.1:9/0")
