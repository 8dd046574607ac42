"""The line of payments: neither waits for the other, who buys at the supplier or who asks the
gateway."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as Away

from core import leases, orders, outbox
from core.base import config
from core.base.db import db, transaction
from core.outbox import OutboxRow
from fulfilment import line, payment_line, relay
from operations import worker
from tests.support.settings import Using
from tests.support.till import SETTINGS, Till


@pytest.fixture
def redis(valkey: str) -> Iterator[Redis]:
    connection = Redis.from_url(valkey)
    connection.flushall()
    yield connection
    connection.flushall()
    connection.close()


def waiting(redis: Redis, name: str) -> list[str]:
    return [item.decode() for item in redis.lrange(f"rq:queue:{name}", 0, -1)]


def test_a_new_attempt_is_rung_into_its_own_line(
    till: Till, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "ring", relay.ring)
    monkeypatch.setattr(outbox, "ring_payment", payment_line.ring)
    till.order()
    assert waiting(redis, relay.QUEUE) == []
    (name,) = waiting(redis, payment_line.QUEUE)
    assert name.startswith("pay-")


def test_the_relay_rings_what_is_due_once_and_counts_it_to_no_purchase(
    till: Till, redis: Redis
) -> None:
    till.order()
    with till.across():
        assert orders.due_turns() == (0, [])
        assert relay.round_once(redis) == 0
        assert payment_line.round_once(redis) == 1
        assert payment_line.round_once(redis) == 0
    till.jump(60)
    with till.across():
        assert payment_line.round_once(redis) == 0, "its ring waits in the line"
    assert len(waiting(redis, payment_line.QUEUE)) == 1
    assert waiting(redis, relay.QUEUE) == []


def test_a_full_line_of_purchases_holds_up_no_payment(
    till: Till, redis: Redis, using: Using
) -> None:
    from tests.support.till import SETTINGS

    using(queue_full=3, **SETTINGS)
    for number in range(5):
        redis.rpush(f"rq:queue:{relay.QUEUE}", f"filler-{number}")
    till.order()
    with till.across():
        assert relay.round_once(redis) == 0
        assert payment_line.round_once(redis) == 1


def test_without_a_gateway_nothing_is_asked_of_the_database(
    till: Till, redis: Redis, using: Using, monkeypatch: pytest.MonkeyPatch
) -> None:
    till.order()
    using(paystack_secret_key="")
    monkeypatch.setattr(leases, "lease_due", None)
    with till.across():
        assert payment_line.round_once(redis) == 0


def test_payouts_are_rung_here_one_at_a_time_and_after_payments(
    till: Till, redis: Redis, using: Using, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None into the purchases' line, and none by its own press: a Monday's would fill it."""
    monkeypatch.setattr(outbox, "ring", relay.ring)
    monkeypatch.setattr(outbox, "ring_payment", payment_line.ring)
    using(relay_batch=2, **SETTINGS)
    with till.across(), transaction():
        for number, kind in enumerate(outbox.BY_TURNS * 2):
            outbox.add(kind, 900 + number)
    till.order()
    till.order()

    def rung() -> int:
        with till.across():
            assert orders.due_turns() == (0, []) and relay.round_once(redis) == 0
            return payment_line.round_once(redis)

    assert len(waiting(redis, payment_line.QUEUE)) == 2, "the payments, at once"
    redis.flushall()
    assert [rung(), rung()] == [1, 0], "a payout, and no other beside it"
    till.jump(config.current().relay_lease_s + 1)
    redis.flushall()
    assert rung() == 2, "payments first"
    assert waiting(redis, relay.QUEUE) == []


def test_a_lost_ring_leaves_the_row_free(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_args: object, **_more: object) -> None:
        raise Away

    monkeypatch.setattr(payment_line, "line_up", away)
    monkeypatch.setattr(payment_line, "_quiet_until", 0.0)
    monkeypatch.setattr(outbox, "ring_payment", payment_line.ring)
    till.order()
    with till.across():
        assert db.session.query(OutboxRow).one().lease_until is None


@pytest.mark.slow(seconds=1)
def test_its_worker_hears_its_line_alone(
    till: Till, redis: Redis, valkey: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []

    class Once(worker.PaymentsWorker):
        def work(self, *_args: object, **_more: object) -> bool:
            heard.extend(queue.name for queue in self.queues)
            return True

    monkeypatch.setattr(worker, "PaymentsWorker", Once)
    worker.run(till.app, valkey, of_payments=True)
    assert heard == ["pay"]
    assert worker.PaymentsWorker.role == "payments" != worker.MarkedWorker.role
    assert line.JOB == "fulfilment.jobs.run"
