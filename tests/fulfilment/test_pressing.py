"""Process with a moment to undo: what waits is released once, as the press of whoever pressed, or
not at all."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from desk import Desk
from flask import Flask
from seed import WALLET_PESEWAS

from core import catalog, leases, orders, outbox, stores
from core.accounts import logins, people, staff, users
from core.audit import CUSTOMER, SYSTEM, Actor
from core.base import config, tenancy
from core.base.db import db
from core.orders import Order
from fulfilment import jobs
from tests.support.settings import Using

AMA, KOFI = Actor("agent", "Ama"), Actor("agent", "Kojo")
UNDO_S, AGENT = 5, 470


@pytest.fixture(autouse=True)
def a_moment_to_undo(app: Flask, using: Using) -> None:
    using(undo_s=UNDO_S)


def press(
    desk: Desk,
    order: Order | None = None,
    actor: Actor = AMA,
    access_no: int | None = None,
) -> Order:
    order = order or desk.place()
    with desk.inside("ama"):
        return orders.process(order.code, actor, access_no)


def undo(desk: Desk, order: Order, pressed: str | None = None) -> Order:
    with desk.inside("ama"):
        return orders.undo(order.code, AMA, pressed)


def goes_while_paused(desk: Desk) -> None:
    """The moment of a press comes while its network is paused."""
    with tenancy.across_stores():
        catalog.pause_network("mtn", "maintenance", SYSTEM)
    desk.jump(UNDO_S + 1)
    desk.work(2)


def kinds(desk: Desk, order: Order) -> list[str]:
    with tenancy.across_stores():
        return [event.kind for event in orders.timeline(desk.read(order))]


def test_it_waits_without_touching_the_books_and_then_goes_as_that_person_s_press(
    desk: Desk,
) -> None:
    order = press(desk)
    assert (order.state, desk.wallet()) == ("pending", (WALLET_PESEWAS, 0))
    assert desk.work() == 0, "nothing is due yet"
    desk.jump(UNDO_S - 1)
    assert desk.work() == 0
    desk.jump(1.1)
    desk.work(2)
    order = desk.read(order)
    assert (
        order.state == "processing"
        and order.release_at is None
        and desk.charges() == [order.order_ref]
    )
    assert any(
        text == "Ama confirmed the payment and processed it."
        for text in desk.told(order)
    )
    assert desk.wallet() == (WALLET_PESEWAS - AGENT, AGENT)


def test_zero_sends_at_once(desk: Desk, using: Using) -> None:
    using(undo_s=0)
    assert press(desk).state == "queued"


def test_undone_in_time_nothing_is_ever_sent_and_it_can_be_pressed_again(
    desk: Desk,
) -> None:
    order = press(desk)
    assert undo(desk, order).release_at is None
    undo(desk, order)  # twice is once
    desk.jump(60)
    desk.work(3)
    assert (
        desk.read(order).state == "pending"
        and desk.charges() == []
        and kinds(desk, order).count("undone") == 1
    )
    order = press(desk, order)
    desk.jump(UNDO_S + 1)
    desk.work(2)
    assert desk.read(order).state == "processing" and desk.charges() == [
        order.order_ref
    ]


def test_pressed_again_before_the_row_was_closed_it_has_its_whole_moment(
    desk: Desk,
) -> None:
    order = press(desk)
    desk.jump(UNDO_S - 1)
    undo(desk, order)
    press(desk, order)
    desk.work(2)
    assert desk.read(order).state == "pending", (
        "the earlier press must not send it early"
    )
    desk.jump(UNDO_S + 1)
    desk.work(2)
    assert desk.charges() == [order.order_ref]


def test_pressed_twice_by_two_people_it_is_the_first_one_s_press_and_goes_once(
    desk: Desk,
) -> None:
    order = press(desk)
    mark = orders.press_mark(order)
    desk.jump(1)
    again = press(desk, order, KOFI)
    assert orders.press_mark(again) == mark and again.release_by["name"] == "Ama"  # type: ignore[index]
    desk.jump(UNDO_S + 1)
    desk.work(3)
    assert kinds(desk, order).count("pressed") == 1 and desk.charges() == [
        order.order_ref
    ]


def test_an_old_page_s_undo_leaves_a_newer_press_alone(desk: Desk) -> None:
    mark = orders.press_mark(order := press(desk))
    undo(desk, order)
    desk.jump(1)
    press(desk, order, KOFI)
    with pytest.raises(orders.WrongState, match="pressed Process again"):
        undo(desk, order, mark)
    assert desk.read(order).release_at is not None


def test_what_has_gone_cannot_be_undone(desk: Desk) -> None:
    order = press(desk)
    desk.jump(UNDO_S + 1)
    desk.work(1)
    with pytest.raises(orders.WrongState, match="gone already"):
        undo(desk, order)


@pytest.mark.parametrize("who", [CUSTOMER, AMA], ids=["customer", "agent"])
def test_cancelled_while_it_waits_it_never_goes_and_its_customer_is_owed(
    desk: Desk, who: Actor
) -> None:
    order = press(desk)
    with desk.inside("ama"):
        orders.cancel(order.code, who)
    desk.jump(UNDO_S + 1)
    desk.work(3)
    order = desk.read(order)
    assert (order.state, desk.charges(), order.release_at) == ("cancelled", [], None)
    assert order.owes_back, "its payment had been confirmed"
    with tenancy.across_stores():
        assert outbox.of_order(order.id).done_at is not None  # type: ignore[union-attr]


def test_undone_and_cancelled_nobody_is_owed(desk: Desk) -> None:
    order = press(desk)
    undo(desk, order)
    with desk.inside("ama"):
        orders.cancel(order.code, AMA)
    assert not desk.read(order).owes_back


def test_a_payment_seen_by_an_earlier_press_stays_seen_when_a_later_one_is_undone(
    desk: Desk,
) -> None:
    order = press(desk)
    goes_while_paused(desk)
    assert desk.read(order).release_refused
    with tenancy.across_stores():
        catalog.resume_network("mtn", SYSTEM)
    undo(desk, press(desk, order))
    with desk.inside("ama"):
        orders.cancel(order.code, AMA)
    assert desk.read(order).owes_back


def test_a_pressed_order_does_not_expire(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits, new = press(desk), desk.place()
    desk.jump(config.current().pending_expires_s + 60)
    with tenancy.across_stores():
        assert orders.expire_pending() == 1
    assert [desk.read(order).state for order in (waits, new)] == ["pending", "expired"]


def test_refused_when_it_goes_it_is_in_new_again_with_the_sentence(desk: Desk) -> None:
    order = press(desk)
    goes_while_paused(desk)
    order = desk.read(order)
    assert (
        order.state == "pending"
        and order.release_at is None
        and "MTN is paused" in str(order.release_refused)
    )
    assert desk.wallet() == (WALLET_PESEWAS, 0) and desk.charges() == []
    with tenancy.across_stores():
        catalog.resume_network("mtn", SYSTEM)
    press(desk, order)
    desk.jump(UNDO_S + 1)
    desk.work(2)
    assert desk.charges() == [order.order_ref]


def test_the_wallet_must_reach_for_all_that_wait_and_is_asked_again_when_they_go(
    desk: Desk,
) -> None:
    from core import ledger
    from core.base.db import transaction

    first, second = desk.place(), desk.place()
    with desk.inside("ama"), transaction():
        left = WALLET_PESEWAS - 2 * AGENT + 1
        ledger.post(
            "hold", [("wallet", left), ("held", -left)], SYSTEM, store_id=first.store_id
        )
    press(desk, first)
    with pytest.raises(orders.InsufficientWallet) as short:
        press(desk, second)
    assert short.value.available_pesewas == AGENT - 1
    with desk.inside("ama"), transaction():
        ledger.post(
            "hold",
            [("wallet", AGENT), ("held", -AGENT)],
            SYSTEM,
            store_id=first.store_id,
        )
    desk.jump(UNDO_S + 1)
    desk.work(2)
    first = desk.read(first)
    assert first.state == "pending" and "in your wallet" in str(first.release_refused)


def its_owner() -> Actor:
    owner = users.by_email("ama@example.test")
    assert owner is not None
    return Actor("agent", owner.name, owner.id)


@pytest.mark.parametrize(
    "what", ["password", "role", "removed", "everywhere", "viewer here", "out of here"]
)
def test_a_press_counts_no_more_when_what_its_person_may_do_has_changed(
    desk: Desk, what: str
) -> None:
    user = users.by_email("cashier@example.test")
    assert user is not None
    actor = Actor("agent", user.name, user.id)
    order = press(desk, actor=actor, access_no=user.access_no)
    store = stores.by_slug("ama")
    assert store is not None
    if what == "password":
        people.set_password(
            user.id, "seven quiet lanterns glow", SYSTEM, action="set_password"
        )
    elif what == "role":
        people.set_membership(store, user.id, "viewer", SYSTEM)
    elif what == "removed":
        people.remove(user.id, SYSTEM)
    elif what == "viewer here":
        staff.set_role(store.id, user.id, "viewer", its_owner())
    elif what == "out of here":
        staff.remove(store.id, user.id, its_owner())
    else:
        people.log_out_everywhere(user.id, SYSTEM)
    desk.jump(UNDO_S + 1)
    desk.work(2)
    order = desk.read(order)
    assert (
        order.state == "pending"
        and "changed since" in str(order.release_refused)
        and desk.charges() == []
    )


def test_who_may_do_more_since_has_pressed_all_the_same(desk: Desk) -> None:
    user, store = users.by_email("cashier@example.test"), stores.by_slug("ama")
    assert user is not None and store is not None
    actor = Actor("agent", user.name, user.id)
    order = press(desk, actor=actor, access_no=user.access_no)
    staff.set_role(store.id, user.id, "owner", its_owner())
    desk.jump(UNDO_S + 1)
    desk.work(2)
    assert desk.charges() == [order.order_ref]


def test_logged_out_here_alone_the_press_still_goes(desk: Desk) -> None:
    user = users.by_email("cashier@example.test")
    assert user is not None
    token = logins.start_login(user, "portal", None)
    order = press(
        desk, actor=Actor("agent", user.name, user.id), access_no=user.access_no
    )
    logins.end_login(token)
    desk.jump(UNDO_S + 1)
    desk.work(2)
    assert desk.charges() == [order.order_ref]


def test_the_row_is_durable_hours_of_an_absent_relay_only_delay_it(desk: Desk) -> None:
    order = press(desk)
    desk.jump(3 * 3_600)
    desk.work(2)
    assert desk.charges() == [order.order_ref]


@pytest.mark.parametrize("back_s", [60, 3_600])
def test_a_clock_set_back_does_not_hold_it(desk: Desk, back_s: int) -> None:
    order = press(desk)
    desk.jump(-back_s)
    with tenancy.across_stores():
        row = outbox.of_order(order.id)
        lease = (row.id, row.lease_no)  # type: ignore[union-attr]
    with tenancy.across_stores():
        from core.base.db import transaction

        with transaction():
            outbox.make_due(outbox.of_order(order.id, lock=True))  # type: ignore[arg-type]  # as `clock_changes` moves it
    desk.work(2)
    assert lease and desk.charges() == [order.order_ref]


@pytest.mark.parametrize("step", ["before the release", "after the release"])
def test_a_worker_that_dies_around_the_release_leaves_one_purchase(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    order = press(desk)
    desk.jump(UNDO_S + 1)
    real = orders.let_go

    def dies(order_id: int) -> Any:
        if step == "after the release":
            real(order_id)
        raise KeyboardInterrupt  # nothing after it runs: no finish, no put-off

    monkeypatch.setattr(orders, "let_go", dies)
    with pytest.raises(KeyboardInterrupt):
        desk.work()
    monkeypatch.setattr(orders, "let_go", real)
    db.session.remove()
    tenancy.clear()
    desk.jump(60)
    desk.work(3)
    assert desk.charges() == [order.order_ref] and desk.wallet() == (
        WALLET_PESEWAS - AGENT,
        AGENT,
    )
    assert desk.books()["in_flight"] > 0


def test_a_job_delivered_five_times_releases_and_buys_once(desk: Desk) -> None:
    order = press(desk)
    desk.jump(UNDO_S + 1)
    with tenancy.across_stores():
        leased = leases.lease_due(10)
    for _ in range(5):
        jobs.run(*leased[0])
    desk.work(2)
    assert (
        desk.charges() == [order.order_ref] and kinds(desk, order).count("queued") == 1
    )


def test_a_restored_press_asks_again_instead_of_going(desk: Desk) -> None:
    order = press(desk)
    with tenancy.across_stores():
        orders.note_restore(told=True)
    desk.jump(60)
    desk.work(3)
    order = desk.read(order)
    assert (
        order.state == "pending"
        and order.release_at is None
        and "backup" in str(order.release_refused)
    )
    assert desk.charges() == []


@pytest.mark.slow(seconds=0.4)
def test_undo_and_release_at_the_same_moment_agree(app: Flask, desk: Desk) -> None:
    """Twelve times: either it was undone and nothing is sent, or it went and undo says so; the
    books know of one."""
    for _ in range(12):
        order = press(desk)
        desk.jump(UNDO_S + 0.01)
        gate, said = threading.Barrier(2), []

        def person(
            order: Order = order, gate: threading.Barrier = gate, said: list[str] = said
        ) -> None:
            with app.app_context():
                gate.wait(10)
                try:
                    undo(desk, order)
                    said.append("undone")
                except orders.WrongState:
                    said.append("gone")
                db.session.remove()

        def worker(order: Order = order, gate: threading.Barrier = gate) -> None:
            with app.app_context():
                with desk.inside("ama"):
                    gate.wait(10)
                    orders.let_go(order.id)
                db.session.remove()

        threads = [threading.Thread(target=person), threading.Thread(target=worker)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        db.session.remove()
        now = desk.read(order)
        assert (said, now.state) in ((["undone"], "pending"), (["gone"], "queued"))
        assert now.release_at is None
    desk.books()
