"""Wallets that agents fund online: what people do at the gateway, what gets lost, what the gateway
takes back, and where the money is afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select
from visitors import Visitor

from core import (
    audit,
    availability,
    catalog,
    ledger,
    online,
    orders,
    settling,
    stores,
    taking,
)
from core.audit import Actor
from core.base import clock
from core.base.db import db
from core.cases import Case
from core.leases import Lease
from core.orders import Order, pressing, refusals, repricing, selecting
from core.taking.funding import Ask, NoFunding
from fulfilment import paying
from tests.support.settings import Using
from tests.support.till import AMA, SETTINGS, Till, webhook

pytestmark = pytest.mark.slow(seconds=0.25)

OWNER = Actor("owner", "Owner")


def ring(visitor: Callable[[str], Visitor], reference: str, event: str) -> int:
    said = {"reference": reference, "transaction": {"reference": reference}}
    body, headers = webhook(event=event, **said)  # type: ignore[arg-type]
    hooks = visitor("hooks").client
    answer = hooks.post(
        "/paystack", base_url="http://hooks.localhost", data=body, headers=headers
    )
    return answer.status_code


def placed(till: Till, number: int) -> Order:
    """An order that is paid to its store."""
    with till.inside():
        return orders.place(
            bundle_id=catalog.shelf()[0].bundle_id,
            recipient_msisdn=f"+23324{5_000_000 + number}",
            idempotency_key=f"fund-{number:020}",
        ).order


def test_what_is_paid_is_in_the_wallet_and_makola_bears_the_fee(till: Till) -> None:
    before = till.wallet()
    payment_id = till.fund(5_000)
    till.work()
    opened = till.attempt(payment_id)
    assert (opened.state, opened.order_id, opened.purpose) == ("open", None, "wallet")
    asked = till.tools.get("/sandbox/state").json()["payments"][0]
    assert asked["channels"] == ["mobile_money"]
    assert till.wallet() == before, "a press moves nothing"
    till.pay(opened.reference)
    till.pass_by(61)
    paid = till.attempt(payment_id)
    fee = paid.fees_pesewas
    assert fee == Ask.parse("50.00").fee_pesewas and paid.state == "paid"
    assert till.wallet() == before + 5_000
    assert till.balances() == {"gateway": 5_000 - fee, "gateway_fees": fee}
    assert (till.cases(), till.next_at()) == ([], None), "nothing is left to do"
    till.proven()
    with till.across():
        line = next(one for one in audit.recent(20) if one.action == "fund_online")
    assert (line.actor_name, line.detail["amount_pesewas"]) == ("Ama", 5_000)


def test_a_press_made_twice_is_one_attempt_and_the_webhook_alone_funds(
    till: Till, visitor: Callable[[str], Visitor]
) -> None:
    before = till.wallet()
    payment_id = till.fund(5_000)
    assert till.fund(7_000) == payment_id, "the page of the first one is shown"
    till.work()
    assert till.fund() == payment_id and till.initialised() == 1
    reference = till.attempt(payment_id).reference
    till.pay(reference)
    assert ring(visitor, reference, "charge.success") == 200
    assert till.wallet() == before, "a webhook moves nothing"
    till.pass_by(3.1)
    assert till.wallet() == before + 5_000
    with till.inside():
        said = till.client.verify(reference)
        again = taking.into_wallets.take(payment_id, paying.verified(said))  # type: ignore[arg-type]
    assert again == "known" and till.wallet() == before + 5_000
    till.proven()


def test_late_and_double_are_in_the_wallet_all_the_same(till: Till) -> None:
    before = till.wallet()
    first = till.fund(5_000)
    till.work()
    till.pass_by(241)
    second = till.fund(6_000)
    till.work()
    assert second != first and till.attempt(first).state == "watched"
    till.pass_by(2 * 3_600)
    assert till.attempt(second).state == "watched", "its time is over"
    for payment_id in (first, second):
        till.pay(till.attempt(payment_id).reference)
    till.pass_by(2 * 3_600)
    assert [till.attempt(one).state for one in (first, second)] == ["paid", "paid"]
    assert (till.wallet(), till.cases()) == (before + 11_000, [])
    till.proven()


def test_what_nobody_pays_ends_and_another_may_be_begun(till: Till) -> None:
    before = till.wallet()
    payment_id = till.fund()
    till.work()
    till.pay(till.attempt(payment_id).reference, "decline")
    till.pass_by(61)
    assert till.attempt(payment_id).state == "failed"
    assert till.fund() != payment_id
    till.pass_by(5 * 86_400)
    assert till.attempt(payment_id).state == "ended"
    assert (till.wallet(), till.balances(), till.next_at()) == (before, {}, None)


@pytest.mark.parametrize(
    ("changes", "kind", "state"),
    [
        ({"amount": 4_999}, "paid_short", "paid"),
        ({"currency": "NGN"}, "paid_unfit", "refused"),
        ({"domain": "live"}, "paid_unfit", "refused"),
    ],
)
def test_what_is_not_what_was_asked_is_a_case_and_in_no_wallet(
    till: Till, changes: dict[str, object], kind: str, state: str
) -> None:
    before, payment_id = till.wallet(), till.fund(5_000)
    till.work()
    till.pay(till.attempt(payment_id).reference, **changes)
    till.pass_by(61)
    assert till.attempt(payment_id).state == state
    assert (till.wallet(), till.cases()) == (before, [kind])
    till.proven()
    if kind != "paid_short":
        return
    assert till.balances()["refund_due"] == -4_999
    case = till.case(kind)
    with till.across():
        settling.settle(case.id, "refund", OWNER, words="back", seen_pesewas=4_999)
    till.pass_by(2 * 3_600)
    assert "refund_due" not in till.balances() and till.cases() == []
    till.proven()


def test_lost_answers_open_another_attempt_and_whichever_is_paid_funds(
    till: Till,
) -> None:
    before = till.wallet()
    till.plan("http_500_after", "initialize")
    first = till.fund()
    till.work()
    till.pass_by(10)
    with till.inside():
        second = next(iter(taking.funding.newest(till.attempt(first).store_id)))
        assert taking.funding.leads_to(till.attempt(first)).id == second.id
    assert (till.attempt(first).state, second.state) == ("watched", "open")
    till.pay(till.attempt(first).reference)
    till.pass_by(4_000)
    assert till.wallet() == before + 5_000
    till.proven()


def test_a_worker_that_dies_after_the_acceptance_funds_once(till: Till) -> None:
    before, payment_id = till.wallet(), till.fund()
    till.work()
    reference = till.attempt(payment_id).reference
    till.pay(reference)
    with till.inside():
        said = till.client.verify(reference)
        taking.into_wallets.take(payment_id, paying.verified(said))  # type: ignore[arg-type]
    till.pass_by(200)  # its row was never closed: another worker looks
    assert till.wallet() == before + 5_000
    till.proven()


def test_too_many_that_come_to_nothing_are_enough(till: Till, superuser: Any) -> None:
    superuser.execute(
        "INSERT INTO online_payments (store_id, purpose, reference, mode, amount_pesewas, state,"
        " created_at) SELECT s.id, 'wallet', 'MK-P-' || n, 'test', 5000, 'failed', %s FROM stores s,"
        " generate_series(1, %s) n WHERE s.slug = 'ama'",
        (clock.now(), taking.funding.MOST_AN_HOUR),
    )
    with pytest.raises(NoFunding, match="came to nothing"):
        till.fund()
    till.jump(3_601)
    assert till.fund()


def off(till: Till, superuser: Any, using: Using) -> None:
    superuser.execute("DELETE FROM settings WHERE key = 'pay_online'")


def no_gateway(till: Till, superuser: Any, using: Using) -> None:
    using(paystack_secret_key="", paystack_mode="")


def suspended(till: Till, superuser: Any, using: Using) -> None:
    superuser.execute("UPDATE stores SET status = 'suspended' WHERE slug = 'ama'")


def unapproved(till: Till, superuser: Any, using: Using) -> None:
    superuser.execute(
        "UPDATE stores SET status = 'closed', approval = 'refused' WHERE slug = 'ama'"
    )


@pytest.mark.parametrize("without", [off, no_gateway, suspended, unapproved])
def test_it_is_offered_only_while_all_that_it_needs_is_there(
    till: Till, superuser: Any, using: Using, without: Callable[..., None]
) -> None:
    superuser.execute("UPDATE stores SET pay_online = false WHERE slug = 'ama'")
    payment_id = till.fund()  # the store's own switch is for its customers
    without(till, superuser, using)
    with pytest.raises(NoFunding):
        till.fund()
    till.work()
    assert till.initialised() == 0, "nobody is asked for money any more"
    assert till.attempt(payment_id).state == "asked"


def test_an_error_of_ours_is_a_case(till: Till) -> None:
    payment_id = till.fund()
    with till.across():
        lease = Lease.__new__(Lease)
        object.__setattr__(lease, "subject_id", payment_id)
        paying.say_broken(lease, "KeyError")
    assert till.cases() == ["payment_broken"]


# Taken back


def taken_back(
    till: Till, visitor: Callable[[str], Visitor], *, left: int, part: int | None = None
) -> str:
    """A funding of 50 cedis is lost to a dispute while so much is left in the wallet."""
    reference = till.funded(5_000).reference
    till.empty_wallet(but=left)
    till.lose(reference, part)
    assert ring(visitor, reference, "charge.dispute.resolve") == 200
    till.pass_by(3.1)
    till.proven()
    return reference


@pytest.mark.parametrize(
    ("left", "part", "stays", "owed"),
    [
        (8_000, None, 3_000, 0),
        (2_000, None, 0, 3_000),
        (2_000, 1_500, 500, 0),
        (1_000, 1_500, 0, 500),
    ],
)
def test_a_funding_taken_back_takes_what_is_free_and_the_rest_is_owed(
    till: Till,
    visitor: Callable[[str], Visitor],
    left: int,
    part: int | None,
    stays: int,
    owed: int,
) -> None:
    reference = taken_back(till, visitor, left=left, part=part)
    assert (till.wallet(), till.balances().get("dispute_loss", 0)) == (stays, owed)
    assert ("funding_reversed" in till.cases()) == bool(owed)
    ring(visitor, reference, "charge.dispute.resolve")
    till.pass_by(3.1)
    assert till.wallet() == stays, "it is booked once"
    till.proven()


def test_a_gateway_that_does_not_say_how_much_is_asked_again(
    till: Till, visitor: Callable[[str], Visitor]
) -> None:
    reference = till.funded(5_000).reference
    before = till.wallet()
    till.lose(reference, 1_000)
    till.plan("http_500", "disputes")
    ring(visitor, reference, "charge.dispute.resolve")
    till.pass_by(3.1)
    assert till.wallet() == before
    till.pass_by(61)
    assert till.wallet() == before - 1_000
    till.proven()


def refused(till: Till, order: Order) -> str:
    with till.inside(), pytest.raises(refusals.StoreOwes) as refusal:
        orders.release(order.code, AMA)
    return refusal.value.sentence


def test_a_store_that_owes_processes_nothing_by_any_way(
    till: Till, visitor: Callable[[str], Visitor], using: Using
) -> None:
    held, other = placed(till, 1), placed(till, 2)
    with till.inside():
        pressed = placed(till, 3)
        using(**SETTINGS, undo_s=5)
        orders.process(pressed.code, AMA)
        assert orders.by_id(pressed.id).release_at is not None
    taken_back(till, visitor, left=2_000)
    assert "30.00" in refused(till, held)
    with till.inside():
        many = selecting.release_many([held.code, other.code], AMA)
        many += selecting.process_many([held.code], AMA)
        assert {row.became for row in many} == {"refused"}
        with pytest.raises(refusals.StoreOwes):
            orders.process(held.code, AMA)
        with pytest.raises(refusals.StoreOwes):
            repricing.process_at(held.code, AMA, held.agent_price_pesewas)
        till.jump(6)
        pressing.let_go(pressed.id)
        row = orders.by_id(pressed.id)
        assert row.state == "pending" and "taken back" in str(row.release_refused)
        said = orders.held_up.for_agent(row, availability.now())
        assert "taken back" in said.not_sent
    with till.across():
        kofi = stores.by_slug("kofi")
        assert kofi is not None and orders.debts.sentence_now(kofi.id) == ""
    paid = till.opened()
    till.pay(till.reference(paid))
    till.pass_by(61)
    assert till.state(paid) == "queued", "what a customer paid online goes on"


def test_the_next_funding_settles_it_and_what_is_over_stays(
    till: Till, visitor: Callable[[str], Visitor]
) -> None:
    order = placed(till, 4)
    taken_back(till, visitor, left=2_000)
    with till.across():
        store = stores.by_slug("ama")
        assert store is not None
        online.fund_wallet(store.id, 1_000, "by hand, too little", OWNER)
    assert (till.wallet(), till.balances()["dispute_loss"]) == (0, 2_000)
    assert "20.00" in refused(till, order)
    till.proven()
    till.funded(5_000)
    assert (till.wallet(), till.balances().get("dispute_loss")) == (3_000, None)
    assert "funding_reversed" not in till.cases()
    assert till.settled("funding_reversed").resolution
    with till.inside():
        assert orders.release(order.code, AMA).state == "queued"
    till.proven()


@pytest.mark.parametrize("action", ["settle_debt", "bear_loss"])
def test_a_person_settles_it(
    till: Till, visitor: Callable[[str], Visitor], action: str
) -> None:
    order = placed(till, 5)
    taken_back(till, visitor, left=2_000)
    case = till.case("funding_reversed")

    def press(what: str) -> None:
        with till.across():
            settling.settle(case.id, what, OWNER, words="so be it", seen_pesewas=3_000)

    with pytest.raises(settling.ActionRefused, match="still owes"):
        press("close")
    if action == "settle_debt":
        with pytest.raises(settling.NotYet, match="free in the wallet"):
            press(action)
        # money that came back from orders is no funding, so it settles nothing by itself
        with till.across():
            ledger.fund_wallet(case.store_id or 0, 4_000, "as though released", OWNER)
    press(action)
    loss = 0 if action == "settle_debt" else 3_000
    assert till.balances().get("dispute_loss", 0) == loss
    assert till.wallet() == (1_000 if action == "settle_debt" else 0)
    assert bool(till.settled("funding_reversed").posting_ids) == (not loss)
    till.proven()
    with till.inside():
        assert orders.debts.sentence_now(order.store_id) == ""


def test_a_person_who_saw_that_a_dispute_is_lost_books_it(
    till: Till, visitor: Callable[[str], Visitor]
) -> None:
    reference = till.funded(5_000).reference
    till.empty_wallet(but=1_000)
    ring(visitor, reference, "charge.dispute.create")
    till.pass_by(3.1)
    assert (till.wallet(), till.cases()) == (1_000, ["payment_disputed"])
    case = till.case("payment_disputed")
    with till.across():
        settling.settle(
            case.id, "take_funding", OWNER, words="lost", seen_pesewas=5_000
        )
    assert (till.wallet(), till.cases()) == (0, ["funding_reversed"])
    till.lose(reference)
    ring(visitor, reference, "charge.dispute.resolve")
    till.pass_by(3.1)
    assert till.balances()["dispute_loss"] == 4_000, "it is booked once"
    till.proven()
    with till.across():
        found = db.session.scalars(select(Case).where(Case.id == case.id)).one()
        assert len(found.posting_ids) == 1
