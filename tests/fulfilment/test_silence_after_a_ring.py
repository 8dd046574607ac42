"""One bad answer is no silence: a look that news or a person asked for, and that the supplier did
not answer, is made again soon, whatever the ladder of the order's state says."""

from __future__ import annotations

from typing import Any

import pytest
from desk import AMA, Desk

from core import orders, outbox
from core.base import clock, config, tenancy
from core.base.db import transaction
from core.orders import Order
from integrations.ports import NoAnswer

pytestmark = pytest.mark.slow(seconds=0.2)

ROUTINE_S = 3_000
"""How far after its acceptance an order is here: the next routine look lies twenty minutes ahead."""


def ring(desk: Desk, order: Order, *, verified: bool) -> None:
    with tenancy.across_stores(), transaction():
        orders.ring(desk.read(order), verified=verified, what="completed")


def long_accepted(desk: Desk) -> Order:
    order = desk.release()
    desk.work_until(order, "processing")
    desk.jump(ROUTINE_S)
    desk.work()
    return order


def without_answer(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, kind: Any = "broken"
) -> None:
    """The next due look is made, and the supplier answers nothing that can be read."""
    with monkeypatch.context() as once:
        once.setattr(desk.client, "status", lambda _ref: NoAnswer(kind, "500"))
        assert desk.work() == 1


@pytest.mark.parametrize("kind", ["broken", "unreachable", "unclear"])
@pytest.mark.parametrize("verified", [True, False])
def test_news_of_a_delivery_is_looked_for_again_within_seconds(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, kind: Any, verified: bool
) -> None:
    order = long_accepted(desk)
    desk.settle(order, "completed")
    desk.jump(config.current().ring_gap_s + 1)
    ring(desk, order, verified=verified)
    without_answer(desk, monkeypatch, kind)
    assert desk.read(order).state == "processing"
    desk.jump(16)
    desk.work()
    assert desk.read(order).state == "completed"


def test_a_check_that_a_person_asked_for_is_made_again_too(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = long_accepted(desk)
    desk.settle(order, "completed")
    desk.jump(config.current().ring_gap_s + 1)
    with desk.inside("ama"):
        orders.request_look(order.code, AMA)
    without_answer(desk, monkeypatch)
    desk.jump(16)
    desk.work()
    assert desk.read(order).state == "completed"


def test_news_of_an_order_whose_money_went_back_is_not_lost_with_a_bad_answer(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = desk.release()
    desk.work_until(order, "processing")
    desk.settle(order, "failed", refund=True)
    desk.work_until(order, "failed")
    desk.jump(config.current().failed_watch_s + 1)
    desk.work_until(order, "refunded")
    desk.jump(config.current().refunded_ladder_s[-1] + 1)
    desk.work()
    desk.settle(order, "completed")
    ring(desk, order, verified=True)
    without_answer(desk, monkeypatch)
    desk.jump(16)
    desk.work()
    assert "late_success" in desk.cases()


def test_a_routine_look_without_an_answer_waits_for_its_ladder(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = desk.release()
    desk.work_until(order, "processing")
    desk.jump(config.current().processing_ladder_s[-1] * 3)
    without_answer(desk, monkeypatch)
    desk.jump(300)
    assert desk.work() == 0, "nobody asked: an outage is no reason to ask each minute"


def test_what_stays_without_an_answer_is_asked_less_and_less(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = long_accepted(desk)
    desk.jump(config.current().ring_gap_s + 1)
    ring(desk, order, verified=True)
    waits = []
    monkeypatch.setattr(desk.client, "status", lambda _ref: NoAnswer("broken", "500"))
    for _ in range(6):
        before = clock.now()
        desk.jump_to_next()
        desk.work()
        waits.append((clock.now() - before).total_seconds())
    assert waits[1] < 30 and waits[-1] > 200
    assert waits[1:] == sorted(waits[1:])


def test_an_order_that_is_over_is_left_alone_an_hour_after_the_last_ring(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = desk.release()
    desk.work_until(order, "processing")
    desk.settle(order, "failed", refund=True)
    desk.work_until(order, "failed")
    desk.jump(config.current().failed_watch_s + 1)
    desk.work_until(order, "refunded")
    desk.jump(config.current().refunded_ladder_s[-1] + 1)
    desk.work()
    ring(desk, order, verified=True)
    monkeypatch.setattr(desk.client, "status", lambda _ref: NoAnswer("broken", "500"))
    looks = 0
    while desk.work():
        looks += 1
        assert looks < 20
        with tenancy.across_stores():
            row = outbox.of_order(order.id)
        if row is None or row.done_at is not None:
            break
        desk.jump_to_next()
    assert looks >= 4
