"""An order whose number was forgotten is still looked at, and is no stranger's (fault S21)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from desk import Desk

from core import orders
from core.audit import SYSTEM
from core.base import phones, tenancy


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    return make_desk()


def test_a_late_look_at_a_forgotten_order_finds_that_it_fits(desk: Desk) -> None:
    order = desk.release(number="+233241234567")
    desk.work_until(order, "processing")
    desk.settle(order, "completed")
    order = desk.work_until(order, "completed")
    with tenancy.across_stores():
        assert orders.forget_number("+233241234567", SYSTEM).masked == 1
    assert desk.read(order).is_masked
    before = len(
        [
            told
            for told in desk.told(order)
            if told.startswith("Asked the supplier about it")
        ]
    )
    desk.jump_to_next()
    desk.work()
    looks = [
        told
        for told in desk.told(order)
        if told.startswith("Asked the supplier about it")
    ]
    assert len(looks) == before + 1
    assert desk.cases() == []
    assert desk.read(order).state == "completed"


@pytest.mark.parametrize(
    ("stored", "told", "same"),
    [
        ("+233241234567", "0241234567", True),
        ("+233241234567", "233241234567", True),
        ("+233241234567", "0241234568", False),
        ("+23324xxx4567", "0241234567", True),
        ("+23324xxx4567", "0249994567", True),
        ("+23324xxx4567", "0251234567", False),
        ("+23324xxx4567", "0241234568", False),
        ("+23324xxx4567", "4567", False),
        ("+23324xxx4567", "", False),
    ],
)
def test_a_masked_number_is_compared_as_far_as_it_is_known(
    stored: str, told: str, same: bool
) -> None:
    assert phones.may_be_same(stored, told) is same
