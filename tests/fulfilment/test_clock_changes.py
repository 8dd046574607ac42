"""Somebody sets the wall clock, an hour forward or back, at any step of an order: nothing early,
nothing stuck.

Time that really passes is measured by the steady clock. Between two steps the relay looks at the
clocks, as it does every second.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from desk import Desk
from flask import Flask
from sqlalchemy import select, text

from core import leases, orders, outbox
from core.base import clock, config, tenancy
from core.base.db import db, transaction
from core.clock_changes import ClockChange, Watch
from core.orders import Order
from core.supplier import supply
from fulfilment import relay
from integrations.ports import PurchaseRequest, SubmitResult

pytestmark = pytest.mark.matrix

HOUR_S = 3_600.0
CHANGES = [HOUR_S, -HOUR_S]


def row_of(order: Order) -> outbox.OutboxRow:
    with tenancy.across_stores():
        row = outbox.of_order(order.id)
        assert row is not None
        return row


def look(watch: Watch) -> ClockChange | None:
    with tenancy.across_stores():
        return watch.look()


def until_due_s(order: Order) -> float:
    return (row_of(order).due_at - clock.now()).total_seconds()


@dataclass
class Story:
    """What happened to one order, in seconds of the steady clock since it was released."""

    steps: int = 0
    sent: list[float] = field(default_factory=list)
    ended: float = 0.0


@pytest.fixture
def story(
    make_desk: Callable[..., Desk],
    set_clock: Callable[[float], None],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Story]:
    """Play an order whose first purchase was lost, with a change of the clock before one of its
    steps, to its delivery."""

    def play(
        clock_change_at: int = -1, by: float = 0.0, *, relay_sees: bool = True
    ) -> Story:
        desk, watch, told = make_desk(dedupe=False), watching(), Story()
        desk.plan("drop_before", times=1)
        submit, began = desk.client.submit, clock.steady_s()

        def noted(request: PurchaseRequest) -> SubmitResult:
            told.sent.append(clock.steady_s() - began)
            return submit(request)

        monkeypatch.setattr(desk.client, "submit", noted)
        desk.look_anew()
        order = desk.release()
        while desk.read(order).state != "completed":
            assert told.steps < 25, desk.told(order)
            if told.steps == clock_change_at:
                set_clock(by)
            if relay_sees:
                look(watch)
            desk.work()
            if desk.read(order).state == "processing":
                desk.settle(order, "successful")
            told.steps += 1
            told.ended = clock.steady_s() - began
            desk.jump_to_next()
        assert desk.charges() == [order.order_ref]
        return told

    return play


def watching() -> Watch:
    """A relay that has been up for a while."""
    watch = Watch()
    look(watch)
    return watch


@pytest.mark.timeout(300)
@pytest.mark.slow(seconds=13)
@pytest.mark.parametrize("by", CHANGES)
def test_a_clock_change_at_any_step_sends_nothing_early_and_holds_nothing_up(
    story: Callable[..., Story], by: float
) -> None:
    settings, plain = config.current(), story()
    proof_s = settings.grace_s + settings.absence_gap_s
    assert plain.steps >= 8
    for step in range(plain.steps):
        told = story(step, by)
        first, second = told.sent
        assert second - first >= proof_s, step
        assert told.ended - plain.ended < 180, step


@pytest.mark.slow(seconds=0.2)
@pytest.mark.parametrize("step", range(0, 8, 2))
def test_a_clock_set_forward_proves_nothing_even_when_nobody_saw_it(
    story: Callable[..., Story], step: int
) -> None:
    settings = config.current()
    first, second = story(step, HOUR_S, relay_sees=False).sent
    assert second - first >= settings.grace_s + settings.absence_gap_s


@pytest.mark.slow(seconds=0.4)
@pytest.mark.parametrize("by", CHANGES)
def test_a_failed_order_is_watched_for_a_day_of_time_that_passes(
    desk: Desk, by: float, set_clock: Callable[[float], None]
) -> None:
    watch, order = watching(), desk.release()
    desk.work_until(order, "processing")
    desk.settle(order, "failed", refund=False)
    desk.work_until(order, "failed")
    failed_at = clock.steady_s()
    desk.jump_to_next()
    set_clock(by)
    look(watch)
    desk.work_until(order, "refunded")
    # the day began a little before this test could read its clock
    assert 24 * HOUR_S - 1 <= clock.steady_s() - failed_at < 25.5 * HOUR_S


@pytest.mark.slow(seconds=0.4)
@pytest.mark.parametrize("by", CHANGES)
@pytest.mark.parametrize(
    ("fault", "wait_s", "times"),
    [("text_429", 60, 1), ("http_401", 300, 1), ("http_500_after", 60, 5)],
)
def test_the_line_stays_closed_as_long_as_it_was_to_be(
    make_desk: Callable[..., Desk],
    set_clock: Callable[[float], None],
    by: float,
    fault: str,
    wait_s: int,
    times: int,
) -> None:
    """The supplier said "not now", refused our credentials, or was unclear five times: then the
    clock is set."""
    desk, watch = make_desk(), watching()
    desk.plan(fault, times=times)
    for _ in range(times):
        desk.release()
        desk.work()
    closed_at = clock.steady_s()
    waiting = desk.release()
    set_clock(by)
    assert look(watch) is not None
    desk.work_until(waiting, "processing")
    assert wait_s - 1 <= clock.steady_s() - closed_at < wait_s + 120


@pytest.mark.parametrize("by", CHANGES)
def test_what_is_due_tomorrow_stays_due_tomorrow(
    desk: Desk, set_clock: Callable[[float], None], by: float
) -> None:
    watch, order = watching(), desk.release()
    desk.work_until(order, "processing")
    desk.settle(order, "successful")
    desk.work_until(order, "completed")
    before_s, completed_at = until_due_s(order), desk.read(order).completed_at
    set_clock(by)
    found = look(watch)
    assert found is not None
    assert (round(found.seconds), found.rows) == (by, 1)
    assert abs(until_due_s(order) - before_s) < 5
    assert desk.read(order).completed_at == completed_at, (
        "what people were told stays as it was"
    )


@pytest.mark.parametrize("by", CHANGES)
def test_the_budget_of_calls_knows_the_calls_before_the_change(
    context: Flask, set_clock: Callable[[float], None], by: float
) -> None:
    with tenancy.across_stores():
        watch = watching()
        while supply.take_call("purchase") == 0.0:
            pass
        set_clock(by)
        watch.look()
        assert 50 < supply.take_call("purchase") <= config.current().rate_window_s


@pytest.mark.parametrize("by", CHANGES)
def test_the_budget_of_calls_knows_those_between_the_clock_change_and_the_look(
    context: Flask, set_clock: Callable[[float], None], by: float
) -> None:
    with tenancy.across_stores():
        watch = watching()
        set_clock(by)
        while supply.take_call("purchase") == 0.0:
            pass
        assert watch.look() is not None
        assert 50 < supply.take_call("purchase") <= config.current().rate_window_s


@pytest.mark.parametrize("by", CHANGES)
def test_a_balance_read_between_the_clock_change_and_the_look_is_of_now(
    desk: Desk, set_clock: Callable[[float], None], by: float
) -> None:
    watch = watching()
    set_clock(by)
    desk.release()
    desk.work()
    assert look(watch) is not None
    with tenancy.across_stores():
        read_at = supply.state().last_balance_at
    assert read_at is not None
    assert abs((clock.now() - read_at).total_seconds()) < 5


def test_two_relays_move_everything_once(
    desk: Desk, set_clock: Callable[[float], None]
) -> None:
    one, other, order = watching(), watching(), desk.release()
    due_at = row_of(order).due_at
    desk.jump(30)
    set_clock(HOUR_S)
    assert look(one) is not None
    assert look(other) is None
    assert look(one) is None
    assert abs(row_of(order).due_at - due_at - timedelta(hours=1)) < timedelta(
        seconds=1
    )


def test_a_relay_that_starts_after_the_clock_change_sees_it(
    desk: Desk, set_clock: Callable[[float], None]
) -> None:
    watching()
    order = desk.release()
    desk.jump(600)
    set_clock(-HOUR_S)
    assert until_due_s(order) > 2_900
    assert look(Watch()) is not None
    assert until_due_s(order) < 0


@pytest.mark.slow(seconds=0.2)
def test_what_was_written_between_the_clock_change_and_the_look_is_of_the_new_time(
    desk: Desk, set_clock: Callable[[float], None]
) -> None:
    watch, order = watching(), desk.release()
    desk.jump(0.5)
    set_clock(HOUR_S)
    desk.work()
    before_s = until_due_s(order)
    assert 50 < before_s < 100
    desk.jump(0.2)
    assert look(watch) is not None
    assert abs(until_due_s(order) - before_s) < 5
    processing_at = desk.read(order).processing_at
    assert processing_at is not None
    assert abs((clock.now() - processing_at).total_seconds()) < 5


def ring(order: Order) -> bool:
    with tenancy.across_stores(), transaction():
        return orders.ring(order, verified=True, what="completed", word="completed")


@pytest.mark.slow(seconds=0.2)
def test_a_row_rung_between_the_clock_change_and_the_look_is_not_held_by_a_lease_of_the_old_time(
    desk: Desk, set_clock: Callable[[float], None]
) -> None:
    """Its job died, say. By the new time the lease ends in an hour; the ring makes the row look
    like one of the new."""
    watch, order = watching(), desk.release()
    desk.work_until(order, "processing")
    desk.jump(2 * HOUR_S)
    look(watch)
    with tenancy.across_stores():
        assert len(leases.lease_due(1)) == 1
    set_clock(-HOUR_S)
    with tenancy.across_stores(), transaction():
        assert orders.ring(order, verified=False, what="completed", word="completed")
    assert look(watch) is not None
    row = row_of(order)
    assert row.lease_until is not None
    assert (
        row.lease_until - clock.now()
    ).total_seconds() <= config.current().job_timeout_s


def test_news_between_a_clock_change_forward_and_the_look_is_not_put_off_with_its_row(
    desk: Desk, set_clock: Callable[[float], None]
) -> None:
    """The row is due by the new time before anything is moved, so the ring need not make it due: it
    must stay so."""
    watch, order = watching(), desk.release()
    desk.work_until(order, "processing")
    set_clock(HOUR_S)
    assert until_due_s(order) < 0
    assert ring(order)
    assert look(watch) is not None
    assert until_due_s(order) <= 0


def test_small_steps_and_the_demo_s_jumps_are_no_clock_changes(
    context: Flask,
    set_clock: Callable[[float], None],
    jump: Callable[[float], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watch = watching()
    set_clock(2)
    assert look(watch) is None
    jump(HOUR_S)
    assert look(watch) is None
    monkeypatch.setattr(clock, "offset_source", lambda: 86_400.0)
    assert look(watch) is None


def test_a_timer_whose_last_time_is_in_the_future_asks_again(
    context: Flask, set_clock: Callable[[float], None]
) -> None:
    def asked() -> int:
        return len(
            db.session.scalars(
                select(outbox.OutboxRow).where(
                    outbox.OutboxRow.kind == "refresh_balance"
                )
            ).all()
        )

    with tenancy.across_stores():
        relay.ask_timed()
        with transaction() as session:
            session.execute(text("UPDATE outbox SET done_at = created_at"))
        set_clock(-HOUR_S)
        assert asked() == 1
        relay.ask_timed()
        assert asked() == 2


@pytest.mark.slow(seconds=4)
def test_the_relay_looks_at_the_clocks(
    app: Flask,
    desk: Desk,
    set_clock: Callable[[float], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    order = desk.release()
    monkeypatch.setattr(relay, "round_once", lambda _connection: 0)
    stop = threading.Event()
    running = threading.Thread(target=relay.run, args=(app, stop))
    running.start()
    try:
        wait_for(lambda: _marks(app) == 1)
        set_clock(-HOUR_S)
        assert until_due_s(order) > 3_000
        wait_for(lambda: until_due_s(order) < 60)
    finally:
        stop.set()
        running.join()


def _marks(app: Flask) -> int:
    with app.app_context():
        return int(
            db.session.execute(
                text("SELECT count(*) FROM settings WHERE key LIKE 'clock.mark.%'")
            ).scalar_one()
        )


def wait_for(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
