"""A worker is frozen with its claim in hand, longer than the claim is good for: it must not send
any more.

The process is real and so is the time: SIGSTOP, the lease passes on the machine's steady clock,
SIGCONT. The scale makes a lease a third of a second. Between its last look at the clock and the
first byte nothing can stop a frozen process; that moment is left to the supplier's own check of the
reference (reliability.md §1, the honest limit).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from core import ledger
from core.base import clock, config
from core.base.db import db
from core.orders import Order
from tests.proofs import crash_points
from tests.proofs.crash_points import Point
from tests.proofs.crash_road import Answer, Road
from tests.support.settings import Using

pytestmark = pytest.mark.alone

EVERY_POINT = os.environ.get("CRASH_POINTS") == "all"
SCALE = 300.0
ACCEPTED = Answer("accepted")


@pytest.fixture
def points(road: Road, using: Using) -> list[Point]:
    """Where to freeze: from the moment the claim's time begins to the look at the clock right
    before the call."""
    road.prepare(ACCEPTED)
    using(time_scale=SCALE)
    listed = crash_points.points_of(db.engine, road.start(ACCEPTED)[1])
    claiming = [
        number
        for number, point in enumerate(listed)
        if point.where.startswith("core/orders/claiming.py:_claim:")
    ]
    last = next(
        number
        for number, point in enumerate(listed)
        if ":Claim.may_send:" in point.where
    )
    held = listed[claiming[1] : last + 1]
    assert len(held) > 20
    return (
        held
        if EVERY_POINT
        else crash_points.one_for_each_effect(held, rolled_back_too=True)
    )


def lease_passes() -> None:
    """Wait until the claim of a moment ago is too old to be used."""
    over = time.clock_gettime(time.CLOCK_BOOTTIME) + clock.seconds(
        config.current().send_lease_s
    )
    while (left := over - time.clock_gettime(time.CLOCK_BOOTTIME)) > 0:
        time.sleep(left)


def facts(road: Road, order: Order) -> tuple[Any, ...]:
    """What a late worker may not change."""
    order = road.desk.read(order)
    with road.desk.inside("ama"):
        booked = [posting.kind for posting, _legs in ledger.postings_of(order.id)]
    return (
        order.state,
        order.attempt,
        order.resends,
        order.charged_pesewas,
        booked,
        road.charges(),
        road.desk.wallet(),
    )


@pytest.mark.slow(seconds=6)
def test_a_worker_frozen_over_its_lease_refuses_to_send(
    road: Road, points: list[Point]
) -> None:
    for point in points:
        (order,), job = road.start(ACCEPTED)
        with crash_points.frozen_at(db.engine, job, point) as go_on:
            lease_passes()
            assert go_on() == 0
        road.server.settle()
        order = road.desk.read(order)
        assert (order.state, order.attempt, road.charges()) == ("submitting", 1, []), (
            point
        )
        assert order.unknown_since is not None
        ended = road.end_of([order], rung_by_rung=False)
        assert (road.wrong(ACCEPTED, ended), ended[0].resends) == ("", 1)


@pytest.mark.slow(seconds=8)
def test_a_worker_that_wakes_after_another_has_bought_changes_nothing(
    road: Road, points: list[Point]
) -> None:
    """PostgreSQL restarts while the worker is frozen and so frees the wallet's turn; another worker
    takes over."""
    for point in points:
        (order,), job = road.start(ACCEPTED)
        with crash_points.frozen_at(db.engine, cut_off_is_no_bug(job), point) as go_on:
            lease_passes()
            end_all_sessions(road)
            before = (road.end_of([order], rung_by_rung=False), facts(road, order))[1]
            assert before[:3] in [("completed", 1, 0), ("completed", 2, 1)], point
            assert go_on() == 0
        road.server.settle()
        assert facts(road, order) == before, point


def cut_off_is_no_bug(job: Callable[[], None]) -> Callable[[], None]:
    """A job whose connection was ended in the middle of a transaction fails, and that is all."""

    def run() -> None:
        try:
            job()
        except OperationalError:
            return

    return run


def end_all_sessions(road: Road) -> None:
    """As a restart of PostgreSQL does to every connection of ours."""
    db.session.remove()
    ours = "FROM pg_stat_activity WHERE application_name = 'makola'"
    road.superuser.execute(f"SELECT pg_terminate_backend(pid) {ours}")
    deadline = time.monotonic() + 10
    while road.superuser.execute(f"SELECT 1 {ours}").fetchall():
        assert time.monotonic() < deadline, "sessions of ours are still there"
        time.sleep(0.005)
