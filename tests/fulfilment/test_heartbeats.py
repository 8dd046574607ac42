"""Who is alive: the relay and the workers beat from the loop that works, into the database, and
lost rings are counted."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from desk import Desk
from flask import Flask
from redis import Redis
from redis.exceptions import ConnectionError as Away
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from core import outbox
from core.base import heartbeats, tenancy
from core.base.db import db, transaction
from fulfilment import relay
from operations import worker

pytestmark = pytest.mark.slow(seconds=0.2)


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No beat was made by this process yet; the signals a worker takes are put back."""
    monkeypatch.setattr(heartbeats, "_last_beat", float("-inf"))
    before = {
        number: signal.getsignal(number)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)
    }
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def run_one_job(
    app: Flask, desk: Desk, valkey: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "ring", relay.ring)
    monkeypatch.setattr(worker, "MAX_JOBS", 1)
    Redis.from_url(valkey).flushall()
    desk.release()
    assert worker.run(app, valkey)


def test_a_worker_beats_in_the_database(
    app: Flask,
    desk: Desk,
    valkey: str,
    monkeypatch: pytest.MonkeyPatch,
    jump: Callable[[float], None],
) -> None:
    assert heartbeats.health() == {}
    run_one_job(app, desk, valkey, monkeypatch)
    seen = heartbeats.health()["worker"]
    assert (seen.alive, seen.age_s < 5) == (1, True)
    Redis.from_url(valkey).flushall()
    assert heartbeats.health()["worker"].alive == 1, "a flush of Valkey hides nobody"
    jump(heartbeats.ALIVE_S + 1)
    seen = heartbeats.health()["worker"]
    assert (seen.alive, seen.age_s > heartbeats.ALIVE_S) == (0, True)


def test_a_worker_without_a_database_works_on_and_misses_its_beat(
    app: Flask, desk: Desk, valkey: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(_role: str, _name: str) -> None:
        raise OperationalError("", {}, Exception("away"))

    monkeypatch.setattr(heartbeats, "_touch", down)
    run_one_job(app, desk, valkey, monkeypatch)
    assert heartbeats.health() == {}


def test_the_relay_beats_once_in_ten_seconds(
    app: Flask, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop, rounds = threading.Event(), []

    def round_once(_connection: Any) -> int:
        rounds.append(1)
        if len(rounds) == 3:
            stop.set()
        # so that the next round comes at once
        return relay.config.current().relay_batch

    monkeypatch.setattr(relay, "round_once", round_once)
    relay.run(app, stop)
    assert heartbeats.health()["relay"].alive == 1
    with tenancy.across_stores():
        assert (
            db.session.scalar(text("SELECT times FROM pulses WHERE role = 'relay'"))
            == 1
        )


def test_a_lost_ring_is_counted(
    app: Flask, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_args: Any, **_how: Any) -> None:
        raise Away

    monkeypatch.setattr(relay, "line_up", away)
    monkeypatch.setattr(relay, "_quiet_until", 0.0)
    monkeypatch.setattr(outbox, "ring", relay.ring)
    assert heartbeats.counted(heartbeats.RINGS_LOST) == 0
    desk.release()
    assert heartbeats.counted(heartbeats.RINGS_LOST) == 1
    assert heartbeats.health() == {}, "a counter is no process"


def test_processes_that_ended_are_forgotten_and_counters_are_kept(
    app: Flask, desk: Desk, jump: Callable[[float], None]
) -> None:
    heartbeats.record("relay")
    heartbeats.count(heartbeats.RINGS_LOST)
    jump(25 * 3_600)
    assert heartbeats.prune() == 1
    assert (heartbeats.health(), heartbeats.counted(heartbeats.RINGS_LOST)) == ({}, 1)
    with tenancy.across_stores(), transaction():
        assert db.session.scalar(text("SELECT count(*) FROM pulses")) == 1
