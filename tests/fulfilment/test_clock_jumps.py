"""The wall clock of the machine is set an hour forward or back: nothing is sent again early, and it goes on.

Row 40 of docs/faults.md. Only the wall clock moves here; the steady one, which nobody can set, runs as it does.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from desk import Desk
from flask import Flask

from core import clock, config, orders, tenancy
from core.orders import Order


class Clocks:
    """Two clocks that can be moved apart."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall_s = self.steady_s = 0.0
        monkeypatch.setattr(clock, "offset_source", lambda: self.wall_s)
        monkeypatch.setattr(clock, "steady_source", lambda: time.clock_gettime(time.CLOCK_BOOTTIME) + self.steady_s)

    def set_wall(self, seconds: float) -> None:
        self.wall_s += seconds

    def pass_(self, seconds: float) -> None:
        self.wall_s += seconds
        self.steady_s += seconds


@pytest.fixture
def clocks(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Clocks:
    return Clocks(monkeypatch)


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    return make_desk(dedupe=False)


def unclear(desk: Desk) -> Order:
    order = desk.release()
    desk.plan("drop_before")
    desk.work()
    assert desk.read(order).state == "submitting"
    return order


@pytest.mark.parametrize("hour", [3_600.0, -3_600.0], ids=["forward", "back"])
def test_an_hour_proves_no_absence(desk: Desk, clocks: Clocks, hour: float) -> None:
    order = unclear(desk)
    clocks.set_wall(hour)
    for _ in range(3):
        desk.work(2)
        with tenancy.across_stores():
            assert orders.note_absent(order.id) == "early"
        clocks.pass_(config.current().absence_gap_s + 1)
    assert (desk.read(order).state, desk.charges()) == ("submitting", [])


@pytest.mark.parametrize("hour", [3_600.0, -3_600.0], ids=["forward", "back"])
def test_after_the_hour_it_is_sent_again_once(desk: Desk, clocks: Clocks, hour: float) -> None:
    order = unclear(desk)
    clocks.set_wall(hour)
    waited = 0
    while desk.read(order).state != "processing" and waited < 3 * 3_600:
        clocks.pass_(60)
        waited += 60
        desk.work(2)
    assert desk.charges() == [order.order_ref]
    grace = config.current().grace_s
    assert grace <= waited <= grace + max(0.0, -hour) + 1_200


def test_a_claim_made_before_the_clock_was_set_back_does_not_send_late(desk: Desk, clocks: Clocks) -> None:
    order = desk.release()
    with desk.inside("ama"):
        claim = orders.claim(order.id)
    assert claim is not None and claim.may_send
    clocks.pass_(config.current().send_lease_s + 1)
    clocks.set_wall(-3_600)
    assert not claim.may_send


def test_a_claim_stays_good_when_the_clock_is_set_forward(desk: Desk, clocks: Clocks) -> None:
    """An order must not be given up by a correction of the time either."""
    order = desk.release()
    with desk.inside("ama"):
        claim = orders.claim(order.id)
    clocks.set_wall(3_600)
    assert claim is not None and claim.may_send
