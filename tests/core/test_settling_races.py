"""Two people, a worker, a webhook and a balance read at one case at the same moment: one settles,
no circle of locks."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from case_scenes import AMA, Desk, at_once
from flask import Flask
from seed import FLOAT_PESEWAS, WALLET_PESEWAS

from core import orders, reconcile
from core.base import config, tenancy
from core.base.db import transaction
from core.orders import Order
from core.settling import ActionRefused
from core.supplier import supply


@pytest.fixture
def desk(ama: int, place: Callable[..., Order], jump: Callable[[float], None]) -> Desk:
    return Desk(ama, place, jump)


def done(results: list[object]) -> list[object]:
    return [result for result in results if not isinstance(result, ActionRefused)]


def test_of_eight_presses_at_once_one_books(app: Flask, desk: Desk) -> None:
    order = desk.order("given_back")
    case_id = desk.case_of(order, "supplier_money").id
    actions = ["write_off", "money_came_back"] * 4
    results = at_once(
        app, [lambda a=a: desk.press(case_id, a, order.cost_pesewas) for a in actions]
    )  # type: ignore[misc]
    assert len(done(results)) == 1
    kinds = desk.kinds(order)
    assert kinds.count("write_off") + kinds.count("supplier_refund") == 1
    assert desk.balances()["in_flight"] == 0


def test_two_cases_of_one_order_give_its_money_up_once(app: Flask, desk: Desk) -> None:
    order = desk.order("given_back")
    late = desk.open(order, "late_success", supplier_says="successful", delivered=True)
    money = desk.case_of(order, "supplier_money").id
    presses = [(late, "accept_loss"), (money, "write_off")] * 2
    results = at_once(
        app, [lambda p=p: desk.press(*p, order.cost_pesewas) for p in presses]
    )  # type: ignore[misc]
    assert len(done(results)) == 1
    assert desk.kinds(order).count("write_off") == 1
    assert desk.balances()["in_flight"] == 0


def test_what_was_never_bought_is_either_sent_again_or_given_back(
    app: Flask, desk: Desk
) -> None:
    order = desk.order("unknown")
    first, second = (
        desk.open(order, "unknown_too_long", since="x"),
        desk.open(order, "resend_limit", attempt=1),
    )
    desk.jump(config.current().grace_s + 1)
    results = at_once(
        app,
        [
            lambda: desk.press(first, "send_again"),
            lambda: desk.press(second, "give_back", order.agent_price_pesewas),
            lambda: desk.press(second, "send_again"),
            lambda: desk.press(first, "give_back", order.agent_price_pesewas),
        ],
    )
    assert len(done(results)) == 1
    after, kinds = desk.read(order), desk.kinds(order)
    assert (after.state, kinds.count("release")) in (("queued", 0), ("refunded", 1))
    assert after.resends <= 1


@pytest.mark.parametrize("word", ["completed", "processing"])
def test_money_is_given_back_or_the_news_is_taken_never_both(
    app: Flask, desk: Desk, word: str
) -> None:
    order = desk.order("failed")
    case_id = desk.open(order, "unknown_too_long", watched_until="x")

    def news() -> bool:
        with tenancy.inside(desk.store_id):
            return orders.advance(order.id, word, text="news")  # type: ignore[arg-type]

    at_once(
        app, [news, lambda: desk.press(case_id, "give_back", order.agent_price_pesewas)]
    )
    after, kinds = desk.read(order), desk.kinds(order)
    assert after.state in (word, "refunded")
    assert kinds.count("release") == (1 if after.state == "refunded" else 0)
    assert kinds.count("capture") == (1 if after.state == "completed" else 0)


def test_a_press_and_the_end_of_the_watch_give_the_money_back_once(
    app: Flask, desk: Desk
) -> None:
    order = desk.order("failed")
    case_id = desk.open(order, "unknown_too_long", watched_until="x")

    def watch_is_over() -> bool:
        with tenancy.inside(desk.store_id):
            return orders.advance(order.id, "refunded", text="The watch is over.")

    at_once(
        app,
        [
            watch_is_over,
            lambda: desk.press(case_id, "give_back", order.agent_price_pesewas),
        ],
    )
    assert desk.kinds(order).count("release") == 1
    assert desk.wallet() == (WALLET_PESEWAS, 0)


def test_one_missing_sum_is_one_loss_whoever_presses_first(
    app: Flask, desk: Desk
) -> None:
    order = desk.order("reversed")
    late = desk.open(order, "late_success", supplier_says="successful", delivered=True)
    cost = order.cost_pesewas
    off = desk.float_off_by(-cost - 300)

    def read_balance() -> str:
        with tenancy.across_stores():
            return reconcile.note_balance(FLOAT_PESEWAS - cost - 300)

    presses = [
        lambda: desk.press(off, "accept_loss", 300),
        lambda: desk.press(late, "accept_loss", cost),
    ]
    at_once(app, [*presses, read_balance, *presses])
    desk.jump(1)
    assert (
        "less than expected" in read_balance()
        or desk.balances()["write_off"] == cost + 300
    )
    at_once(app, presses)
    assert desk.balances()["write_off"] == cost + 300
    assert read_balance() == "fits"


@pytest.mark.slow(seconds=0.5)
def test_a_webhook_and_a_press_never_wait_for_each_other_in_a_circle(
    app: Flask, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ring holds the order's row and wants the line to the supplier: so does a press, in this
    order."""
    order = desk.order("given_back")
    case_id = desk.case_of(order, "supplier_money").id
    desk.press(case_id, "look_again")
    with tenancy.inside(desk.store_id):
        orders.note_look(order.id, "no answer")
    row_held, press_at_line = threading.Event(), threading.Event()
    locked_state = supply.locked_state

    def locked() -> supply.SupplierState:
        if threading.current_thread() is ringing[0]:
            row_held.set()
            # comes only when the press takes its locks the other way round
            press_at_line.wait(0.7)
        else:
            press_at_line.set()
        return locked_state()

    ringing = [threading.main_thread()]

    def ring() -> bool:
        ringing[0] = threading.current_thread()
        with tenancy.across_stores(), transaction():
            return orders.ring(order, verified=False, what="failed")

    def press() -> str:
        assert row_held.wait(5)
        return desk.press(case_id, "write_off", order.cost_pesewas)

    desk.finish_row(order)
    monkeypatch.setattr(supply, "locked_state", locked)
    rung, said = at_once(app, [ring, press])
    assert rung is True
    assert "written off" in said
    assert row_held.is_set()


def test_an_agent_s_press_and_a_person_s_never_wait_for_each_other_in_a_circle(
    app: Flask, desk: Desk
) -> None:
    order = desk.order("given_back")
    case_id = desk.case_of(order, "supplier_money").id

    def agent() -> str:
        with tenancy.inside(desk.store_id):
            return orders.request_look(order.code, AMA).code

    def worker() -> None:
        with tenancy.inside(desk.store_id):
            orders.raise_case(order.id, "supplier_money", {"reason": "again"})

    for _ in range(5):
        at_once(
            app,
            [agent, worker, lambda: desk.press(case_id, "look_again"), agent, worker],
        )
    assert desk.case(case_id).closed_at is None
