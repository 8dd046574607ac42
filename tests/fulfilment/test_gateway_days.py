"""Days beside the gateway's lists: what fits, what has a cause, who is asked, what is booked of a
settlement; whatever is lost on the way."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from core import (
    cases,
    gateway_days,
    leases,
    online,
    orders,
    outbox,
    payouts,
    proof,
    settling,
)
from core.audit import SYSTEM, Actor
from core.base import clock
from core.base.db import db, transaction
from core.gateway_days import tallying
from core.online.listed import GatewayDay
from core.orders import Order
from fulfilment import gateway_days as handler
from fulfilment import housekeeping, jobs, relay
from tests.support.gateway_days import Calendar
from tests.support.settings import Using
from tests.support.till import Till, ring_in

pytestmark = pytest.mark.slow(seconds=0.4)

OWNER = Actor("owner", "Owner")


@pytest.fixture
def days(till: Till) -> Calendar:
    return Calendar(till)


def fee(pesewas: int) -> int:
    """As the gateway rounds it."""
    return (pesewas * 195 + 5_000) // 10_000


def net(*made: Order) -> int:
    return sum(one.price_pesewas - fee(one.price_pesewas) for one in made)


def test_a_day_three_ways_from_paid_to_settled_and_booked_once(
    till: Till, days: Calendar
) -> None:
    one, two = days.paid(), days.paid()
    whole, bank = one.price_pesewas + two.price_pesewas, days.bank()
    days.night()
    days.compare()
    found = days.read()
    assert days.counts() == (2, 2, 0)
    assert found.ours_pesewas == found.theirs_pesewas == whole
    assert (days.causes(), found.is_open) == ({"not_settled_yet": 2}, True)
    assert till.balances()["gateway"] == net(one, two)
    days.night(2)
    days.compare()
    assert (days.counts(), days.causes()) == ((2, 2, 2), {})
    assert not days.read().is_open
    assert days.read().settled_pesewas == whole
    (settlement,) = days.settlements()
    assert (settlement.went, settlement.booked_pesewas) == ("bank", net(one, two))
    for _again in range(2):
        days.anew(days.day)
        assert days.bank() - bank == net(one, two)
        assert "gateway" not in till.balances()
    assert till.cases() == []
    till.proven()


def test_what_the_gateway_took_with_a_reference_of_ours_that_our_books_lack_asks_once(
    till: Till, days: Calendar
) -> None:
    days.paid()
    days.strange("MK-P-LOST0001")
    days.strange("MK-P-LOST0002", 300)
    days.strange("order-17", 900)
    days.night()
    days.compare()
    assert days.counts() == (1, 3, 0)
    assert days.causes() == {"lost": 2, "foreign": 1, "not_settled_yet": 1}
    lost = days.read().causes["lost"]
    assert (lost["pesewas"], lost["differs"]) == (1_000, -1_000)
    case = till.case("payments_lost")
    assert case.seen[0]["references"] == ["MK-P-LOST0001", "MK-P-LOST0002"]
    days.anew(days.day)
    assert till.cases() == ["payments_lost"]
    with till.across():
        settling.settle(case.id, "close", OWNER, words="Both were given back.")
    days.anew(days.day)
    assert till.cases() == []
    # of the settlement, what is of others is not in our books
    days.night(2)
    days.compare()
    (settlement,) = days.settlements()
    assert settlement.effective_pesewas is not None
    assert settlement.booked_pesewas < settlement.effective_pesewas
    assert "gateway" not in till.balances()
    till.proven()


def test_paid_there_and_never_heard_of_is_found_by_the_day(
    till: Till, days: Calendar, superuser: Any
) -> None:
    till.knobs(webhooks=False)
    order = till.opened()
    till.pass_by(40 * 60)
    superuser.execute("UPDATE outbox SET done_at = now() WHERE kind = 'watch_payment'")
    till.pay(till.reference(order))
    days.night()
    days.compare()
    assert (days.causes(), days.counts()) == ({"unheard": 1}, (0, 1, 0))
    till.work()
    assert till.cases() == ["paid_late"]
    assert till.balances()["customer_funds"] == -order.price_pesewas
    till.proven()


def test_what_is_settled_before_it_is_heard_of_is_ours(
    till: Till, days: Calendar, superuser: Any
) -> None:
    till.knobs(webhooks=False)
    order = till.opened()
    till.pass_by(40 * 60)
    superuser.execute("UPDATE outbox SET done_at = now() WHERE kind = 'watch_payment'")
    till.pay(till.reference(order))
    days.night(2)
    days.compare()
    (settlement,) = days.settlements()
    assert settlement.booked_pesewas == net(order)
    ring_in(till, till.reference(order))
    till.work()
    assert till.cases() == ["paid_late"]
    assert "gateway" not in till.balances(), "nothing of it is left there"
    till.proven()


def test_a_clock_that_was_set_back_asks_about_each_once(
    till: Till, days: Calendar, superuser: Any
) -> None:
    order = days.paid()
    days.thing("payment", till.reference(order), status="failed")
    days.night()
    with till.across():
        gateway_days.plan()
        outbox.request(gateway_days.WORK, SYSTEM)
    superuser.execute("UPDATE gateway_days SET begun_at = begun_at + interval '1 hour'")
    before = till.verified()
    days.work(10)
    assert till.verified() <= before + 2
    assert days.causes() == {"not_paid_there": 1}


def test_others_have_their_turn_while_a_day_is_compared(
    till: Till, days: Calendar, monkeypatch: pytest.MonkeyPatch
) -> None:
    days.paid()
    days.night()
    monkeypatch.setattr(handler, "PAGES_AT_ONCE", 1)
    with till.across():
        gateway_days.plan()
        row = outbox.request(gateway_days.WORK, SYSTEM)
        leased = leases.lease_due(1, only=[row.id])
    with till.app.app_context():
        jobs.run(*leased[0])
    with till.across():
        found = db.session.get_one(outbox.OutboxRow, row.id)
        assert found.done_at is None and found.due_at > clock.now()


@pytest.mark.parametrize(
    ("doc", "cause", "kind"),
    [
        ({"charged": 9}, "other_amount", "payments_differ"),
        ({"status": "failed"}, "not_paid_there", "payments_unlisted"),
        ({"status": "reversed"}, "taken_there", "payment_reversed"),
    ],
)
def test_each_difference_asks_a_person_once(
    till: Till, days: Calendar, doc: dict[str, Any], cause: str, kind: str
) -> None:
    order = days.paid()
    days.night()
    days.thing("payment", till.reference(order), **doc)
    before = till.balances()
    days.compare()
    till.work()
    days.anew(days.day)
    assert days.causes() == {cause: 1}
    assert till.cases() == [kind]
    assert till.balances() == before
    differs = sum(one["differs"] for one in days.read().causes.values())
    assert differs == days.read().ours_pesewas - days.read().theirs_pesewas


def test_a_fee_that_came_late_is_booked_by_the_day(
    till: Till, days: Calendar, superuser: Any
) -> None:
    till.knobs(fees_late_s=7_200)
    order = days.paid()
    superuser.execute("UPDATE outbox SET done_at = now() WHERE kind = 'watch_payment'")
    assert till.balances()["gateway"] == order.price_pesewas
    days.night()
    days.compare()
    assert days.causes() == {"fee_late": 1}
    till.work()
    assert till.balances()["gateway"] == net(order)
    days.anew(days.day)
    assert days.causes() == {"not_settled_yet": 1}
    till.proven()


def test_not_settled_in_time_asks_where_anything_is_ever_settled(
    till: Till, days: Calendar, using: Using, superuser: Any
) -> None:
    days.paid()
    using(settled_within_s=7_200)
    days.night()
    days.compare()
    assert days.causes() == {"never_settled": 1}
    assert till.cases() == []
    superuser.execute(
        "INSERT INTO gateway_settlements (gateway_id, raw_word, currency, settled_at, read_at, went,"
        " closed_at) VALUES ('1', 'success', 'GHS', now(), now(), 'nowhere', now())"
    )
    days.anew(days.day)
    assert days.causes() == {"not_settled": 1}
    assert till.cases() == ["settlement_differs"]


def test_pages_stop_and_go_on_and_count_each_payment_once(
    till: Till, days: Calendar, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that dies after each page, and lists longer than a page."""
    order = days.paid()
    for number in range(50):
        days.strange(f"order-{number:03}", 100)
    monkeypatch.setattr(tallying, "PAGE", 25)
    monkeypatch.setattr(handler, "PAGES_AT_ONCE", 1)
    days.night()
    till.plan("http_500", "transactions", times=2)
    days.compare()
    for _tries in range(3):
        till.pass_by(61)
        days.work()
    assert days.counts() == (1, 1, 0)
    assert days.causes()["foreign"] == 50
    assert days.lines() == 51
    calls = till.fake.gateway.calls
    days.night(2)
    days.compare()
    assert calls["settled"] == 2
    (settlement,) = days.settlements()
    assert settlement.booked_pesewas == net(order)
    assert "gateway" not in till.balances()
    till.proven()


def test_while_the_gateway_is_silent_the_day_waits_and_a_person_is_told(
    till: Till, days: Calendar
) -> None:
    days.paid()
    days.night()
    till.plan("html", "settlements", times=1_000)
    days.compare()
    found = days.read()
    assert (found.step, found.done_at) == ("settlements", None)
    till.pass_by(7 * 3_600)
    days.compare()
    assert till.cases() == ["payments_unlisted"]
    till.tools.post("/sandbox/faults", json={"plan": []})
    till.pass_by(61)
    days.work()
    assert days.counts() == (1, 1, 0)


def test_a_page_that_is_handed_in_twice_takes_one_step(
    till: Till, days: Calendar
) -> None:
    """Of two workers, one was frozen after its call: the day has gone on without it."""
    with till.across():
        gateway_days.plan()
        step = gateway_days.next_step()
        assert step is not None
        for _worker in range(2):
            gateway_days.took_settlements(step, [], None, 0)
            assert days.read(step.day).step == "inside"
    days.work()
    days.compare()


def test_each_day_is_planned_once_it_is_over_and_missed_ones_are_caught_up_with(
    till: Till, days: Calendar
) -> None:
    with till.across():
        assert gateway_days.plan()
        assert [one.day for one in db.session.query(GatewayDay)] == [
            days.day - timedelta(days=1)
        ]
    with till.across():
        for _minute in range(2):
            relay.ask_days()
        of = outbox.OutboxRow.kind == gateway_days.WORK
        assert db.session.query(outbox.OutboxRow).filter(of).count() == 1
    days.work()
    days.compare()
    till.pass_by(12.5 * 3_600)
    days.compare()
    with till.across():
        db.session.rollback()
        assert db.session.query(GatewayDay).count() == 1, "not half an hour after it"
    till.pass_by(13 * 24 * 3_600)
    with till.across():
        gateway_days.plan()
        db.session.rollback()
        found = sorted(one.day for one in db.session.query(GatewayDay))
    assert len(found) == 11
    assert found[-1] == days.day + timedelta(days=12)


def test_a_day_that_is_not_over_is_not_compared(till: Till, days: Calendar) -> None:
    for day, said in (
        (days.day, "not over yet"),
        (days.day - timedelta(days=400), "too long ago"),
    ):
        with till.across(), pytest.raises(gateway_days.NotYet, match=said):
            gateway_days.ask_anew(day, OWNER)


def test_nothing_is_compared_without_a_gateway(
    till: Till, days: Calendar, using: Using
) -> None:
    with till.across():
        online.switch_platform(False, OWNER)
        assert not housekeeping.wants_days(), "never used"
        online.switch_platform(True, OWNER)
        assert housekeeping.wants_days()
        online.switch_platform(False, OWNER)
        assert housekeeping.wants_days(), "what was taken is settled later"
    using(paystack_secret_key="", paystack_mode="")
    with till.across():
        assert not housekeeping.wants_days()


# Settlements


def test_settled_into_its_own_balance_nothing_leaves_the_gateway(
    till: Till, days: Calendar, using: Using
) -> None:
    using(paystack_settles_to="balance")
    till.knobs(settle_to="balance")
    order = days.paid()
    days.night(2)
    days.compare()
    (settlement,) = days.settlements()
    assert (settlement.went, settlement.booked_pesewas) == ("balance", 0)
    assert till.balances()["gateway"] == net(order)
    till.proven()


def test_what_a_person_booked_before_is_not_booked_again(
    till: Till, days: Calendar, superuser: Any
) -> None:
    order = days.paid()
    days.night(2)
    superuser.execute(
        "INSERT INTO settings (key, value) VALUES ('settled_by_hand',"
        " jsonb_build_object('until', now() + interval '30 days'))"
    )
    days.compare()
    (settlement,) = days.settlements()
    assert (settlement.went, settlement.booked_pesewas) == ("by_hand", 0)
    assert till.balances()["gateway"] == net(order)


@pytest.mark.parametrize(
    ("doc", "is_booked"),
    [
        ({"fees": 0}, True),
        ({"effective": -5}, False),
    ],
)
def test_a_settlement_that_does_not_add_up_asks(
    till: Till, days: Calendar, doc: dict[str, int], is_booked: bool
) -> None:
    order = days.paid()
    days.night(2)
    days.thing("settlement", "settlement-1", **doc)
    days.compare()
    assert till.cases() == ["settlement_differs"]
    (settlement,) = days.settlements()
    assert settlement.booked_pesewas == (net(order) if is_booked else 0)
    till.proven()


def test_a_settlement_that_fails_asks_and_is_booked_when_it_comes(
    till: Till, days: Calendar
) -> None:
    order = days.paid()
    days.night(2)
    days.thing("settlement", "settlement-1", status="failed")
    days.compare()
    assert till.cases() == ["settlement_differs"]
    assert till.balances()["gateway"] == net(order)
    days.thing("settlement", "settlement-1", status="success")
    days.anew(days.day)
    assert "gateway" not in till.balances()
    till.proven()


def test_what_is_given_back_before_it_is_settled_comes_off_the_settlement(
    till: Till, days: Calendar
) -> None:
    """A refund is a deduction there and a posting here: in the end nothing is left at either."""
    till.knobs(refund_s=60)
    kept, back = days.paid(), days.paid()
    with till.inside():
        orders.cancel(back.code, Actor("agent", "Ama"))
    till.pass_by(200)
    days.night(2)
    days.compare()
    (settlement,) = days.settlements()
    assert settlement.deductions_pesewas == back.price_pesewas
    assert settlement.booked_pesewas == net(kept, back) - back.price_pesewas
    assert "gateway" not in till.balances()
    days.anew(days.day)
    assert days.causes() == {"given_back": 1}
    till.proven()


def test_the_proof_finds_a_settlement_that_is_booked_otherwise(
    till: Till, days: Calendar, superuser: Any
) -> None:
    days.paid()
    days.night(2)
    days.compare()
    till.proven()
    superuser.execute("UPDATE gateway_settlements SET booked_pesewas = 1")
    with till.across():
        (found,) = proof.look()
    assert "not booked as their row says" in found
    superuser.execute(
        "UPDATE gateway_settlements SET booked_pesewas = (SELECT e.amount_pesewas FROM"
        " entries e JOIN postings p ON p.id = e.posting_id WHERE p.kind = 'settlement' AND"
        " e.amount_pesewas > 0)"
    )


def test_the_range_of_the_balance_narrows_with_what_is_settled(
    till: Till, days: Calendar
) -> None:
    order = days.paid()
    with till.across():
        wide = payouts.holdings.expected()
    assert wide.most_pesewas - wide.least_pesewas == net(order)
    days.night(2)
    days.compare()
    with till.across():
        narrow = payouts.holdings.expected()
    assert narrow.least_pesewas == narrow.most_pesewas == 0


def test_settlements_to_the_bank_are_booked_by_nobody_else(till: Till) -> None:
    with till.across(), pytest.raises(online.Unfit, match="booked by themselves"):
        payouts.holdings.book("settlement", 7, 500, OWNER)
    with till.across(), transaction():
        assert cases.open_counts() == {}
