"""The float while orders flow: what purchases tell of it, the reserve, who waits and who goes
first, and the full stop."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable
from typing import Any

import httpx
import pytest
from desk import Desk
from flask import Flask
from seed import FLOAT_PESEWAS
from structlog.testing import capture_logs

from core import cases, leases, ledger, orders, outbox, reconcile, settling
from core.audit import SYSTEM, Actor
from core.base import clock, config, tenancy
from core.base.db import db, transaction
from core.cases import Case
from core.orders import Order
from core.supplier import balances, records, supply
from fulfilment import jobs
from fulfilment.buying import balance, steps
from fulfilment.outcome import Outcome
from integrations.datamart.client import DataMart
from integrations.ports import (
    Accepted,
    Balance,
    BulkLine,
    BulkResult,
    NoAnswer,
    PurchaseRequest,
    Rejected,
    Unknown,
)
from integrations.sandbox import faults
from integrations.sandbox.store import DEFAULT_KEY, DEFAULT_SECRET, FIRST_ID, move_money
from tests.support.claims import claim_one
from tests.support.settings import Using

pytestmark = pytest.mark.slow(seconds=0.2)

OWNER = Actor("owner", "Owner")
COST, AGENT, TWO_GB = 460, 470, 900


def move_theirs(desk: Desk, pesewas: int) -> None:
    """Money moves at the supplier without any order: the owner funds, or it takes something."""
    with desk.sandbox.sandbox.store.change() as changed:
        kind = "fund" if pesewas > 0 else "charge"
        move_money(
            changed, FIRST_ID, kind, "admin", None, pesewas, clock.now().timestamp()
        )


def set_float(pesewas: int) -> None:
    """Our books say so much."""
    with tenancy.across_stores(), transaction():
        ledger.fund_float(
            pesewas - ledger.platform_balances()["supplier_float"],
            "moved for a test",
            SYSTEM,
        )


def both_hold(make_desk: Callable[..., Desk], pesewas: int) -> Desk:
    desk = make_desk(wallet_pesewas=pesewas)
    set_float(pesewas)
    return desk


def reads() -> list[str]:
    with tenancy.across_stores():
        return [read.verdict for read in balances.newest(50)]


def asked(desk: Desk) -> int:
    with tenancy.across_stores():
        return len(records.calls(endpoint="balance"))


def ask(desk: Desk) -> str:
    """The timed read."""
    with tenancy.across_stores():
        row = outbox.request("refresh_balance", SYSTEM)
    work_row(row.id)
    with tenancy.across_stores():
        done = outbox.requested(row.id)
    assert done is not None and done.result_text is not None
    return done.result_text


def work_row(row_id: int) -> None:
    with tenancy.across_stores():
        leased = leases.lease_due(1, only=[row_id])
    for lease in leased:
        jobs.run(*lease)


def row_of(order: Order) -> outbox.OutboxRow:
    with tenancy.across_stores():
        row = outbox.of_order(order.id)
    assert row is not None
    return row


def look(desk: Desk, *made: Order) -> None:
    """Let a worker take these orders' rows if they are due, one after the other."""
    for order in made:
        work_row(row_of(order).id)


def states(desk: Desk, made: Iterable[Order]) -> list[str]:
    return [desk.read(order).state for order in made]


def bought(desk: Desk) -> list[str]:
    return [ref for ref in desk.charges() if ref is not None]


# What a purchase tells


def test_the_balance_told_with_a_purchase_is_judged_after_its_own_charge(
    desk: Desk,
) -> None:
    desk.release()
    desk.work()
    assert reads() == ["fits (told with a purchase)", "fits"]
    with tenancy.across_stores():
        newest = balances.newest(1)[0]
        assert newest.balance_pesewas == newest.float_pesewas == FLOAT_PESEWAS - COST
        assert supply.state().last_balance_pesewas == FLOAT_PESEWAS - COST


def test_a_purchase_counts_as_a_fresh_read(desk: Desk) -> None:
    for _ in range(4):
        desk.release()
        desk.work()
        desk.jump(config.current().balance_fresh_s * 0.7)
    assert asked(desk) == 1
    desk.jump(config.current().balance_fresh_s * 0.5)
    desk.release()
    desk.work()
    assert asked(desk) == 2


@pytest.mark.parametrize(
    "told", [FLOAT_PESEWAS - COST - 2, FLOAT_PESEWAS - COST + 2, 0, 10**9]
)
def test_a_balance_told_with_a_purchase_that_does_not_fit_is_a_break_like_any_other(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, told: int
) -> None:
    def answer(request: PurchaseRequest) -> Accepted:
        return Accepted(
            "pending",
            "pending",
            None,
            COST,
            told,
            request.recipient_msisdn,
            request.order_ref,
        )

    monkeypatch.setattr(desk.client, "submit", answer)
    monkeypatch.setattr(balance, "too_low_for", lambda *_: False)
    order = desk.release()
    desk.work()
    assert desk.read(order).state == "processing"
    assert "than expected" in reads()[0] and "seen once" in reads()[0]
    assert desk.books()["supplier_float"] == FLOAT_PESEWAS - COST, (
        "no money moves by itself"
    )
    assert desk.cases() == []


def test_the_lines_of_an_envelope_are_judged_once_after_the_last_of_them(
    desk: Desk, using: Using
) -> None:
    using(bulk="auto")
    made = [desk.release(("ama", "kofi")[n % 2]) for n in range(10)]
    with tenancy.across_stores(), transaction():
        supply.locked_state().purchase_calls = [clock.now()] * (
            config.current().rate_calls - 5
        )
    look(desk, made[0])
    assert states(desk, made) == ["processing"] * 10
    with tenancy.across_stores():
        told = [
            read
            for read in balances.newest(9)
            if read.verdict.endswith("(told with a purchase)")
        ]
    assert [(read.verdict, read.float_pesewas) for read in told] == [
        ("fits (told with a purchase)", FLOAT_PESEWAS - 10 * COST)
    ]


def test_a_refusal_for_lack_of_float_tells_the_balance(
    make_desk: Callable[..., Desk],
) -> None:
    """The supplier's wallet went down since the last read: its refusal says so, and nobody asks
    twice."""
    desk = make_desk(wallet_pesewas=FLOAT_PESEWAS)
    ask(desk)
    move_theirs(desk, -(FLOAT_PESEWAS - 100))
    order = desk.release()
    desk.work()
    assert (desk.read(order).state, desk.read(order).wait_reason) == ("queued", "float")
    assert "less than expected" in reads()[0]
    assert asked(desk) == 1
    with tenancy.across_stores():
        assert supply.state().last_balance_pesewas == 100


def test_after_a_refusal_for_lack_of_float_that_names_no_balance_it_is_asked_for(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else every order in line would find out by a refusal of its own."""
    ask(desk)
    tries: list[str] = []

    def refused(request: PurchaseRequest) -> Rejected:
        tries.append(request.order_ref)
        return Rejected("insufficient_balance", "INSUFFICIENT_BALANCE", "no")

    monkeypatch.setattr(desk.client, "submit", refused)
    monkeypatch.setattr(desk.client, "balance", lambda: Balance(COST - 1))
    for _ in range(3):
        desk.release()
    desk.work()
    assert len(tries) == 1


# Money that came back, end to end


def test_the_supplier_s_silent_refund_is_seen_and_booked(desk: Desk) -> None:
    order = desk.release()
    desk.work()
    desk.settle(order, "failed", refund=True)
    desk.work_until(order, "failed")
    assert ask(desk) == "Balance read: fits: money came back for 1 failed order."
    assert (desk.books()["supplier_float"], desk.books()["in_flight"]) == (
        FLOAT_PESEWAS,
        0,
    )
    desk.settle(order, "successful")  # taken up again, and charged again
    assert ask(desk) == "Balance read: fits."
    desk.work_until(order, "completed")
    assert (desk.books()["supplier_float"], desk.cases()) == (FLOAT_PESEWAS - COST, [])


def test_a_lost_refund_is_found_before_anybody_is_asked_about_funding(
    desk: Desk,
) -> None:
    """Reversed without a webhook: the next read asks the order, whose own answer books the
    money."""
    order = desk.release()
    desk.work()
    desk.settle(order, "reversed")
    assert "seen once" in ask(desk)
    desk.work()
    assert desk.read(order).state == "refunded"
    desk.jump(61)
    assert ask(desk) == "Balance read: fits."
    assert desk.cases() == []


def test_a_late_success_after_a_refund_is_found_by_the_money_it_took(
    desk: Desk,
) -> None:
    order = desk.release()
    desk.work()
    desk.settle(order, "reversed")
    desk.work_until(order, "refunded")
    desk.settle(order, "successful")
    assert "seen once" in ask(desk)
    desk.work()
    assert (desk.read(order).state, desk.cases()) == ("refunded", ["late_success"])
    desk.jump(61)
    assert ask(desk) == "Balance read: fits.", "its case explains the money"


# The full stop


def stopped(desk: Desk) -> None:
    """The supplier takes 4.60 for nothing, and two reads see it."""
    move_theirs(desk, -COST)
    assert "seen once" in ask(desk)
    desk.jump(61)
    assert "a break" in ask(desk)
    assert desk.cases() == ["unexpected_charge"]


@pytest.mark.slow(seconds=0.4)
def test_an_unexpected_charge_stops_buying_until_the_balance_fits_again(
    desk: Desk,
) -> None:
    sent = desk.release()
    desk.work()
    with capture_logs() as logs:
        stopped(desk)
    assert [
        line["log_level"] for line in logs if "buying is stopped" in line["event"]
    ] == ["error"]
    waiting = [desk.release() for _ in range(2)]
    look(desk, *waiting)
    for order in map(desk.read, waiting):
        assert (order.state, order.wait_reason) == ("queued", "balance_break")
        with desk.inside("ama"):
            said = orders.agent_words(order).sentence
        assert said.startswith(
            "Waiting: buying is stopped until a charge of the supplier is explained."
        )
    assert bought(desk) == [sent.order_ref]
    desk.settle(sent, "successful")  # look-ups go on
    desk.jump(61)
    look(desk, sent, *waiting)
    assert desk.read(sent).state == "completed"
    assert states(desk, waiting) == ["queued"] * 2
    assert not any(row_of(order).due_at <= clock.now() for order in waiting)
    move_theirs(desk, COST)
    with capture_logs() as logs:
        assert ask(desk) == "Balance read: fits."
    assert [
        line["log_level"] for line in logs if "buying goes on" in line["event"]
    ] == ["warning"]
    assert desk.cases() == []
    assert all(row_of(order).due_at <= clock.now() for order in waiting), (
        "nobody waits for the next minute"
    )
    look(desk, *waiting)
    assert states(desk, waiting) == ["processing"] * 2


def test_a_charge_found_while_an_order_waits_for_the_wallet_stops_that_order_too(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order's own read before buying is the second one that sees the difference."""
    move_theirs(desk, -COST)
    assert "seen once" in ask(desk)
    desk.jump(61)
    order = desk.release()
    desk.work()
    assert (desk.read(order).wait_reason, bought(desk)) == ("balance_break", [])


# The reserve


@pytest.fixture
def reserve(app: Flask, using: Using) -> Callable[[int], None]:
    return lambda pesewas: using(float_reserve_pesewas=pesewas)


@pytest.mark.slow(seconds=0.4)
def test_no_purchase_touches_the_reserve_and_the_first_to_wait_is_logged(
    make_desk: Callable[..., Desk], reserve: Callable[[int], None]
) -> None:
    desk = both_hold(make_desk, 2_000)
    reserve(2_000 - 2 * COST)
    made = [desk.release() for _ in range(5)]
    with capture_logs() as logs:
        desk.work()
        desk.jump(61)
        desk.work()
    assert states(desk, made) == ["processing"] * 2 + ["queued"] * 3
    assert {desk.read(order).wait_reason for order in made[2:]} == {"float"}
    assert [line["log_level"] for line in logs if "float too low" in line["event"]] == [
        "warning"
    ]
    reserve(2_000 - 3 * COST)
    desk.jump(61)
    desk.work()
    assert states(desk, made) == ["processing"] * 3 + ["queued"] * 2


@pytest.mark.parametrize("short", ["books", "supplier"])
def test_the_reserve_is_kept_by_our_books_and_by_the_supplier_s_word(
    make_desk: Callable[..., Desk], reserve: Callable[[int], None], short: str
) -> None:
    desk = make_desk(wallet_pesewas=5_000 if short == "books" else 2_000)
    set_float(2_000 if short == "books" else 5_000)
    reserve(2_000 - COST + 1)
    assert balance.too_low_for(COST, desk.client)
    reserve(2_000 - COST)
    assert not balance.too_low_for(COST, desk.client)


def test_orders_that_wait_for_float_do_not_use_up_the_calls_of_the_look_ups(
    make_desk: Callable[..., Desk],
) -> None:
    """Each costs over a tenth of such a float, but what is not bought needs no read of its own."""
    desk = both_hold(make_desk, 100)
    for _ in range(8):
        desk.release()
    desk.work()
    assert asked(desk) == 1


# The oldest first


def short_of_float(
    make_desk: Callable[..., Desk], sizes: Iterable[int], float_pesewas: int = 100
) -> tuple[Desk, list[Order]]:
    """Orders of both stores, oldest first, that have been looked at and wait for float."""
    desk = both_hold(make_desk, float_pesewas)
    made = []
    for number, gb in enumerate(sizes):
        made.append(desk.release(("ama", "kofi")[number % 2], gb=gb))
        desk.jump(0.1)
    desk.work()
    assert {desk.read(order).wait_reason for order in made} == {"float"}
    return desk, made


def due(made: Iterable[Order]) -> list[bool]:
    return [row_of(order).due_at <= clock.now() for order in made]


def in_line(desk: Desk) -> list[int]:
    """The orders in the sequence in which the relay would ring them now."""
    with tenancy.across_stores():
        leased = leases.lease_due(100)
        rows = [db.session.get_one(outbox.OutboxRow, row_id) for row_id, _ in leased]
        found = [row.order_id for row in rows if row.order_id is not None]
        leases.give_back(leased)
    return found


@pytest.mark.slow(seconds=0.4)
def test_money_that_returns_wakes_as_many_as_it_pays_for_oldest_first(
    make_desk: Callable[..., Desk],
) -> None:
    """900 does not fit any more after two of 460, and holds up no smaller one behind it."""
    desk, made = short_of_float(make_desk, [1, 1, 2, 1, 1])
    set_float(3 * COST + 100)
    move_theirs(desk, 3 * COST)
    assert due(made) == [False] * 5
    assert ask(desk) == "Balance read: fits."
    assert due(made) == [True, True, False, True, False]
    assert in_line(desk) == [made[0].id, made[1].id, made[3].id]
    desk.work()
    assert states(desk, made) == [
        "processing",
        "processing",
        "queued",
        "processing",
        "queued",
    ]


def test_a_confirmed_funding_wakes_those_who_waited_for_it(
    make_desk: Callable[..., Desk],
) -> None:
    desk, made = short_of_float(make_desk, [1, 1, 1])
    move_theirs(desk, 2 * COST)
    ask(desk)
    desk.jump(61)
    assert "a break" in ask(desk)
    desk.work()  # their own minute is over; the books do not have the money yet
    assert due(made) == [False] * 3
    with tenancy.across_stores():
        case = db.session.query(Case).filter_by(kind="float_funded").one()
        assert reconcile.confirm_funding(case.id, OWNER) == 2 * COST
    assert due(made) == [True, True, False]
    assert in_line(desk) == [made[0].id, made[1].id]


def funded_while_an_order_may_be_given_back(desk: Desk) -> Case:
    """700.00 paid in at the supplier while a failed order is watched whose money has not come back."""
    order = desk.release()
    desk.work()
    desk.settle(order, "failed")
    desk.work_until(order, "failed")
    move_theirs(desk, 70_000)
    ask(desk)
    desk.jump(61)
    assert "a break" in ask(desk)
    with tenancy.across_stores():
        case = db.session.query(Case).filter_by(kind="float_funded").one()
        assert reconcile.funding_amounts() == [70_000 - COST, 70_000]
        return case


def test_a_funding_is_booked_whole_when_its_owner_says_so_and_no_order_is_taken_for_given_back(
    desk: Desk,
) -> None:
    case = funded_while_an_order_may_be_given_back(desk)
    with tenancy.across_stores():
        assert reconcile.confirm_funding(case.id, OWNER, 70_000) == 70_000
    desk.jump(61)
    assert ask(desk) == "Balance read: fits."
    assert desk.books()["supplier_float"] == FLOAT_PESEWAS - COST + 70_000


def test_a_funding_without_what_may_have_come_back_leaves_that_to_the_orders(
    desk: Desk,
) -> None:
    case = funded_while_an_order_may_be_given_back(desk)
    with tenancy.across_stores():
        for other in (70_000 - 1, 70_001, COST):
            with pytest.raises(reconcile.NotConfirmable):
                reconcile.confirm_funding(case.id, OWNER, other)
        assert reconcile.confirm_funding(case.id, OWNER) == 70_000 - COST
    desk.jump(61)
    assert ask(desk) == "Balance read: fits: money came back for 1 failed order."


def test_a_booked_refund_wakes_those_who_waited_for_it(
    make_desk: Callable[..., Desk],
) -> None:
    desk = both_hold(make_desk, COST + 10)
    bought = desk.release()
    desk.work()
    made = [desk.release() for _ in range(2)]
    desk.work()
    assert {desk.read(order).wait_reason for order in made} == {"float"}
    desk.settle(bought, "reversed")
    with tenancy.across_stores(), transaction():
        row = outbox.of_order(bought.id, lock=True)
        assert row is not None
        outbox.make_due(row)
    look(desk, bought)
    assert desk.read(bought).state == "refunded"
    assert due(made) == [True, False]
    desk.work()
    assert states(desk, made) == ["processing", "queued"]


def test_a_younger_order_yields_to_an_older_one_the_float_can_pay_now(
    make_desk: Callable[..., Desk],
) -> None:
    desk, (old,) = short_of_float(make_desk, [1])
    young = desk.release("kofi")
    set_float(COST + 100)
    with tenancy.across_stores(), transaction():
        supply.locked_state().last_balance_pesewas = COST + 100
    move_theirs(desk, COST)
    look(desk, young)  # nobody told the older one yet
    assert states(desk, [old, young]) == ["queued", "queued"]
    assert desk.read(young).wait_reason is None
    again = (row_of(young).due_at - clock.now()).total_seconds()
    assert 0 < again < 1.5
    assert due([old]) == [True]
    desk.work()
    desk.jump(2)
    desk.work()
    assert states(desk, [old, young]) == ["processing", "queued"]
    assert desk.read(young).wait_reason == "float"


def test_an_older_order_too_large_for_the_float_holds_up_no_smaller_one(
    make_desk: Callable[..., Desk],
) -> None:
    desk, (large,) = short_of_float(make_desk, [2], float_pesewas=COST + 100)
    small = desk.release()
    look(desk, small)
    assert states(desk, [large, small]) == ["queued", "processing"]


@pytest.mark.parametrize("why", ["broken", "stuck", "refused", "no call left"])
def test_an_older_order_that_cannot_go_now_holds_up_nobody(
    make_desk: Callable[..., Desk], why: str
) -> None:
    desk, (old,) = short_of_float(make_desk, [1])
    young = desk.release()
    move_theirs(desk, 5_000)
    set_float(5_100)
    with tenancy.across_stores(), transaction():
        supply.locked_state().last_balance_pesewas = 5_100
    with tenancy.across_stores():
        if why == "broken":
            orders.raise_case(old.id, "broken", {"error": "ValueError"})
        with tenancy.across_stores(), transaction() as session:
            row = outbox.of_order(old.id, lock=True)
            assert row is not None
            if why == "stuck":
                row.due_at = clock.after(-config.current().job_timeout_s - 1)
            elif why == "refused":
                session.get_one(Order, old.id).submitted_at = clock.now()
        waits = orders.let_older_go_first(young, 5_100)
    if why == "no call left":
        assert waits
        with tenancy.across_stores(), transaction():
            supply.locked_state().purchase_calls = [
                clock.now()
            ] * config.current().rate_calls
        assert not balance.older_goes_first(young)
    else:
        assert not waits


def test_a_row_some_job_is_at_is_not_woken_beside_it(
    make_desk: Callable[..., Desk],
) -> None:
    """Its own read found the money: woken as well, it would be looked at again and again."""
    _, (order,) = short_of_float(make_desk, [1])
    with tenancy.across_stores():
        with tenancy.across_stores(), transaction():
            row = outbox.of_order(order.id, lock=True)
            assert row is not None
            row.lease_until = clock.after(10)
        rung_at = row_of(order).rung_at
        assert orders.wake("float", 10_000) == 0
    assert row_of(order).rung_at == rung_at


def test_of_two_workers_at_once_the_older_order_gets_the_float(
    make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both rows are taken at the same moment, the younger worker is first at the wallet, and the
    float pays for one."""
    desk, (old,) = short_of_float(make_desk, [1])
    young = desk.release("kofi")
    set_float(COST + 100)
    move_theirs(desk, COST)
    desk.jump(61)
    at_wallet = threading.Event()
    buy = steps._buy

    def the_older_dawdles(*words: Any) -> Outcome:
        """Before the wallet's turn, so that the younger has it first."""
        if threading.current_thread().name == "old":
            assert at_wallet.wait(10)
        return buy(*words)

    yields = balance.older_goes_first

    def yielded(*words: Any) -> bool:
        found = yields(*words)
        at_wallet.set()
        return found

    monkeypatch.setattr(steps, "_buy", the_older_dawdles)
    monkeypatch.setattr(balance, "older_goes_first", yielded)
    with tenancy.across_stores():
        leased = {
            row_id: (row_id, lease_no) for row_id, lease_no in leases.lease_due(10)
        }

    def work(order: Order) -> None:
        with desk.app.app_context():
            jobs.run(*leased[row_of(order).id])

    threads = [
        threading.Thread(target=work, args=(order,), name=name)
        for name, order in (("old", old), ("young", young))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert states(desk, [old, young]) == ["processing", "queued"]
    desk.jump(2)
    desk.work()
    assert (desk.read(young).state, desk.read(young).wait_reason) == ("queued", "float")


# Answers that cannot be


@pytest.mark.parametrize("amount", [0, 1, COST * 1_000])
def test_a_charge_off_the_quote_is_booked_as_said_and_a_person_is_asked(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, amount: int
) -> None:
    def answer(request: PurchaseRequest) -> Accepted:
        return Accepted(
            "pending",
            "pending",
            None,
            amount,
            None,
            request.recipient_msisdn,
            request.order_ref,
        )

    with monkeypatch.context() as lying:
        lying.setattr(desk.client, "submit", answer)
        order = desk.release()
        desk.work()
    assert (desk.read(order).state, desk.read(order).charged_pesewas) == (
        "processing",
        amount,
    )
    assert desk.cases() == ["amount_differs"]
    assert desk.books()["supplier_float"] == FLOAT_PESEWAS - amount
    assert desk.books()["in_flight"] == amount
    with desk.inside("ama"):
        assert orders.advance(order.id, "completed", text="Delivered.")
    books = desk.books()
    assert (books["in_flight"], books["margin"], books["price_variance"]) == (
        0,
        AGENT - COST,
        amount - COST,
    )
    assert desk.wallet()[1] == 0
    with tenancy.across_stores():
        assert reconcile.note_balance(FLOAT_PESEWAS - COST) == "fits", (
            "the supplier may have taken its own price"
        )


def spendable() -> int:
    with tenancy.across_stores():
        return reconcile.spendable_pesewas()


def free() -> int:
    with tenancy.across_stores():
        return reconcile.free_pesewas(supply.state())


PESEWAS_FOR_CEDIS = {"amount": 460}


@pytest.mark.slow(seconds=0.2)
@pytest.mark.parametrize(
    "more", [{}, {"balance_after": None}, {"balance_after": 29_540}]
)
def test_a_charge_in_pesewas_keeps_no_other_order_from_being_bought(
    make_desk: Callable[..., Desk], more: dict[str, Any]
) -> None:
    desk = both_hold(make_desk, 30_000)
    first = desk.release()
    desk.plan("edited_answer", "purchase", members=PESEWAS_FOR_CEDIS | more)
    desk.work(3)
    assert (desk.read(first).state, desk.read(first).charged_pesewas) == (
        "processing",
        46_000,
    )
    assert desk.books()["supplier_float"] == 30_000 - 46_000, "booked as said"
    assert (spendable(), free()) == (30_000 - COST, 30_000 - COST)
    second = desk.release()
    desk.work_until(second, "processing")
    assert (spendable(), free()) == (30_000 - 2 * COST, 30_000 - 2 * COST)
    assert "amount_differs" in desk.cases() and len(desk.charges()) == 2
    desk.settle(first, "successful")
    desk.work_until(first, "completed")
    assert spendable() == 30_000 - 2 * COST


def test_a_charge_as_large_that_was_taken_counts(
    make_desk: Callable[..., Desk],
) -> None:
    desk = both_hold(make_desk, 100_000)
    desk.plan("other_amount", "purchase", cedis=460)
    desk.release()
    desk.work(3)
    assert (spendable(), free()) == (54_000, 54_000)


def test_a_charge_of_no_price_counts_until_a_balance_is_told(
    make_desk: Callable[..., Desk],
) -> None:
    desk = both_hold(make_desk, 30_000)
    desk.release()
    desk.sandbox.sandbox.faults.install(
        faults.read_plan(
            [
                {
                    "fault": "edited_answer",
                    "endpoint": "purchase",
                    "members": {"amount": 460, "balance_after": None},
                },
                {"fault": "http_500_before", "endpoint": "balance", "times": None},
            ]
        )
    )
    desk.work(3)
    assert (spendable(), free()) == (30_000 - 46_000, 30_000 - 46_000)
    desk.sandbox.sandbox.faults.install([])
    ask(desk)
    assert spendable() == 30_000 - COST


def test_a_dear_charge_that_may_be_a_price_counts_as_booked(
    make_desk: Callable[..., Desk],
) -> None:
    desk = both_hold(make_desk, 100_000)
    desk.release()
    desk.plan("edited_answer", "purchase", members={"amount": 4.6 * 49})
    desk.work(3)
    assert spendable() == 100_000 - COST * 49


def test_a_charge_of_no_price_starves_nobody_after_its_case_is_closed_until_the_gain_is_booked(
    make_desk: Callable[..., Desk],
) -> None:
    desk = both_hold(make_desk, 30_000)
    desk.release()
    desk.plan("edited_answer", "purchase", members=PESEWAS_FOR_CEDIS)
    desk.work(3)
    with tenancy.across_stores():
        [case] = cases.open_of_kind("amount_differs")
        assert "stays booked" in settling.still_stands(settling.facts_of(case))
        settling.settle(case.id, "close", OWNER, words="it meant pesewas")
    assert spendable() == 30_000 - COST
    for _ in range(2):
        ask(desk)
        desk.jump(61)
    assert spendable() == 30_000 - COST
    with tenancy.across_stores():
        [case] = cases.open_of_kind("float_funded")
        settling.settle(
            case.id,
            "accept_gain",
            OWNER,
            words="never taken",
            seen_pesewas=46_000 - COST,
        )
        assert reconcile.countable_pesewas(supply.state()) == 30_000 - COST
    assert desk.books()["supplier_float"] == 30_000 - COST


class Liar:
    """Our supplier, but whatever it answers names somebody else's order."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def __call__(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        status: list[Any] = []
        body = b"".join(self.desk.sandbox(environ, lambda *about: status.extend(about)))
        said = json.loads(body)
        for part in (said.get("data"), said.get("error")):
            if isinstance(part, dict) and "reference" in part:
                part["reference"] = "MK-SOMEBODYELSES0000"
        body = json.dumps(said).encode()
        start(
            status[0], [(n, v) for n, v in status[1] if n.lower() != "content-length"]
        )
        return [body]


def lie(desk: Desk) -> None:
    desk.app.extensions["supplier"] = DataMart(
        "http://127.0.0.1/api", DEFAULT_KEY, DEFAULT_SECRET, on_call=None, clock=clock.now,
        transport=httpx.WSGITransport(app=Liar(desk)),
    )  # fmt: skip


def test_a_purchase_answered_about_another_reference_is_unclear_and_a_case(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(dedupe=False)
    ask(desk)
    lie(desk)
    order = desk.release()
    desk.work()
    found = desk.read(order)
    assert (found.state, found.unknown_since is not None, desk.cases()) == (
        "submitting",
        True,
        ["wrong_answer"],
    )
    assert desk.books()["in_flight"] == 0
    with desk.inside("ama"):
        assert "It will not be bought twice" in orders.agent_words(found).sentence
    desk.app.extensions["supplier"] = desk.client
    assert desk.work_until(order, "processing").attempt == 1
    assert len(desk.charges(order)) == 1


def test_a_look_up_answered_about_another_reference_is_no_information_and_a_case(
    desk: Desk,
) -> None:
    order = desk.release()
    desk.work()
    desk.settle(order, "successful")
    lie(desk)
    desk.jump_to_next()
    desk.work()
    assert (desk.read(order).state, desk.cases()) == ("processing", ["wrong_answer"])
    desk.jump_to_next()
    desk.work()
    assert desk.cases() == ["wrong_answer"], "once, however often it is said"


def test_not_found_of_another_reference_proves_no_absence_and_is_a_case(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(dedupe=False)
    desk.plan("drop_before", times=1)
    order = desk.release()
    desk.work()
    lie(desk)
    desk.jump(config.current().grace_s + 10)
    desk.work()
    assert desk.read(order).absent_since is None
    assert desk.cases() == ["wrong_answer"]


@pytest.mark.parametrize("reason", ["other_reference", "not_found_of_other_reference"])
def test_the_look_before_a_resend_asks_a_person_about_a_stranger_s_answer(
    make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    desk = make_desk(dedupe=False)
    order = desk.release()
    with tenancy.across_stores():
        lease = leases.take(*leases.lease_due(1)[0])
        assert lease is not None
    with desk.inside("ama"):
        claim = claim_one(order.id)
        assert claim is not None
        orders.mark_unknown(order.id, claim.attempt, "lost")
        monkeypatch.setattr(
            desk.client, "status", lambda _ref: NoAnswer("unclear", reason)
        )
        from fulfilment.buying import look_ups

        assert look_ups.look_before_resend(lease, claim, desk.client) is not None
    assert desk.cases() == ["wrong_answer"]
    assert desk.charges() == []


def test_an_envelope_under_another_reference_is_a_case_of_each_line(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, using: Using
) -> None:
    using(bulk="auto")
    made = [desk.release() for _ in range(10)]
    with tenancy.across_stores(), transaction():
        supply.locked_state().purchase_calls = [clock.now()] * (
            config.current().rate_calls - 5
        )
    strange = Unknown("other_reference")
    monkeypatch.setattr(
        desk.client, "submit_bulk",
        lambda requests, _ref: BulkResult(tuple(BulkLine(one.order_ref,
        strange) for one in requests)),
    )  # fmt: skip
    look(desk, made[0])
    assert states(desk, made) == ["submitting"] * 10
    assert desk.cases() == ["wrong_answer"] * 10
