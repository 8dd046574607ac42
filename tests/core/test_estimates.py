"""When an order should be there: estimates and records are counted from deliveries, kept by orders,
and silent when they are not sure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, text

from core import availability, delivery_times, orders, reconcile, shop
from core.audit import Actor
from core.base import clock, config, tenancy
from core.base.db import PLATFORM, db, transaction
from core.delivery_times import DeliveryEstimate, Estimate, Record, StoreRecord
from core.orders import Order, estimates
from core.orders.estimates import FIGURES, figure_of
from core.supplier import supply
from fulfilment import housekeeping
from tests.support.deliveries import copy, deliver, estimate, renew

pytestmark = pytest.mark.slow(seconds=0.1)

AMA = Actor("agent", "Ama")
Place = Callable[..., Order]
NOW = timedelta(0)
MINUTES = st.floats(min_value=0, max_value=3_000)


@pytest.fixture
def code(app: Flask, in_store: Callable[..., Any], place: Place) -> str:
    """An order of ama's to make others from."""
    return str(in_store("ama", lambda: place().code))


@pytest.fixture
def counted(app: Flask) -> Callable[..., Any]:
    """The row of a network after it was counted anew."""

    def count(network: str = "mtn") -> Any:
        renew(app)
        with app.app_context(), tenancy.across_stores():
            return db.session.get(DeliveryEstimate, network)

    return count


@pytest.fixture
def said(app: Flask, as_store: Callable[..., Any]) -> Callable[..., Estimate | None]:
    """The estimate as a page of ama's may say it now."""
    return lambda network="mtn": as_store(
        "ama", lambda: availability.now().estimate(network)
    )


@pytest.fixture
def record(app: Flask) -> Callable[..., Record | None]:
    """A shop's record as its front page shows it."""

    def read(slug: str = "ama") -> Record | None:
        with app.app_context():
            shown = shop.by_slug(slug)
            assert shown is not None
            return shown.record

    return read


@contextmanager
def counted_statements() -> Iterator[list[str]]:
    """What is said to the database as the platform meanwhile."""
    said: list[str] = []

    def hear(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        said.append(statement)

    engine = db.engines[PLATFORM]
    event.listen(engine, "before_cursor_execute", hear)
    try:
        yield said
    finally:
        event.remove(engine, "before_cursor_execute", hear)


def spans(minutes: list[float]) -> list[timedelta]:
    return [timedelta(minutes=one) for one in minutes]


@given(st.lists(MINUTES, min_size=1, max_size=60), st.lists(MINUTES, max_size=20))
def test_nine_of_ten_come_within_the_figure_and_not_within_the_one_before(
    took: list[float], open_for: list[float]
) -> None:
    def hold(minutes: int) -> bool:
        came = sum(one <= minutes for one in took)
        late = sum(one > minutes for one in open_for)
        return came >= 0.9 * (len(took) + late) - 1e-9

    found = figure_of(spans(took), spans(open_for))
    below = [one for one in FIGURES if found is None or one < found]
    assert not any(map(hold, below))
    assert found is None or hold(found)


def test_it_is_counted_from_the_press_to_the_delivery_of_the_last_week(
    code: str, counted: Callable[..., Any]
) -> None:
    deliver(code, [12] * 18 + [25] * 2)
    deliver(code, [600] * 9, ago=timedelta(days=8))
    deliver(code, [600] * 9, network="at")
    copy(code, state="refunded", queued_at=clock.now() - timedelta(hours=9))
    row = counted()
    assert (row.minutes, row.counted) == (15, 20)
    deliver(code, [25])
    assert counted().minutes == 30
    assert counted("at").minutes == 720
    assert (counted("telecel").minutes, counted("telecel").counted) == (None, 0)


def test_what_hangs_is_no_delivery_within_any_figure(
    code: str, counted: Callable[..., Any]
) -> None:
    deliver(code, [4] * 30)
    assert counted().minutes == 5
    for state in ("queued", "submitting", "processing", "failed"):
        copy(code, state=state, queued_at=clock.now() - timedelta(minutes=18))
    assert counted().minutes == 20
    copy(code, state="processing", queued_at=clock.now() - timedelta(minutes=1))
    assert counted().minutes == 20


def test_over_which_the_clock_was_set_back_is_no_time(
    code: str, counted: Callable[..., Any]
) -> None:
    deliver(code, [30] * 20)
    deliver(code, [-90] * 40)
    row = counted()
    assert (row.minutes, row.counted) == (30, 20)


def test_the_newest_are_looked_at_and_no_more(
    code: str, counted: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_times, "COUNTED_MOST", 25)
    deliver(code, [200] * 10, ago=timedelta(hours=5))
    for _ in range(4):  # from before them: of another time
        copy(code, state="failed", queued_at=clock.now() - timedelta(hours=6))
    deliver(code, [9] * 25, ago=timedelta(hours=2), estimate_minutes=5)
    row = counted()
    assert (row.minutes, row.counted, row.estimated) == (10, 25, 25)
    deliver(code, [9] * 25, ago=timedelta(hours=1), estimate_minutes=10)
    row = counted()
    assert (row.in_time, row.estimated) == (25, 25)


def test_right_is_what_came_within_its_own_estimate(
    code: str, counted: Callable[..., Any]
) -> None:
    now = clock.now()
    long_ago, just_now = now - timedelta(hours=3), now - timedelta(minutes=2)
    deliver(code, [10, 15], estimate_minutes=15)
    assert (counted().in_time, counted().estimated) == (2, 2)
    deliver(code, [16], estimate_minutes=15)  # late
    deliver(code, [16])  # it was told nothing
    assert (counted().in_time, counted().estimated) == (2, 3)
    told = {"estimate_minutes": 15, "queued_at": long_ago}
    copy(code, state="processing", **told)
    copy(code, state="failed", **told)
    copy(code, state="refunded", final_at=long_ago + timedelta(minutes=5), **told)
    assert (counted().in_time, counted().estimated) == (2, 6)
    copy(code, state="cancelled", final_at=long_ago + timedelta(minutes=5), **told)
    assert counted().estimated == 6
    copy(code, state="cancelled", final_at=long_ago + timedelta(minutes=50), **told)
    assert (counted().in_time, counted().estimated) == (2, 7)
    still_to_come = {"estimate_minutes": 15, "queued_at": just_now}
    copy(code, state="processing", **still_to_come)
    copy(code, state="completed", completed_at=now, final_at=now, **still_to_come)
    deliver(code, [10], estimate_minutes=15, ago=timedelta(days=8))
    assert (counted().in_time, counted().estimated) == (2, 7)


def test_one_that_failed_and_came_after_all_took_all_that_time(
    code: str, counted: Callable[..., Any]
) -> None:
    start = clock.now() - timedelta(hours=5)
    deliver(
        code,
        [0] * 20,
        queued_at=start,
        failed_since=start + timedelta(minutes=9),
        estimate_minutes=20,
    )
    row = counted()
    assert (row.minutes, row.in_time, row.estimated) == (360, 0, 20)


def test_it_is_said_when_all_is_well(said: Callable[..., Any]) -> None:
    estimate()
    assert said() == Estimate(40, 50, 93, 100)
    assert said("telecel") is None


def away() -> None:
    supply.locked_state().unreachable_since = clock.now()


@pytest.mark.parametrize(
    "values",
    [
        {"counted": delivery_times.LEAST_COUNTED - 1},
        {"minutes": None},
        {"renewed_at": timedelta(minutes=61)},
        {"renewed_at": -timedelta(minutes=61)},
        {"in_time": 49},
    ],
    ids=["few", "no figure", "old", "the clock was set back", "wrong too often"],
)
def test_it_is_silent_when_it_does_not_know(
    said: Callable[..., Any], values: dict[str, Any]
) -> None:
    if "renewed_at" in values:
        values = {"renewed_at": clock.now() - values["renewed_at"]}
    estimate(**values)
    assert said() is None
    estimate(counted=delivery_times.LEAST_COUNTED, in_time=50)
    assert said() is not None


def test_it_is_silent_while_buying_stands_still_or_is_unsure(
    app: Flask, said: Callable[..., Any], clocks: Any
) -> None:
    estimate()
    with app.app_context(), tenancy.across_stores():
        with transaction():
            away()
        reconcile.renew()
    assert said() is None
    with app.app_context(), tenancy.across_stores():
        with transaction():
            supply.locked_state().unreachable_since = None
        reconcile.renew()
    assert said() is not None
    clocks.relay_lives = False
    clocks.pass_by(20)
    assert said() is None


def test_an_order_keeps_the_estimate_that_stood_when_it_was_processed(
    ama: int, place: Place
) -> None:
    estimate(minutes=20)
    order = orders.release(place().code, AMA)
    assert order.estimate_minutes == 20
    assert order.queued_at is not None
    assert estimates.due_at(order) == order.queued_at + timedelta(minutes=20)
    estimate(minutes=60)
    assert orders.release(order.code, AMA).estimate_minutes == 20
    assert orders.release(place().code, AMA).estimate_minutes == 60


def test_an_estimate_that_was_wrong_too_often_is_kept_though_not_said(
    ama: int, place: Place
) -> None:
    """Or nothing would ever show that it is right again."""
    estimate(in_time=3)
    assert availability.now().estimate("mtn") is None
    assert orders.release(place().code, AMA).estimate_minutes == 40


def test_without_an_estimate_an_order_is_overdue_after_a_time_of_the_settings(
    ama: int, place: Place, jump: Callable[[float], None]
) -> None:
    order = place()
    assert estimates.due_at(order) is None
    order = orders.release(order.code, AMA)
    assert order.estimate_minutes is None and order.queued_at is not None
    wait_s = config.current().no_estimate_s
    assert estimates.due_at(order) == order.queued_at + timedelta(seconds=wait_s)
    assert not estimates.is_overdue(order)
    jump(wait_s + 1)
    assert estimates.is_overdue(order)


def test_keeping_it_costs_no_statement(ama: int, place: Place) -> None:
    def cost() -> int:
        made = place()
        with counted_statements() as said:
            orders.release(made.code, AMA)
        return len(said)

    cost()
    without = cost()
    estimate()
    assert cost() == without


def test_counting_twice_or_at_once_is_the_same(
    code: str, counted: Callable[..., Any], record: Callable[..., Any]
) -> None:
    deliver(code, [12] * 20, estimate_minutes=20)
    first, shown = counted(), record()
    second = counted()
    names = ("minutes", "counted", "in_time", "estimated")
    assert [getattr(first, one) for one in names] == [
        getattr(second, one) for one in names
    ]
    assert record() == shown == Record(20, 12)


def test_a_record_counts_what_came_in_thirty_days(
    app: Flask, code: str, record: Callable[..., Any]
) -> None:
    deliver(code, [3.2] * 5 + [21.2] * 2 + [300] * 2, ago=NOW)
    renew(app)
    assert record() is None  # nine say too little
    start = clock.now() - timedelta(hours=9)
    # failed, and came after all
    deliver(code, [400], ago=NOW, failed_since=start)
    renew(app)
    assert record() == Record(10, 4)
    deliver(code, [21.2], ago=NOW)
    copy(code, state="refunded", queued_at=start, final_at=start)
    copy(code, state="processing", queued_at=start)
    deliver(code, [1] * 9, ago=timedelta(days=31))
    renew(app)
    assert record() == Record(11, 22)
    deliver(code, [-30], ago=NOW)  # it came, in a time nobody knows
    renew(app)
    assert record() == Record(12, 22)


def test_each_store_has_its_own_record_and_reads_no_other(
    app: Flask,
    code: str,
    record: Callable[..., Any],
    as_store: Callable[..., Any],
    kofi_id: int,
) -> None:
    deliver(code, [5] * 10)
    deliver(code, [50] * 12, store_id=kofi_id)
    assert renew(app) == 2
    assert (record("ama"), record("kofi")) == (Record(10, 5), Record(12, 50))

    def read() -> list[int]:
        rows = db.session.execute(text("SELECT delivered FROM store_records"))
        return list(rows.scalars())

    assert as_store("ama", read) == [10]
    assert as_store("kofi", read) == [12]


def test_only_stores_that_delivered_since_are_counted_anew(
    app: Flask, code: str, kofi_id: int, jump: Callable[[float], None]
) -> None:
    deliver(code, [5] * 10, ago=NOW)
    deliver(code, [5] * 10, ago=NOW, store_id=kofi_id)
    assert renew(app) == 2
    jump(300)
    assert renew(app) == 2  # up to a minute before it may have been under way
    jump(300)
    assert renew(app) == 0
    deliver(code, [5], ago=NOW, store_id=kofi_id)
    assert renew(app) == 1
    jump(86_400)
    assert renew(app) == 2  # their 30 days went on


def test_a_round_is_bounded_and_takes_the_longest_uncounted(
    app: Flask,
    code: str,
    kofi_id: int,
    jump: Callable[[float], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(estimates, "STORES_A_ROUND", 1)
    deliver(code, [5] * 10, ago=NOW)
    assert renew(app) == 1
    jump(120)
    deliver(code, [5] * 10, ago=NOW)
    deliver(code, [5] * 10, ago=NOW, store_id=kofi_id)
    assert renew(app) == 1
    with app.app_context(), tenancy.across_stores():
        assert {row.store_id for row in db.session.query(StoreRecord)} >= {kofi_id}


def test_a_record_that_was_forgotten_is_not_shown(
    app: Flask,
    code: str,
    record: Callable[..., Any],
    jump: Callable[[float], None],
) -> None:
    deliver(code, [5] * 10)
    renew(app)
    jump(delivery_times.RECORD_OLD.total_seconds() - 60)
    assert record() is not None
    jump(120)
    assert record() is None


def test_what_a_round_costs_does_not_hang_on_how_many_orders_there_are(
    app: Flask, code: str, kofi_id: int
) -> None:
    def cost() -> int:
        with app.app_context(), counted_statements() as said:
            renew(app)
        return len(said)

    deliver(code, [5], ago=NOW)
    first = cost()
    deliver(code, [5] * 40, ago=NOW)
    deliver(code, [5] * 40, ago=NOW, store_id=kofi_id)
    assert cost() == first <= 15


def test_the_relay_counts_every_few_minutes(
    app: Flask, monkeypatch: pytest.MonkeyPatch, jump: Callable[[float], None]
) -> None:
    rounds = []
    monkeypatch.setattr(estimates, "renew", lambda: rounds.append(1) or 0)
    at = housekeeping.count_deliveries(None)
    assert housekeeping.count_deliveries(at) == at and len(rounds) == 1
    jump(config.current().estimates_every_s + 1)
    assert housekeeping.count_deliveries(at) != at and len(rounds) == 2
    jump(-86_400)  # the clock was set back
    housekeeping.count_deliveries(clock.now() + timedelta(days=1))
    assert len(rounds) == 3


@pytest.mark.parametrize(
    ("found", "within", "how_right"),
    [
        (Estimate(40, 50, 93, 100), "40 min", "Right for 93 of 100 last week."),
        (Estimate(60, 50, 9, 9), "1 hour", ""),
        (Estimate(90, 50, 10, 10), "90 min", "Right for 10 of 10 last week."),
        (Estimate(180, 500, 470, 500), "3 hours", "Right for 470 of the last 500."),
    ],
)
def test_an_estimate_in_words(found: Estimate, within: str, how_right: str) -> None:
    assert (found.within, found.how_right) == (within, how_right)


@pytest.mark.parametrize(
    ("found", "many", "within"),
    [
        (Record(1_204, 22), "1,204", "22 min"),
        (Record(10_000, 150), "10,000 or more", "3 hours"),
    ],
)
def test_a_record_in_words(found: Record, many: str, within: str) -> None:
    assert found.sentence == (
        f"Delivered {many} orders in the last 30 days, half of them within {within}."
    )


def test_what_is_counted_is_found_by_index_whatever_plan_is_kept(
    app: Flask, code: str, superuser: psycopg.Connection[Any]
) -> None:
    deliver(code, [5] * 2_000, ago=timedelta(days=90), estimate_minutes=5)
    deliver(code, [5] * 20, ago=NOW, estimate_minutes=5)
    superuser.execute("ANALYZE orders")
    now = clock.now()
    asked = {
        "ix_orders_delivered": [
            estimates._came("mtn", now - estimates.WEEK),
            estimates._to_count(now - timedelta(minutes=5), now),
        ],
        "ix_orders_open": [estimates._under_way("mtn", now - estimates.WEEK)],
        "ix_orders_estimated": [estimates._run_out("mtn", now)],
    }
    with app.app_context():
        dialect = db.engines[PLATFORM].dialect
    for index, statements in asked.items():
        for statement in statements:
            made = statement.compile(
                dialect=dialect, compile_kwargs={"render_postcompile": True}
            )
            names = dict.fromkeys(re.findall(r"%\((\w+)\)s", str(made)))
            places = {name: f"${place}" for place, name in enumerate(names, 1)}
            generic = str(made) % places
            plan = superuser.execute(f"EXPLAIN (GENERIC_PLAN) {generic}").fetchall()  # type: ignore[call-overload]
            said = "\n".join(line for (line,) in plan)
            assert index in said and "Seq Scan on orders" not in said, said
