"""Payouts from the press to the wallet: what each answer of the gateway moves, and that a worker
killed anywhere pays once. Stories 17 to 19 of the gateway's contract."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
import tables_owner
from flask import Flask
from visitors import Visitor

from core import online, orders, outbox, payouts
from core.audit import SYSTEM, Actor
from core.base import config, tenancy
from core.online import Payout
from core.payouts import BadPayout
from integrations.ports import NoAnswer
from tests.support.kept import Keep
from tests.support.payouts_desk import (
    BARRED,
    CLOSED,
    NUMBER,
    OTHER,
    UNNAMED,
    Payday,
    paydays,
)
from tests.support.settings import Using
from tests.support.till import webhook

pytestmark = pytest.mark.slow(seconds=0.2)

DAY = 86_400
OWNER = Actor("owner", "Owner", 901)
FINANCE = Actor("owner", "Finance", 902)


@pytest.fixture
def make_payday(
    context: Flask,
    tmp_path: Path,
    superuser: psycopg.Connection[Any],
    jump: Callable[[float], None],
) -> Iterator[Callable[..., Payday]]:
    with paydays(context, tmp_path, superuser, jump) as build:
        yield build


@pytest.fixture
def payday(make_payday: Callable[..., Payday], kept: Keep[None]) -> Payday:
    """A store that has earned GH₵ 60, less nothing, and a number that is good."""
    made = make_payday()
    kept("earned", made.earned)
    made.with_number()
    return made


# the number


def test_a_number_is_good_when_its_name_is_plainly_the_persons(payday: Payday) -> None:
    account = payday.account()
    assert (account.state, account.account_name) == ("usable", "AMA OWUSU")
    assert account.recipient_code and not account.waits


def test_another_name_or_none_is_for_a_person(payday: Payday) -> None:
    for number, named in ((OTHER, "KOFI MENSAH"), (UNNAMED, "")):
        account = payday.with_number(number)
        assert (account.state, account.account_name) == ("asked", named)
        assert payday.offer().problem.startswith("The owner of Makola looks")
    with tenancy.across_stores():
        assert [one.number for one, _ in payouts.accounts.asked(9)] == ["+233241234199"]
        assert payouts.accounts.accept(account.id, OWNER)
        assert not payouts.accounts.accept(account.id, OWNER)
    assert payday.account().state == "usable"


def test_a_number_that_the_gateway_does_not_pay_to_is_refused(payday: Payday) -> None:
    account = payday.with_number(CLOSED)
    assert account.state == "refused" and "Account closed" in account.words
    assert payday.offer().problem == "Say first to which number your earnings go."


def test_a_silent_network_is_no_dead_end(
    payday: Payday, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payday.wire, "holder", lambda *_: NoAnswer("timeout", "lost"))
    account = payday.with_number(OTHER)
    for wait_s in config.current().name_check_ladder_s:
        assert account.state == "checking"
        payday.pass_(wait_s + 1)
        payday.work()
        account = payday.account()
    assert (account.state, account.account_name) == ("asked", "")


def test_a_changed_number_waits_three_days(payday: Payday) -> None:
    """Story of a stolen log-in: its owner reads of the change before any money goes."""
    payday.with_number(OTHER)
    with tenancy.across_stores():
        payouts.accounts.accept(payday.account().id, OWNER)
    assert "nothing is paid to" in payday.offer().problem
    with pytest.raises(BadPayout):
        payday.ask(3_000)
    payday.pass_(72 * 3_600 - 60)
    assert payday.offer().problem
    payday.pass_(61)
    assert payday.offer().problem == ""


def test_the_same_number_again_changes_nothing(payday: Payday) -> None:
    named = payouts.accounts.name_number(payday.store_id, NUMBER, "", payday.ama)
    assert named is False and payday.account().state == "usable"


def test_without_a_second_step_nobody_moves_where_money_goes(payday: Payday) -> None:
    stranger = Actor("agent", "Ama Owusu", 999_999)
    for act in (
        lambda: payouts.accounts.name_number(payday.store_id, OTHER, "mtn", stranger),
        lambda: payouts.asking.ask(payday.store_id, 5_000, stranger),
        lambda: payouts.mondays.schedule(payday.store_id, True, stranger),
    ):
        with pytest.raises(BadPayout, match="second step"):
            act()


# asking


def test_what_is_offered_is_all_less_the_fee(payday: Payday) -> None:
    offer = payday.offer()
    assert offer.payable_pesewas == 6_000
    assert (offer.amount_pesewas, offer.fee_pesewas) == (5_900, 100)
    payout = payday.ask()
    assert (payout.state, payout.approved_by) == ("approved", "Makola")
    assert payday.payable() == 0
    payday.proven()


def test_below_the_least_nothing_is_asked_for(
    make_payday: Callable[..., Payday],
) -> None:
    payday = make_payday()
    payday.earned(2_099)
    payday.with_number()
    assert payday.offer().problem.startswith(
        "GH₵\u00a020.99 can be paid out. The least is"
    )
    payday.earned(1)
    assert payday.offer().problem == "" and payday.ask().amount_pesewas == 2_000


def test_more_than_was_offered_is_never_asked_for(payday: Payday) -> None:
    for pesewas in (5_901, 1_999, -1):
        with pytest.raises(BadPayout, match="can be paid out now"):
            payday.ask(pesewas)
    assert payday.payable() == 6_000


def test_once_a_day_by_hand_and_one_at_a_time(payday: Payday) -> None:
    payout = payday.ask(3_000)
    with pytest.raises(BadPayout, match="under way"):
        payday.ask(2_500)
    payday.settle(payout)
    payday.earned()
    with pytest.raises(BadPayout, match="Once a day"):
        payday.ask(2_500)
    payday.pass_(DAY)
    assert payday.ask(2_500).state == "approved"


def test_a_cancelled_one_does_not_count_for_the_day(payday: Payday) -> None:
    payout = payday.ask()
    assert payouts.asking.cancel(payday.store_id, payout.id, payday.ama)
    assert not payouts.asking.cancel(payday.store_id, payout.id, payday.ama)
    assert payday.payable() == 6_000
    payday.work()
    assert payday.wire.sent == [] and payday.ask().state == "approved"
    payday.proven()


def test_no_more_a_day_than_the_limit(payday: Payday, using: Using) -> None:
    using(payout_day_pesewas=4_000)
    assert payday.offer().amount_pesewas == 3_900
    payday.settle(payday.ask())
    assert "on one day" in _weekly_problem(payday)
    payday.pass_(DAY)
    assert payday.offer().payable_pesewas == 8_000 and payday.offer().problem == ""


def _weekly_problem(payday: Payday) -> str:
    payday.earned()
    with tenancy.inside(payday.store_id):
        return payouts.offering.offer(payday.store_id, "weekly").problem


def test_above_the_limit_two_different_people_say_yes(
    payday: Payday, using: Using
) -> None:
    using(payout_by_itself_pesewas=5_999)
    payout = payday.ask()
    payday.work()
    assert payout.state == "requested" and payday.wire.sent == []
    with tenancy.across_stores():
        assert payouts.deciding.approve(payout.id, OWNER) == "first"
        with pytest.raises(BadPayout, match="two people"):
            payouts.deciding.approve(payout.id, OWNER)
        assert payday.read(payout).state == "requested"
        assert payouts.deciding.approve(payout.id, FINANCE) == "approved"
        assert payouts.deciding.approve(payout.id, FINANCE) == "already"
    assert payday.settle(payout).state == "paid"
    assert payday.paid_out() == 5_900


def test_the_database_too_wants_two_people(
    payday: Payday, using: Using, superuser: psycopg.Connection[Any]
) -> None:
    using(payout_by_itself_pesewas=0)
    payday.ask()
    for said in ("first_id = NULL", "first_by = 'a', first_at = now(), first_id = 7"):
        with pytest.raises(psycopg.errors.CheckViolation):
            superuser.execute(
                f"UPDATE payouts SET {said}, approved_id = 7, approved_by = 'a',"
                " approved_at = now(), state = 'approved'"
            )


def test_refused_by_a_person_the_earnings_are_free_again(
    payday: Payday, using: Using
) -> None:
    using(payout_by_itself_pesewas=0)
    payout = payday.ask()
    with tenancy.across_stores():
        with pytest.raises(BadPayout, match="Say why"):
            payouts.deciding.refuse(payout.id, " ", OWNER)
        assert payouts.deciding.refuse(payout.id, "Call me first.", OWNER)
    payout = payday.read(payout)
    assert (payout.state, payout.words) == ("cancelled", "Call me first.")
    assert payday.payable() == 6_000
    payday.proven()


def test_stopped_nothing_is_asked_and_nothing_goes_until_it_goes_on(
    payday: Payday,
) -> None:
    payout = payday.ask()
    with tenancy.across_stores():
        assert payouts.stopping.stop("Looking into it", OWNER)
        assert not payouts.stopping.stop("Looking into it", OWNER)
    payday.work()
    payday.pass_(DAY)
    payday.work(2)
    assert payday.read(payout).state == "approved" and payday.wire.sent == []
    with pytest.raises(BadPayout, match="Nothing is paid out at the moment"):
        payday.ask(2_500)
    with tenancy.across_stores():
        assert payouts.stopping.go_on(OWNER) and not payouts.stopping.go_on(OWNER)
    assert payday.settle(payout).state == "paid"


def test_a_suspended_store_is_not_paid_and_keeps_its_earnings(
    payday: Payday, superuser: psycopg.Connection[Any]
) -> None:
    payout = payday.ask(3_000)
    superuser.execute("UPDATE stores SET status = 'suspended' WHERE slug = 'ama'")
    payday.work()
    assert payday.read(payout).state == "approved" and payday.wire.sent == []
    assert "suspended" in payday.offer().problem
    superuser.execute("UPDATE stores SET status = 'open' WHERE slug = 'ama'")
    payday.pass_(301)
    assert payday.settle(payout).state == "paid"


def test_each_monday_at_nine_by_itself(payday: Payday) -> None:
    assert payouts.mondays.schedule(payday.store_id, True, payday.ama)
    assert not payouts.mondays.schedule(payday.store_id, True, payday.ama)
    assert _asked_weekly() == 0
    payday.pass_(7 * DAY)
    assert _asked_weekly() == 1 and _asked_weekly() == 0
    with tenancy.inside(payday.store_id):
        (payout,) = payouts.listing.newest(payday.store_id)
    assert (payout.asked_as, payout.amount_pesewas) == ("weekly", 5_900)
    payday.settle(payout)
    # the next Monday there is nothing to pay, and the agent reads so
    payday.pass_(7 * DAY)
    assert _asked_weekly() == 0
    with tenancy.inside(payday.store_id):
        found = payouts.mondays.schedule_of(payday.store_id)
        assert found is not None and found.words.startswith(
            "GH₵\u00a00.00 can be paid out"
        )


def test_mondays_are_those_of_accra() -> None:
    from datetime import UTC, datetime

    def after(*when: int) -> str:
        found = payouts.mondays.next_monday(datetime(*when, tzinfo=UTC))  # type: ignore[arg-type, misc]
        return f"{found:%a %d %H:%M}"

    assert after(2026, 2, 4, 9) == "Mon 09 09:00"
    assert after(2026, 2, 9, 8, 59) == "Mon 09 09:00"
    assert after(2026, 2, 9, 9) == "Mon 16 09:00"
    assert after(2026, 2, 8, 23, 59) == "Mon 09 09:00"


def _asked_weekly() -> int:
    tenancy.clear()
    with tenancy.across_stores():
        return payouts.mondays.ask_weekly()


# at the gateway


def test_paid_once_and_booked_as_the_gateway_books(payday: Payday) -> None:
    payout = payday.settle(payday.ask())
    assert payout.state == "paid" and payout.transfer_code
    assert payday.wire.sent == [payout.reference]
    assert payday.paid_out() == 5_900 and payday.payable() == 0
    payday.proven()


def test_story_17_a_lost_answer_is_looked_up_and_paid_once(payday: Payday) -> None:
    payday.wire.plan = ["lost", "lost"]  # the answer, and that of the first look
    payout = payday.settle(payday.ask())
    assert payout.state == "paid" and payday.paid_out() == 5_900
    assert payday.wire.sent == [payout.reference]


def test_story_17_sent_again_under_the_same_reference(payday: Payday) -> None:
    """Proven absent, so it is sent again; nothing is ever asked for under another."""
    payday.wire.plan = ["lost_before"]
    payout = payday.ask()
    began = payday.row(payout).created_at
    payout = payday.settle(payout)
    assert payout.state == "paid" and payday.paid_out() == 5_900
    assert payday.wire.sent == [payout.reference] * 2
    settings = config.current()
    least = settings.grace_s + settings.payout_absence_gap_s
    assert payout.sent_at is not None
    assert (payout.sent_at - began).total_seconds() >= least


def test_one_not_found_proves_nothing(payday: Payday) -> None:
    """It may still be validated there: a 404 window, then it is there."""
    payday.knobs(transfer_404_s=350)
    payday.wire.plan = ["lost"]
    payout = payday.settle(payday.ask())
    assert payout.state == "paid" and payday.wire.sent == [payout.reference]


def test_an_unanswered_look_between_two_not_found_starts_over(payday: Payday) -> None:
    payout = payday.ask()
    payday.wire.plan = ["lost_before"]
    payday.work()
    settings = config.current()
    payday.pass_(settings.grace_s + 1)
    payday.work()
    assert payday.read(payout).missing_since is not None
    payday.wire.plan = ["lost"]
    payday.pass_(settings.payout_absence_gap_s + 1)
    payday.work()
    assert payday.read(payout).missing_since is None
    assert payday.wire.sent == [payout.reference]


def test_a_ring_between_two_not_found_proves_nothing_sooner(payday: Payday) -> None:
    payout = payday.ask()
    payday.wire.plan = ["lost_before"]
    payday.work()
    settings = config.current()
    payday.pass_(settings.grace_s + 1)
    payday.work()
    for _ in range(2):
        payday.pass_(60)
        payday.ring(payout.reference)
        payday.work()
    assert payday.read(payout).state == "submitting"
    assert payday.wire.sent == [payout.reference]


def test_one_that_may_have_gone_is_not_cancelled(payday: Payday) -> None:
    """Proven absent after a call without an answer, and about to be sent again: a gateway that is
    slower than the proof would pay it beside the earnings that are free again."""
    payout = payday.ask()
    payday.wire.plan = ["lost_before"]
    payday.work()
    settings = config.current()
    with tenancy.across_stores():
        payouts.stopping.stop("Looking into it", OWNER)
    payday.pass_(settings.grace_s + 1)
    payday.work()
    payday.pass_(settings.payout_absence_gap_s + 1)
    payday.work()
    assert payday.read(payout).state == "approved"
    with pytest.raises(BadPayout, match="at the gateway already"):
        payouts.asking.cancel(payday.store_id, payout.id, payday.ama)
    with tenancy.across_stores():
        with pytest.raises(BadPayout, match="at the gateway already"):
            payouts.deciding.refuse(payout.id, "No.x", OWNER)
        payouts.stopping.go_on(OWNER)
    assert payday.settle(payout).state == "paid" and payday.paid_out() == 5_900


def test_one_that_was_refused_for_now_may_be_cancelled(payday: Payday) -> None:
    payday.knobs(starter=True)
    payout = payday.ask()
    payday.work()
    assert payouts.asking.cancel(payday.store_id, payout.id, payday.ama)
    assert payday.payable() == 6_000


def test_a_repeat_that_the_gateway_knows_is_looked_up(
    payday: Payday, monkeypatch: pytest.MonkeyPatch
) -> None:
    payday.wire.plan = ["lost"]
    payout = payday.ask()
    payday.work()
    # as after a restore from an hour ago: here it was never sent
    _set(payout.id, "approved")
    payday.pass_(60)
    payout = payday.settle(payout)
    assert payout.state == "paid" and payday.paid_out() == 5_900
    assert payday.wire.sent == [payout.reference] * 2 and len(payday.transfers()) == 1


def _set(payout_id: int, state: str) -> None:
    tables_owner.execute(
        "UPDATE payouts SET state = :state WHERE id = :id", state=state, id=payout_id
    )


def test_story_18_reversed_two_days_after_it_was_paid(payday: Payday) -> None:
    payday.knobs(transfer_outcome="reversed")
    payout = payday.settle(payday.ask())
    assert payout.state == "paid"
    payday.pass_(2 * DAY + 60)
    assert payday.ring(payout.reference) is True
    payday.work()
    payout = payday.read(payout)
    assert payout.state == "reversed"
    assert payout.words.startswith("GH₵\u00a059.00 came back: Returned by the network")
    assert payday.payable() == 5_900  # the fee stays lost
    payday.proven()


def test_a_reversal_that_nobody_told_of_is_found(payday: Payday) -> None:
    """Its webhook lost: paid ones are looked at after a day, three and seven."""
    payday.knobs(transfer_outcome="reversed")
    payout = payday.settle(payday.ask())
    for day in (1, 3):
        wait_s = payday.due_in_s(payout)
        assert wait_s is not None
        assert payday.read(payout).state == "paid", day
        payday.pass_(wait_s + 1)
        payday.work()
    assert payday.read(payout).state == "reversed"


def test_paid_for_a_week_it_is_over(payday: Payday) -> None:
    payout = payday.settle(payday.ask())
    looks = 0
    while (wait_s := payday.due_in_s(payout)) is not None:
        payday.pass_(wait_s + 1)
        payday.work()
        looks += 1
    assert looks == 3 and payday.read(payout).state == "paid"
    assert payday.cases() == []


def test_story_19_a_code_left_on_needs_the_owner_and_is_no_failure(
    payday: Payday,
) -> None:
    payday.knobs(otp=True)
    payout = payday.ask()
    payday.work()
    payout = payday.read(payout)
    assert payout.state == "needs_owner" and "asks the owner" in payout.words
    assert payday.cases() == ["payout_needs_owner"] and payday.payable() == 0
    payday.proven()
    # without a code it ends there after half an hour, and the earnings are free
    payout = payday.settle(payout)
    assert payout.state == "failed" and payday.payable() == 6_000
    assert payday.paid_out() == 0
    payday.proven()


def test_story_19_the_code_given_it_is_paid(payday: Payday) -> None:
    payday.knobs(otp=True)
    payout = payday.ask()
    payday.work()
    code = payday.read(payout).transfer_code
    assert code is not None
    payday.wire.finalise_transfer(code, "123456")
    assert payday.settle(payout).state == "paid" and payday.paid_out() == 5_900


@pytest.mark.parametrize(
    ("outcome", "state", "back"),
    [("failed", "failed", 6_000), ("success", "paid", 0)],
)
def test_how_it_ends_at_the_network(
    payday: Payday, outcome: str, state: str, back: int
) -> None:
    payday.knobs(transfer_outcome=outcome)
    payout = payday.ask()
    payday.work()
    assert payday.read(payout).state == "in_transit"
    assert payday.settle(payout).state == state and payday.payable() == back
    payday.proven()


def test_what_the_gateway_refuses_comes_back_at_once(
    make_payday: Callable[..., Payday],
) -> None:
    payday = make_payday()
    payday.earned()
    payday.with_number(BARRED)
    with tenancy.across_stores():
        payouts.accounts.accept(payday.account().id, OWNER)
    payout = payday.settle(payday.ask())
    assert payout.state == "rejected" and payday.payable() == 6_000
    assert "did not take it" in payout.words and len(payday.wire.sent) == 1
    payday.proven()


@pytest.mark.parametrize("why", ["balance", "starter"])
def test_what_is_no_fault_of_the_payout_waits(payday: Payday, why: str) -> None:
    payout = payday.ask()
    if why == "starter":
        payday.knobs(starter=True)
    else:
        _empty(payday)
    payday.work()
    payout = payday.read(payout)
    assert payout.state == "approved" and payday.cases() == ["payouts_refused"]
    assert payday.payable() == 0  # it stays asked for
    if why == "starter":
        payday.knobs(starter=False)
    else:
        _empty(payday, -1)
    assert payday.settle(payout).state == "paid" and payday.paid_out() == 5_900


def _empty(payday: Payday, sign: int = 1) -> None:
    store = payday.sandbox.gateway.store
    with store.change():
        store.book(0, "test", "topped_up", "", 0, "balance", -sign * 999_999)


def test_a_record_of_another_amount_moves_nothing(
    payday: Payday, monkeypatch: pytest.MonkeyPatch
) -> None:
    payout = payday.ask()
    payday.work()
    thing = payday.sandbox.gateway.store.newest("transfer", "test", 1)[0]
    thing.doc["amount"] = 590
    payday.sandbox.gateway.store.save(thing)
    payday.pass_(60)
    payday.work()
    assert payday.read(payout).state == "in_transit"
    assert payday.cases() == ["payout_differs"]


def test_news_of_one_that_came_back_is_for_a_person(payday: Payday) -> None:
    """A gateway that pays after it said no: nothing is posted by itself."""
    payday.knobs(transfer_outcome="failed")
    payout = payday.settle(payday.ask())
    thing = payday.sandbox.gateway.store.newest("transfer", "test", 1)[0]
    thing.doc["status"] = "success"
    payday.sandbox.gateway.store.save(thing)
    payday.ring(payout.reference)
    payday.work()
    assert payday.read(payout).state == "failed" and payday.payable() == 6_000
    assert payday.cases() == ["payout_contradicts"]


def test_a_ring_for_a_stranger_is_none_of_ours(payday: Payday) -> None:
    assert payday.ring("mk-w-ffffffffffffffff") is False


def test_signed_news_of_a_transfer_has_it_looked_up_and_moves_nothing(
    payday: Payday,
) -> None:
    payday.knobs(transfer_outcome="failed")
    payout = payday.settle(payday.ask())
    thing = payday.sandbox.gateway.store.newest("transfer", "test", 1)[0]
    thing.doc["status"] = "success"
    payday.sandbox.gateway.store.save(thing)
    body, headers = webhook(payout.reference, "transfer.success", status="success")
    tenancy.clear()
    hooks = Visitor(payday.app, "hooks").client
    answer = hooks.post(
        "/paystack", base_url="http://hooks.localhost", data=body, headers=headers
    )
    assert answer.status_code == 200
    assert payday.cases() == [], "a webhook moves nothing"
    payday.work()
    assert payday.cases() == ["payout_contradicts"]


# crashes


@pytest.mark.parametrize(
    "plan",
    [
        ["died_before"],  # after the claim
        ["died_after"],  # after the gateway took it
        ["died_after", "died"],  # and again in the look
        ["lost", "died", "lost", "died"],
    ],
)
def test_a_worker_killed_anywhere_pays_once(payday: Payday, plan: list[str]) -> None:
    payday.wire.plan = plan
    payout = payday.settle(payday.ask())
    assert payout.state == "paid" and payday.paid_out() == 5_900
    assert set(payday.wire.sent) == {payout.reference}
    assert payday.payable() == 0
    payday.proven()


def test_a_worker_frozen_after_its_claim_does_not_send(
    payday: Payday, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By then another may have proven it absent, sent it, been refused and given it back."""
    from fulfilment import payouts as handlers

    payout = payday.ask()
    times = iter((0.0, 101.0))
    frozen = SimpleNamespace(monotonic=lambda: next(times))
    monkeypatch.setattr(handlers, "time", frozen)
    payday.work()
    assert payday.wire.sent == [] and payday.read(payout).state == "submitting"


def test_an_error_of_ours_is_told_and_tried_again(
    payday: Payday, monkeypatch: pytest.MonkeyPatch
) -> None:
    payout = payday.ask()
    with monkeypatch.context() as patch:
        patch.setattr(payouts.sending, "took", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            payday.work()
    tenancy.clear()
    assert payday.cases() == ["payout_broken"]
    assert payday.settle(payout).state == "paid" and payday.paid_out() == 5_900


# the question before it pays


def asked(payday: Payday, body: Any) -> int:
    tenancy.clear()
    visitor = Visitor(payday.app, "hooks")
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = visitor.client.post(
        "/paystack/approval",
        base_url="http://hooks.localhost",
        data=raw,
        content_type="application/json",
    )
    return answer.status_code


def question(payday: Payday, payout: Payout, **changes: Any) -> dict[str, Any]:
    return {
        "reference": payout.reference,
        "amount": payout.amount_pesewas,
        "currency": "GHS",
        "recipient": {"recipient_code": payout.recipient_code},
        **changes,
    }


def test_only_our_open_payout_of_the_same_amount_and_recipient_is_approved(
    payday: Payday,
) -> None:
    payout = payday.ask()
    assert asked(payday, question(payday, payout)) == 400  # not asked for yet
    payday.work()
    payout = payday.read(payout)
    assert payout.state == "in_transit"
    assert asked(payday, question(payday, payout)) == 200
    assert asked(payday, {"data": question(payday, payout)}) == 200
    alone = question(payday, payout, recipient=payout.recipient_code, amount="5900")
    assert asked(payday, alone) == 200
    for wrong in (
        {"reference": "mk-w-ffffffffffffffff"},
        {"reference": None},
        {"reference": "mk-w-\u0000"},
        {"amount": 5_901},
        {"amount": True},
        {"amount": "5900.0"},
        {"currency": "NGN"},
        {"recipient": {"recipient_code": "RCP_other"}},
        {"recipient": None},
        {"recipient": [payout.recipient_code]},
    ):
        assert asked(payday, question(payday, payout, **wrong)) == 400, wrong
    for raw in (b"", b"[]", b"{", b"null", b"\xff", b"9" * 4_000, b'{"amount": NaN}'):
        assert asked(payday, raw) == 400, raw
    payout = payday.settle(payout)
    assert asked(payday, question(payday, payout)) == 400  # it is over
    kept = tables_owner.read(
        "SELECT raw_status FROM webhook_events WHERE event = 'paystack.approval'"
    )
    assert {"not ours", "another amount", "another recipient", "it is paid"} <= set(
        kept
    )


def test_stopped_nothing_is_approved(payday: Payday) -> None:
    payday.knobs(transfer_outcome="stuck")
    payout = payday.ask()
    payday.work()
    with tenancy.across_stores():
        payouts.stopping.stop("Looking into it", OWNER)
    assert asked(payday, question(payday, payday.read(payout))) == 400


def test_a_flood_of_questions_fills_nothing(payday: Payday, using: Using) -> None:
    using(strangers_kept_in_hour=3)
    for number in range(6):
        assert asked(payday, {"reference": f"mk-w-{number:016}"}) == 400
    kept = "SELECT count(*) FROM webhook_events WHERE event = 'paystack.approval'"
    assert tables_owner.read(kept) == [3]


# the gateway's balance


def read_balance(payday: Payday) -> None:
    tenancy.clear()
    with tenancy.across_stores():
        outbox.request("read_gateway", SYSTEM)
    payday.work()


def _holds(payday: Payday, pesewas: int) -> None:
    store = payday.sandbox.gateway.store
    with store.change():
        more = pesewas - store.purse("test", "balance")
        store.book(0, "test", "topped_up", "", 0, "balance", more)


def _range() -> tuple[int, int]:
    tenancy.clear()
    with tenancy.across_stores():
        found = payouts.holdings.expected()
    return found.least_pesewas, found.most_pesewas


def test_what_the_balance_may_be(payday: Payday) -> None:
    """All that came in, less what may not be settled and what is on its way."""
    least, most = _range()
    assert least == 0 and most > 6_000  # paid in a moment ago: there or not
    payday.pass_(config.current().settled_within_s + 1)
    assert _range() == (most, most)
    payday.knobs(transfer_outcome="stuck")
    payout = payday.ask()
    assert _range() == (most, most)  # not asked for at the gateway
    payday.work()
    assert _range() == (most - 6_000, most)
    payday.knobs(transfer_outcome="success")
    payday.sandbox.gateway.later(
        payday.sandbox.gateway.store.newest("transfer", "test", 1)[0], "success", 1
    )
    assert payday.settle(payout).state == "paid"
    assert _range() == (most - 6_000, most - 6_000)


def test_what_was_there_before_us_is_the_beginning(
    make_payday: Callable[..., Payday],
) -> None:
    payday = make_payday()
    read_balance(payday)
    assert _range() == (1_000_000, 1_000_000)
    _holds(payday, 1_000_500)
    read_balance(payday)
    assert _range() == (1_000_000, 1_000_000)  # once


def test_what_moved_between_bank_and_gateway_is_booked_once(
    payday: Payday, using: Using
) -> None:
    using(paystack_settles_to="balance")  # else what came to the bank is read
    payday.pass_(config.current().settled_within_s + 1)
    _least, most = _range()
    with tenancy.across_stores():
        assert payouts.holdings.book("top_up", 77, 500, OWNER)
        assert not payouts.holdings.book("top_up", 77, 500, OWNER)
        assert payouts.holdings.book("settlement", 77, 200, OWNER)
        with pytest.raises(online.Unfit):
            payouts.holdings.book("settlement", 78, 0, OWNER)
    assert _range() == (most + 300, most + 300)


def test_payouts_stop_when_the_balance_is_outside_twice(payday: Payday) -> None:
    payday.pass_(config.current().settled_within_s + 1)
    least, most = _range()
    for pesewas in (least, most):
        _holds(payday, pesewas)
        read_balance(payday)
    assert stop_of(payday) is None and payday.cases() == []
    _holds(payday, least - 1)
    read_balance(payday)
    payday.pass_(599)
    read_balance(payday)
    assert stop_of(payday) is None  # twice, and not far enough apart
    payday.pass_(2)
    read_balance(payday)
    stop = stop_of(payday)
    assert stop is not None and stop.by == "Makola" and "by our books" in stop.why
    assert payday.cases() == ["gateway_balance"]
    payout_problem = payday.offer().problem
    assert payout_problem.startswith("Nothing is paid out at the moment")


def test_a_read_inside_between_them_starts_over(payday: Payday) -> None:
    payday.pass_(config.current().settled_within_s + 1)
    _least, most = _range()
    for pesewas in (most + 1, most, most + 1):
        _holds(payday, pesewas)
        read_balance(payday)
        payday.pass_(601)
    assert stop_of(payday) is None


def test_going_on_looks_anew(payday: Payday) -> None:
    payday.pass_(config.current().settled_within_s + 1)
    _holds(payday, 1)
    for _ in range(2):
        read_balance(payday)
        payday.pass_(601)
    assert stop_of(payday) is not None
    with tenancy.across_stores():
        payouts.stopping.go_on(OWNER)
    read_balance(payday)
    assert stop_of(payday) is None  # once outside, since it goes on


def test_in_a_restored_database_payouts_stand_still(payday: Payday) -> None:
    """It knows nothing of what was paid out since its backup."""
    with tenancy.across_stores():
        assert orders.note_restore(told=True) is not None
    assert stop_of(payday) is None  # nobody pays online here
    online.switch_platform(True, SYSTEM)
    with tenancy.across_stores():
        orders.note_restore(told=True)
    stop = stop_of(payday)
    assert stop is not None and "restored" in stop.why
    assert payday.offer().problem.startswith("Nothing is paid out")


def test_a_gateway_that_says_nothing_stops_nothing(
    payday: Payday, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payday.wire, "holdings", lambda: NoAnswer("timeout", "lost"))
    for _ in range(3):
        read_balance(payday)
        payday.pass_(601)
    assert stop_of(payday) is None


def stop_of(payday: Payday) -> payouts.stopping.Stop | None:
    tenancy.clear()
    with tenancy.across_stores():
        return payouts.stopping.stopped()
