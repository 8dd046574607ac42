"""Orders nobody pays for: counted by device and by address, never by the number they name (fault
S13)."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select, text

from core import orders
from core.audit import CUSTOMER, Actor
from core.base import config, tenancy
from core.base.db import db
from core.orders import Caller, Order

AMA = Actor("agent", "Ama")
NUMBER = "+233241234567"
PHONE = Caller("a phone", "41.66.0.1")
DEVICE, ADDRESS = 5, 30
_counter = itertools.count()


def town(device: str = "") -> Caller:
    """Somebody behind one address of a carrier: a device of his own, or a browser without
    cookies."""
    return Caller(device, "41.66.0.1")


def pending() -> int:
    return (
        db.session.scalar(
            select(func.count()).select_from(Order).where(Order.state == "pending")
        )
        or 0
    )


def test_a_device_has_five_and_then_one_more_each_twenty_seconds(
    ama: int, place: Callable[..., Order], jump: Callable[[float], None]
) -> None:
    for _ in range(DEVICE):
        place(caller=PHONE)
    for _ in range(2):
        with pytest.raises(orders.TooManyOpen) as refused:
            place(caller=PHONE)
        assert 0 < refused.value.wait_s <= 20
        assert f"Wait {refused.value.wait_s} seconds" in refused.value.sentence
        assert "this phone or computer" in refused.value.sentence
        jump(refused.value.wait_s)
        place(caller=PHONE)
    assert pending() == DEVICE + 2


@pytest.mark.slow(seconds=0.2)
def test_an_address_has_thirty_whatever_its_devices_are(
    ama: int, kofi_id: int, place: Callable[..., Order], jump: Callable[[float], None]
) -> None:
    for number in range(ADDRESS):
        place(caller=town(f"phone {number // 4}" if number % 2 else ""))
    with pytest.raises(orders.TooManyOpen, match="your connection") as refused:
        place(caller=town("a new phone"))
    with pytest.raises(orders.TooManyOpen):
        place(caller=town())
    place(caller=Caller("a new phone", "41.66.0.2"))
    tenancy.use(kofi_id)  # each store is counted by itself
    place(caller=town("a new phone"))
    tenancy.use(ama)
    jump(refused.value.wait_s)
    place(caller=town("a new phone"))
    with pytest.raises(orders.TooManyOpen):
        place(caller=town("another new phone"))


@pytest.mark.parametrize("end", ["processed", "cancelled", "expired"])
def test_only_unprocessed_orders_count(
    ama: int, place: Callable[..., Order], jump: Callable[[float], None], end: str
) -> None:
    placed = [place(caller=PHONE) for _ in range(DEVICE)]
    if end == "processed":
        orders.release(placed[0].code, AMA)
    elif end == "cancelled":
        orders.cancel(placed[0].code, CUSTOMER)
    else:
        jump(86_401)
        with tenancy.across_stores():
            assert orders.expire_pending() == DEVICE
        tenancy.use(ama)
    place(caller=PHONE)


def test_the_same_form_is_answered_with_its_order_however_many_are_open(
    ama: int, place: Callable[..., Order]
) -> None:
    first = place(caller=PHONE, idempotency_key="k" * 22)
    for _ in range(DEVICE - 1):
        place(caller=PHONE)
    assert place(caller=PHONE, idempotency_key="k" * 22).id == first.id


def test_a_stranger_locks_nobody_s_number_out(
    ama: int, place: Callable[..., Order]
) -> None:
    """Ten for one number in an hour were refused, whoever had typed it and whether or not anybody
    paid."""
    for number in range(12):
        place(
            NUMBER,
            repeat_confirmed=True,
            caller=Caller(f"device {number}", f"41.66.1.{number}"),
        )
    order = place(
        NUMBER, repeat_confirmed=True, caller=Caller("its owner", "41.66.2.1")
    )
    assert orders.release(order.code, AMA).state == "queued"


@pytest.mark.slow(seconds=0.2)
def test_orders_that_no_browser_placed_are_not_counted(
    ama: int, place: Callable[..., Order]
) -> None:
    assert {place().placed_device for _ in range(ADDRESS + 2)} == {None}


def test_a_clock_set_back_makes_nobody_wait_longer(
    ama: int, place: Callable[..., Order], set_clock: Callable[[float], None]
) -> None:
    for _ in range(DEVICE):
        place(caller=PHONE)
    set_clock(-3_600)
    with pytest.raises(orders.TooManyOpen) as refused:
        place(caller=PHONE)
    assert refused.value.wait_s == config.current().open_wait_s == 20


@pytest.mark.slow(seconds=0.2)
@pytest.mark.parametrize(
    ("caller", "limit"),
    [
        (lambda number: Caller("a phone", f"41.66.1.{number}"), DEVICE),
        (lambda _number: town(), ADDRESS),
    ],
    ids=["a device that changes its address", "an address"],
)
def test_forty_at_once_are_no_more_than_one_after_the_other(
    app: Flask,
    in_store: Callable[..., Any],
    place: Callable[..., Order],
    caller: Callable[[int], Caller],
    limit: int,
) -> None:
    gate, answers = threading.Barrier(8), []

    def press(first: int) -> None:
        gate.wait()
        for number in range(first, first + 5):
            try:
                answers.append(in_store("ama", lambda: place(caller=caller(number))))  # noqa: B023 - called at once
            except orders.TooManyOpen as refused:
                answers.append(refused)

    threads = [
        threading.Thread(target=press, args=(5 * number,)) for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 40
    assert in_store("ama", pending) == limit


@pytest.mark.parametrize("end", ["processed", "cancelled", "expired"])
def test_who_placed_it_is_a_keyed_hash_and_forgotten_when_it_is_not_needed(
    ama: int, place: Callable[..., Order], jump: Callable[[float], None], end: str
) -> None:
    order = place(caller=PHONE)
    row = (
        "SELECT placed_device, placed_address, orders::text FROM orders WHERE id = :id"
    )
    device, address, whole = db.session.execute(text(row), {"id": order.id}).one()
    assert len(device) == len(address) == 32
    assert "41.66.0.1" not in whole
    assert "a phone" not in whole
    if end == "processed":
        orders.release(order.code, AMA)
    elif end == "cancelled":
        orders.cancel(order.code, AMA)
    else:
        jump(86_401)
        with tenancy.across_stores():
            orders.expire_pending()
        tenancy.use(ama)
    assert db.session.execute(text(row), {"id": order.id}).one()[:2] == (None, None)


@pytest.mark.parametrize(
    "name",
    [
        "MAKOLA_ORDERS_OPEN_PER_DEVICE",
        "MAKOLA_ORDERS_OPEN_PER_ADDRESS",
        "MAKOLA_RETENTION_DAYS",
    ],
)
def test_a_limit_of_nothing_is_refused_at_the_start(name: str) -> None:
    with pytest.raises(config.ConfigError, match=f"{name} must be at least 1"):
        config.Config.from_environ({name: "0"})
