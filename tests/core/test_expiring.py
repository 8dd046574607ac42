"""An order that nobody processes for a day expires, and nothing else does (fault S13)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from flask import Flask
from sqlalchemy import text

from core import ledger, orders
from core.audit import Actor
from core.base import clock, tenancy
from core.base.db import db, transaction
from core.clock_changes import Watch
from core.orders import Order
from fulfilment import relay
from tests.support.settings import Using

AMA = Actor("agent", "Ama")
DAY_S = 86_400


def expire() -> int:
    with tenancy.across_stores():
        return orders.expire_pending()


def state_of(order: Order) -> str:
    with tenancy.across_stores():
        return db.session.get_one(Order, order.id, populate_existing=True).state


def test_after_a_day_and_not_before(
    ama: int, place: Callable[..., Order], jump: Callable[[float], None]
) -> None:
    order = place()
    jump(DAY_S - 5)
    assert (expire(), state_of(order)) == (0, "pending")
    jump(10)
    assert (expire(), state_of(order)) == (1, "expired")
    assert (expire(), state_of(order)) == (0, "expired")
    with tenancy.across_stores():
        told = orders.timeline(order)[-1]
        assert (told.kind, told.who, told.customer_text) == (
            "expired",
            "system",
            "Expired: nothing was sent",
        )
        assert ledger.postings_of(order.id) == []


@pytest.mark.parametrize("state", ["queued", "cancelled"])
def test_nothing_but_pending_expires(
    ama: int, place: Callable[..., Order], jump: Callable[[float], None], state: str
) -> None:
    order = place()
    (orders.release if state == "queued" else orders.cancel)(order.code, AMA)
    jump(DAY_S + 5)
    assert (expire(), state_of(order)) == (0, state)


def test_one_in_doubt_after_a_restore_waits_for_a_person(
    ama: int, place: Callable[..., Order], jump: Callable[[float], None]
) -> None:
    order = place()
    with tenancy.across_stores():
        orders.note_restore(told=True)
    jump(DAY_S + 5)
    assert (expire(), state_of(order)) == (0, "pending")


def test_one_that_yesterdays_code_wrote_expires_too(
    ama: int, place: Callable[..., Order], jump: Callable[[float], None]
) -> None:
    order = place()
    with transaction() as session:
        session.execute(text("UPDATE orders SET pending_since = NULL"))
    assert expire() == 0
    jump(DAY_S + 5)
    assert (expire(), state_of(order)) == (1, "expired")


def test_a_round_is_bounded_and_takes_the_oldest(
    ama: int,
    place: Callable[..., Order],
    jump: Callable[[float], None],
    using: Using,
) -> None:
    placed = [place() for _ in range(5)]
    using(relay_batch=3)
    jump(DAY_S + 5)
    assert expire() == 3
    assert [state_of(order) for order in placed] == ["expired"] * 3 + ["pending"] * 2
    assert expire() == 2


def test_the_day_is_a_setting_and_a_machines_duration(
    ama: int,
    place: Callable[..., Order],
    jump: Callable[[float], None],
    using: Using,
) -> None:
    using(pending_expires_s=600, time_scale=10.0)
    place()
    jump(59)
    assert expire() == 0
    jump(2)
    assert expire() == 1


@pytest.mark.parametrize("change_s", [2 * DAY_S, -2 * DAY_S])
def test_a_wrong_clock_expires_nothing_and_keeps_nothing_for_ever(
    ama: int,
    place: Callable[..., Order],
    jump: Callable[[float], None],
    set_clock: Callable[[float], None],
    change_s: float,
) -> None:
    watch = Watch()
    with tenancy.across_stores():
        watch.look()
    order = place()
    jump(60)
    set_clock(change_s)
    with tenancy.across_stores():
        assert watch.look() is not None
    assert (expire(), state_of(order)) == (0, "pending")
    jump(DAY_S)
    assert (expire(), state_of(order)) == (1, "expired")


def test_an_order_that_somebody_is_at_is_left_to_him(
    ama: int,
    place: Callable[..., Order],
    jump: Callable[[float], None],
    postgres: dict[str, str],
) -> None:
    order, other = place(), place()
    jump(DAY_S + 5)
    with psycopg.connect(postgres["super"]) as session:
        session.execute(
            "SELECT 1 FROM orders WHERE id = %s FOR NO KEY UPDATE", (order.id,)
        )
        assert expire() == 1
    assert (state_of(order), state_of(other)) == ("pending", "expired")


@pytest.mark.parametrize("_again", range(4))
def test_expiry_and_process_at_once_have_one_winner(
    app: Flask,
    in_store: Callable[..., Any],
    place: Any,
    jump: Callable[[float], None],
    _again: int,
) -> None:
    placed = in_store("ama", lambda: [place() for _ in range(6)])
    jump(DAY_S + 5)
    gate, refused = threading.Barrier(2), []

    def process() -> None:
        gate.wait()
        for order in placed:
            try:
                in_store("ama", lambda order=order: orders.release(order.code, AMA))
            except orders.WrongState as refusal:
                refused.append(refusal.sentence)

    def end() -> None:
        with app.app_context():
            gate.wait()
            while expire():
                pass

    threads = [threading.Thread(target=process), threading.Thread(target=end)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with app.app_context():
        states = [state_of(order) for order in placed]
        held = in_store("ama", lambda: ledger.wallet().held_pesewas)
    assert set(states) <= {"queued", "expired"}
    assert held == sum(
        order.agent_price_pesewas
        for order, state in zip(placed, states, strict=True)
        if state == "queued"
    )
    assert len(refused) == states.count("expired")
    assert all("expired" in sentence for sentence in refused)


def test_the_relay_does_it(
    app: Flask,
    in_store: Callable[..., Any],
    place: Any,
    jump: Callable[[float], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    order = in_store("ama", place)
    jump(DAY_S + 5)
    stop = threading.Event()
    thread = threading.Thread(target=relay.run, args=(app, stop))
    thread.start()
    try:
        deadline = clock.now() + clock.delta(20)
        with app.app_context():
            while state_of(order) == "pending" and clock.now() < deadline:
                stop.wait(0.05)
            assert state_of(order) == "expired"
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize("change_s", [2 * DAY_S, -2 * DAY_S])
def test_a_wrong_clock_asks_the_owner_about_nobody(
    ama: int,
    place: Callable[..., Order],
    jump: Callable[[float], None],
    set_clock: Callable[[float], None],
    change_s: float,
) -> None:
    """A payment was told a minute ago, whatever the wall clock says."""
    watch = Watch()
    with tenancy.across_stores():
        watch.look()
    order = place()
    orders.telling.tell(order.code, orders.telling.Payment(clock.now(), "Kwame"))
    jump(60)
    set_clock(change_s)
    with tenancy.across_stores():
        assert watch.look() is not None
        assert orders.ask_owner() == 0
        jump(DAY_S + 5)
        assert orders.ask_owner() == 1
