"""The relay and the ring: rows are rung into a real Valkey, and nothing is lost when it is away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from desk import AMA, Desk
from flask import Flask
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import SimpleWorker
from rq.serializers import JSONSerializer
from sqlalchemy import select

from core import audit, leases, orders, outbox
from core.audit import SYSTEM
from core.base import clock, config, tenancy
from core.base.db import db, transaction
from core.delivery_times import DeliveryEstimate, StoreRecord
from core.supplier import records, webhook_events
from fulfilment import jobs, relay

pytestmark = pytest.mark.slow(seconds=0.2)


@pytest.fixture
def redis(valkey: str) -> Iterator[Redis]:
    connection = Redis.from_url(valkey)
    connection.flushall()
    yield connection
    connection.flushall()
    connection.close()


def listed(redis: Redis) -> list[str]:
    return [item.decode() for item in redis.lrange(f"rq:queue:{relay.QUEUE}", 0, -1)]


def run_queue(redis: Redis) -> None:
    worker = SimpleWorker(
        [relay.queue_of(redis)], connection=redis, serializer=JSONSerializer
    )
    worker.work(burst=True, logging_level="ERROR")


def test_a_release_rings_at_once_and_a_real_worker_buys(
    desk: Desk, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "ring", relay.ring)
    order = desk.release()
    assert len(listed(redis)) == 1
    run_queue(redis)
    assert desk.read(order).state == "processing"
    assert desk.charges() == [order.order_ref]


def test_a_job_carries_ids_only_and_no_pickle(
    desk: Desk, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "ring", relay.ring)
    order = desk.release()
    job = relay.queue_of(redis).jobs[0]
    assert job.func_name == "fulfilment.jobs.run"
    assert all(isinstance(argument, int) for argument in job.args)
    raw = b"".join(
        value
        for value in redis.hgetall(f"rq:job:{job.id}").values()
        if isinstance(value, bytes)
    )
    assert order.recipient_msisdn.encode() not in raw


def test_a_flushed_valkey_loses_nothing(
    desk: Desk, redis: Redis, jump: Callable[[float], None]
) -> None:
    order = desk.release()
    with tenancy.across_stores():
        assert relay.round_once(redis) == 1
    redis.flushall()
    with tenancy.across_stores():
        assert relay.round_once(redis) == 0  # the lease of the lost ring still runs
    jump(config.current().relay_lease_s + 0.1)
    with tenancy.across_stores():
        assert relay.round_once(redis) == 1
    run_queue(redis)
    assert desk.read(order).state == "processing"


def test_a_ring_that_cannot_be_made_holds_up_nobody(
    app: Flask, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = Redis(
        host="127.0.0.1",
        port=9,
        socket_timeout=0.3,
        socket_connect_timeout=0.3,
        retry=Retry(NoBackoff(), 0),
    )
    monkeypatch.setitem(app.extensions, "redis", dead)
    monkeypatch.setattr(outbox, "ring", relay.ring)
    monkeypatch.setattr(relay, "_quiet_until", 0.0)
    started = time.monotonic()
    placed = [desk.release() for _ in range(5)]
    assert time.monotonic() - started < 5
    assert {desk.read(order).state for order in placed} == {"queued"}
    desk.work()  # the first row was leased for the lost ring and given back at once
    assert {desk.read(order).state for order in placed} == {"processing"}


def test_no_more_is_rung_than_the_list_lacks(
    desk: Desk, redis: Redis, jump: Callable[[float], None]
) -> None:
    for _ in range(3):
        desk.release()
    with tenancy.across_stores():
        assert relay.round_once(redis) == 3
        # nobody worked: all due again, all still listed
        jump(config.current().relay_lease_s + 1)
        assert relay.round_once(redis) == 0
    assert len(listed(redis)) == 3
    for n in range(config.current().queue_full):
        redis.rpush(f"rq:queue:{relay.QUEUE}", f"filler-{n}")
    desk.release()
    with tenancy.across_stores():
        assert relay.round_once(redis) == 0


def test_a_ring_that_waits_for_a_busy_worker_keeps_its_place(
    desk: Desk, redis: Redis, jump: Callable[[float], None]
) -> None:
    # With more waiting than the workers did within a lease, the oldest orders were rung anew behind
    # all others, for ever.
    for _ in range(3):
        desk.release()
    with tenancy.across_stores():
        assert relay.round_once(redis) == 3
        jump(config.current().relay_lease_s + 1)
        taken = redis.lpop(f"rq:queue:{relay.QUEUE}")
        assert leases.take(*map(int, taken.split(b"-")[1:])), "a worker is at the first"
        waiting = listed(redis)
        assert relay.round_once(redis) == 0
        assert listed(redis) == waiting
        assert all(leases.take(*map(int, ring.split("-")[1:])) for ring in waiting), (
            "they are good for their rows"
        )


def test_two_relays_lease_a_row_once(desk: Desk) -> None:
    desk.release()
    found: list[list[tuple[int, int]]] = []
    gate = threading.Barrier(4)

    def lease() -> None:
        with desk.app.app_context():
            gate.wait()
            with tenancy.across_stores():
                found.append(leases.lease_due(10))

    threads = [threading.Thread(target=lease) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(len(leased) for leased in found) == 1


def test_a_ring_during_a_run_is_not_lost(desk: Desk) -> None:
    order = desk.release()
    desk.work()
    with tenancy.across_stores():
        desk.jump(61)
        leased = leases.lease_due(10)
        lease = leases.take(*leased[0])
        assert lease is not None
    from core.base.db import transaction

    desk.jump(1)
    with tenancy.across_stores(), transaction():
        row = outbox.of_order(order.id, lock=True)
        assert row is not None
        outbox.make_due(row)
    from core.base import clock

    with tenancy.across_stores():
        assert leases.finish(lease, clock.after(3_600))
        row = outbox.of_order(order.id)
        assert row is not None
        assert row.due_at <= clock.now()


def test_a_clock_set_back_rings_nothing_again(desk: Desk) -> None:
    # A row rung before the clock was set back by an hour was due again after every look, for that
    # hour.
    order = desk.release()
    desk.work()
    with tenancy.across_stores():
        row = outbox.of_order(order.id)
        assert row is not None
        with transaction():
            outbox.make_due(outbox.of_order(order.id, lock=True))  # type: ignore[arg-type]
        desk.jump(-3_600)
        with transaction():
            row = outbox.of_order(order.id, lock=True)
            assert row is not None
            row.due_at = clock.now()
        (given,) = leases.lease_due(10)
        lease = leases.take(*given)
        assert lease is not None
        assert leases.finish(lease, clock.after(60))
        row = outbox.of_order(order.id)
        assert row is not None
        assert row.due_at > clock.now(), "nobody rang during the run"


def test_a_ring_during_a_run_is_kept_also_when_the_clock_is_set_back_in_between(
    desk: Desk,
) -> None:
    order = desk.release()
    desk.work()
    with tenancy.across_stores():
        desk.jump(61)
        (given,) = leases.lease_due(10)
        lease = leases.take(*given)
        assert lease is not None
        desk.jump(-3_600)
        with transaction():
            row = outbox.of_order(order.id, lock=True)
            assert row is not None
            outbox.make_due(row)
        assert leases.finish(lease, clock.after(7_200))
        row = outbox.of_order(order.id)
        assert row is not None
        assert row.due_at <= clock.now()


def test_a_job_whose_lease_was_given_away_changes_nothing(desk: Desk) -> None:
    desk.release()
    with tenancy.across_stores():
        first = leases.lease_due(10)[0]
        desk.jump(config.current().relay_lease_s + 1)
        second = leases.lease_due(10)[0]
    assert first != second
    jobs.run(*first)
    assert desk.charges() == []
    jobs.run(*second)
    assert len(desk.charges()) == 1


def test_timed_reads_are_asked_for_and_joined(
    desk: Desk, jump: Callable[[float], None]
) -> None:
    with tenancy.across_stores():
        relay.ask_timed()
        relay.ask_timed()
        asked = outbox.request("refresh_balance", SYSTEM)
        assert outbox.health().open == 3  # balance, catalogue, proof
    desk.work()
    with tenancy.across_stores():
        done = outbox.requested(asked.id)
        assert done is not None
        assert (done.result_ok, done.done_at is not None) == (True, True)
        assert "fits" in (done.result_text or "")
        jump(config.current().balance_every_s + 1)
        relay.ask_timed()
        assert outbox.health().due == 1


def test_what_no_worker_takes_is_not_asked_for_again_every_second(
    desk: Desk, jump: Callable[[float], None]
) -> None:
    with tenancy.across_stores():
        relay.ask_timed()
        jump(config.current().balance_every_s + 1)
        relay.ask_timed()
        relay.ask_timed()
        assert [line.action for line in audit.recent(10)].count(
            "ask_refresh_balance"
        ) == 1


def test_the_loop_outlives_a_valkey_that_is_away(
    app: Flask, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop, rounds = threading.Event(), []

    def away(_connection: Any) -> int:
        rounds.append(1)
        if len(rounds) == 2:
            stop.set()
        from redis.exceptions import ConnectionError as Away

        raise Away("away")

    monkeypatch.setattr(relay, "round_once", away)
    monkeypatch.setattr(relay, "_DOWN_S", 0.01)
    relay.run(app, stop)
    assert len(rounds) == 2


def test_old_calls_webhooks_and_requests_are_deleted_and_orders_stay(
    desk: Desk,
    redis: Redis,
    jump: Callable[[float], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    order = desk.release()
    desk.work()
    with tenancy.across_stores():
        outbox.request("refresh_balance", SYSTEM)
        with transaction():
            webhook_events.keep(
                {"event_key": "k", "body": b"", "headers": {}, "event": "e"}
            )
    desk.work()

    def kept() -> tuple[int, int, list[str]]:
        with tenancy.across_stores():
            rows = db.session.scalars(
                select(outbox.OutboxRow).order_by(outbox.OutboxRow.id)
            )
            return (
                len(records.calls()),
                len(webhook_events.newest()),
                [row.kind for row in rows],
            )

    calls, webhooks, kinds = kept()
    assert (calls > 0, webhooks, kinds) == (
        True,
        1,
        ["deliver_order", "refresh_balance"],
    )
    days = config.current()
    jump(days.webhook_keep_days * 86_400 - 60)
    one_round(desk, redis, monkeypatch)
    assert kept()[:2] == (calls, 1)
    jump(120)
    one_round(desk, redis, monkeypatch)
    assert kept()[:2] == (calls, 0)
    jump((days.call_keep_days - days.webhook_keep_days) * 86_400)
    one_round(desk, redis, monkeypatch)
    assert kept() == (0, 0, ["deliver_order"])
    assert desk.read(order).state == "processing"


def one_round(desk: Desk, redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """The relay as it starts: one round, with nothing asked for by the timer."""
    stop = threading.Event()
    monkeypatch.setitem(desk.app.extensions, "redis", redis)
    monkeypatch.setattr(relay, "ask_timed", stop.set)
    relay.run(desk.app, stop)


def test_numbers_of_old_orders_are_masked_by_itself(
    desk: Desk,
    redis: Redis,
    jump: Callable[[float], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    order = desk.place()
    with desk.inside("ama"):
        orders.cancel(order.code, AMA)
    one_round(desk, redis, monkeypatch)
    assert not desk.read(order).is_masked
    jump(config.current().retention_days * 86_400 + 60)
    one_round(desk, redis, monkeypatch)
    assert desk.read(order).is_masked


def test_how_long_deliveries_take_is_counted_by_itself(
    desk: Desk, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = desk.release()
    desk.work_until(order, "processing")
    desk.settle(order, "successful")
    desk.work_until(order, "completed")
    one_round(desk, redis, monkeypatch)
    with tenancy.across_stores():
        row = db.session.get(DeliveryEstimate, "mtn")
        assert row is not None and row.counted == 1
        assert db.session.scalars(select(StoreRecord.delivered)).all() == [1]
