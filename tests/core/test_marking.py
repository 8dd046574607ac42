"""What a store's people mark on orders: on hold nothing goes by any road, a note goes with the
number, one person is on it at a time; no state and no money moves."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from core import catalog, ledger, orders, stores
from core.audit import Actor
from core.base import clock, tenancy
from core.orders import Order, marking, pressing, refusals, repricing
from tests.support.settings import Using

AMA, KOFI = Actor("agent", "Ama"), Actor("agent", "Kofi")


@pytest.fixture
def order(context: Flask) -> Order:
    """A new order of ama's, in her store as a request of hers works there."""
    ama = stores.by_slug("ama")
    assert ama is not None
    tenancy.use(ama.id)
    return _placed()


def _placed(number: str = "+233241234567") -> Order:
    return orders.place(
        bundle_id=catalog.shelf()[0].bundle_id,
        recipient_msisdn=number,
        idempotency_key=secrets.token_urlsafe(16),
        repeat_confirmed=True,
    ).order


def now(order: Order) -> Order:
    found = orders.by_code(order.code)
    assert found is not None
    return found


def lines(order: Order) -> list[str]:
    return [line.text for line in orders.timeline(now(order))]


ROADS: dict[str, Callable[[Order], Any]] = {
    "press": lambda order: orders.process(order.code, AMA),
    "release": lambda order: orders.release(order.code, AMA),
    "at another price": lambda order: repricing.process_at(order.code, AMA, 1, 10_000),
}


@pytest.mark.parametrize("road", ROADS)
def test_what_is_on_hold_goes_by_no_road(order: Order, road: str) -> None:
    before = ledger.wallet()
    marking.set_aside(order.code, "number", AMA)
    with pytest.raises(refusals.OnHold, match="On hold: number in doubt"):
        ROADS[road](order)
    assert (now(order).state, now(order).release_at) == ("pending", None)
    assert ledger.wallet() == before
    marking.take_off(order.code, KOFI)
    ROADS[road](order)
    assert now(order).state == "queued" or now(order).release_at is not None


def test_a_press_that_may_be_undone_is_refused_at_once(
    order: Order, using: Using
) -> None:
    using(undo_s=5)
    marking.set_aside(order.code, "number", AMA)
    with pytest.raises(refusals.OnHold):
        pressing.process(order.code, AMA)
    assert now(order).release_at is None and now(order).confirmed_at is None


def test_a_selection_names_it_and_does_the_others(order: Order) -> None:
    other = _placed("+233241234568")
    marking.set_aside(order.code, "price", AMA)
    found = orders.release_many([order.code, other.code], AMA)
    assert [(row.code, row.became) for row in found] == [
        (order.code, "refused"),
        (other.code, "moved"),
    ]
    assert "price to be settled" in found[0].sentence


def test_one_pressed_before_is_undone_first(order: Order, using: Using) -> None:
    using(undo_s=5)
    pressing.process(order.code, AMA)
    with pytest.raises(refusals.WrongState, match="undo that first"):
        marking.set_aside(order.code, "number", AMA)
    assert now(order).aside is None


def test_only_new_ones_and_only_for_a_reason_of_the_list(order: Order) -> None:
    with pytest.raises(refusals.WrongState, match="Choose why"):
        marking.set_aside(order.code, "because", AMA)
    orders.release(order.code, AMA)
    with pytest.raises(refusals.WrongState, match="Only a new order"):
        marking.set_aside(order.code, "number", AMA)


def test_each_act_is_one_line_and_twice_is_once(order: Order) -> None:
    for _ in range(2):
        marking.set_aside(order.code, "payment", AMA)
    marking.set_aside(order.code, "number", AMA)
    for _ in range(2):
        marking.take_off(order.code, KOFI)
        marking.write_note(order.code, "Akosua pays at six", AMA)
        marking.take_on(order.code, AMA)
    assert lines(order)[1:] == [
        "Ama put it on hold: payment not there.",
        "Ama put it on hold: number in doubt.",
        "Kofi took it off hold.",
        "Ama wrote a note.",
        "Ama is on it.",
    ]
    assert now(order).state == "pending"


def test_a_cancelled_one_may_have_been_on_hold(order: Order) -> None:
    marking.set_aside(order.code, "customer", AMA)
    assert orders.cancel(order.code, AMA).state == "cancelled"


def test_a_note_goes_with_the_number_and_stands_nowhere_else(
    order: Order, superuser: Any
) -> None:
    marking.write_note(order.code, "call 024 123 4567 first", AMA)
    assert now(order).note == "call 024 123 4567 first"
    assert not any("first" in line for line in lines(order))
    orders.cancel(order.code, AMA)
    tenancy.clear()
    with tenancy.across_stores():
        orders.forget_number(order.recipient_msisdn, Actor("owner", "Efua"))
    found = superuser.execute(
        "SELECT note, recipient_msisdn FROM orders WHERE code = %s", (order.code,)
    ).fetchone()
    assert found == (None, "+23324xxx4567")


def test_nothing_is_noted_of_whom_was_forgotten(order: Order, superuser: Any) -> None:
    orders.cancel(order.code, AMA)
    superuser.execute(
        "UPDATE orders SET recipient_msisdn = '+23324xxx4567' WHERE code = %s",
        (order.code,),
    )
    with pytest.raises(refusals.WrongState, match="forgotten"):
        marking.write_note(order.code, "again", AMA)


def test_somebody_else_on_it_is_not_pushed_aside_unseen(order: Order) -> None:
    marking.take_on(order.code, KOFI)
    with pytest.raises(refusals.WrongState, match="Kofi is on it since you looked"):
        marking.take_on(order.code, AMA)
    marking.let_go_of(order.code, AMA)
    assert marking.on_it(now(order)) == "Kofi"
    marking.take_on(order.code, AMA, seen="Kofi")
    assert marking.on_it(now(order)) == "Ama"
    marking.let_go_of(order.code, AMA)
    assert marking.on_it(now(order)) == ""


def test_nobody_has_to_take_it_back(
    order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    marking.take_on(order.code, KOFI)
    late = clock.now() + marking.ON_IT + timedelta(seconds=1)
    monkeypatch.setattr(clock, "now", lambda: late)
    assert marking.on_it(now(order)) == ""


def test_who_is_on_it_keeps_nobody_from_processing(order: Order) -> None:
    marking.take_on(order.code, KOFI)
    orders.release(order.code, AMA)
    assert (now(order).state, now(order).taken_by) == ("queued", "Ama")
    assert marking.people() == ["Ama"]
