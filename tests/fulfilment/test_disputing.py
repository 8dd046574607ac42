"""Disputes from their news to their end: the gateway is asked, a person answers, the answer goes
once, what was taken is booked once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from visitors import Visitor

from core import disputes, orders, outbox
from core.audit import SYSTEM
from core.base import clock, messages
from core.base.db import transaction
from core.disputes import BadAnswer, answering, evidence
from core.orders import News
from fulfilment import disputing, receipt_pdf
from integrations.payment_shapes import Unclear
from integrations.payments_port import Rows
from tests.support.disputes_desk import Desk
from tests.support.settings import Using
from tests.support.till import SETTINGS, Till, webhook

pytestmark = pytest.mark.slow(seconds=0.3)
HOUR = 3_600.0


class Crash(BaseException):
    """The process ends here."""


@pytest.fixture
def desk(till: Till) -> Desk:
    return Desk(till)


def test_signed_news_has_the_gateway_asked_and_moves_no_money(
    desk: Desk, visitor: Callable[[str], Visitor]
) -> None:
    desk.deliver()
    before = desk.till.balances()
    made = desk.till.dispute(desk.reference)
    body, headers = webhook(
        desk.reference,
        "charge.dispute.create",
        id=made,
        # what it says of itself is not believed
        status="resolved",
        resolution="auto-accepted",
        refund_amount=1,
        transaction={"reference": desk.reference},
    )
    hooks = visitor("hooks").client
    for _again in range(2):
        answer = hooks.post(
            "/paystack", base_url="http://hooks.localhost", data=body, headers=headers
        )
        assert answer.status_code == 200
    assert (desk.state, desk.till.cases()) == ("heard", ["payment_disputed"])
    desk.till.work()
    dispute = desk.dispute
    assert (dispute.state, len(desk.every())) == ("needs_answer", 1)
    assert dispute.amount_pesewas == desk.payment().charged_pesewas
    assert dispute.due_at == disputes.deadline.due_at(dispute.opened_at)
    assert desk.till.balances() == before
    desk.till.proven()


def test_what_nobody_answers_is_named_auto_accepted_everywhere(desk: Desk) -> None:
    desk.deliver()
    desk.open()
    due_s = (desk.dispute.due_at - clock.now()).total_seconds()
    desk.till.pass_by(due_s + HOUR)
    assert desk.state == "auto_accepted"
    [note] = desk.notes()
    assert note.startswith("Auto-accepted: nobody answered the dispute in time")
    assert str(desk.gateway_id) in note and "Auto-accepted" in desk.timeline()
    dispute = desk.dispute
    assert dispute.taken_pesewas == dispute.amount_pesewas
    assert desk.till.balances()["dispute_loss"] == dispute.amount_pesewas
    closed = desk.till.settled("payment_disputed")
    assert "Auto-accepted" in closed.resolution and desk.till.cases() == []
    desk.bank("remind")
    desk.hear()
    desk.till.work()
    assert len(desk.notes()) == 1, "booked once"
    desk.till.proven()


@pytest.mark.parametrize(("verdict", "end"), [("won", "won"), ("lost", "lost")])
def test_contested_it_goes_once_with_its_evidence(
    desk: Desk, verdict: str, end: str
) -> None:
    order = desk.deliver()
    desk.till.knobs(dispute_verdict=verdict)
    desk.open()
    desk.give("contest")
    with pytest.raises(BadAnswer, match="has its answer"):
        desk.give("accept")
    desk.till.pass_by(5)
    assert (desk.state, desk.called("dispute_resolve")) == ("sent", 1)
    [kept] = desk.till.fake.gateway.store.newest("dispute", "test", 5)
    assert kept.doc["evidence"]["customer_email"].startswith(f"c{order.code.lower()}@")
    assert kept.doc["attachments"][0]["bytes"] > 500
    told = desk.sent_pack()
    assert told["delivered_on"] and "Delivered at" in str(told["lines"])
    assert order.recipient_msisdn[4:] not in str(told["lines"]), "masked"
    desk.bank("verdict")
    assert (desk.state, desk.till.cases()) == (end, [])
    assert [one.state for one in desk.answers()] == ["taken"]
    lost = desk.dispute.amount_pesewas if end == "lost" else 0
    assert desk.till.balances().get("dispute_loss", 0) == lost
    desk.till.proven()


def test_accepted_it_is_given_back_once(desk: Desk) -> None:
    desk.deliver()
    desk.open()
    desk.give("accept", "The data went to a wrong number.")
    desk.till.pass_by(2)
    assert (desk.state, desk.called("dispute_resolve")) == ("accepted", 1)
    assert [one.words for one in desk.answers()] == ["The data went to a wrong number."]
    assert desk.till.balances()["dispute_loss"] == desk.dispute.amount_pesewas
    with pytest.raises(BadAnswer, match="over"):
        desk.give("contest")
    desk.till.proven()


@pytest.mark.parametrize(
    ("fault", "sent"),
    [
        ("http_500_after", 1),
        ("http_500", 2),
        ("truncated", 1),
    ],
)
def test_an_unclear_answer_is_looked_up_and_never_given_twice(
    desk: Desk, fault: str, sent: int
) -> None:
    desk.deliver()
    desk.open()
    desk.till.plan(fault, "dispute_resolve", times=1)
    desk.give("accept")
    desk.till.pass_by(10 * 60)
    assert desk.state == "accepted"
    assert desk.called("dispute_resolve") == sent
    [kept] = desk.till.fake.gateway.store.newest("dispute", "test", 5)
    assert sum(one["sender"] == "merchant" for one in kept.doc["messages"]) == 1
    desk.till.proven()


@pytest.mark.parametrize("where", ["before the call", "after the call"])
def test_a_worker_that_dies_at_the_answer_gives_it_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    desk.deliver()
    desk.open()
    wire = desk.till.client
    true = wire.resolve_dispute
    asked: list[str] = []

    def die(gateway_id: str, answer: Any) -> Any:
        asked.append(gateway_id)
        if where == "after the call":
            true(gateway_id, answer)
        raise Crash

    monkeypatch.setattr(wire, "resolve_dispute", die)
    desk.give("accept")
    with pytest.raises(Crash):
        desk.till.work()
    monkeypatch.setattr(wire, "resolve_dispute", true)
    assert [one.state for one in desk.answers()] == ["submitting"]
    desk.till.pass_by(10 * 60)
    assert (desk.state, len(asked)) == ("accepted", 1)
    assert desk.called("dispute_resolve") == 1
    desk.till.proven()


def test_a_worker_frozen_since_its_claim_sends_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.deliver()
    desk.open()
    claim = answering.claim
    now = disputing.time.monotonic

    def slow(answer_id: int) -> bool:
        done = claim(answer_id)
        monkeypatch.setattr(disputing.time, "monotonic", lambda: now() + 1_000)
        return done

    monkeypatch.setattr(answering, "claim", slow)
    desk.give("accept")
    desk.till.work()
    assert desk.called("dispute_resolve") == 0
    assert [one.state for one in desk.answers()] == ["submitting"]


def test_one_look_is_no_proof_that_an_answer_was_not_sent(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer is on its way for two minutes, while the gateway still waits for one."""
    desk.deliver()
    desk.open()
    wire = desk.till.client
    true = wire.resolve_dispute
    monkeypatch.setattr(wire, "resolve_dispute", lambda *_args: Unclear("lost"))
    desk.give("accept")
    desk.till.work()
    [answer] = desk.answers()
    asked: list[str] = []
    monkeypatch.setattr(
        wire, "resolve_dispute", lambda id_, said: asked.append(id_) or true(id_, said)
    )
    with desk.till.inside():
        assert not answering.claim(answer.id), "one claim a sending"
    desk.till.pass_by(62)
    assert (asked, [one.state for one in desk.answers()]) == ([], ["submitting"])
    desk.till.pass_by(62)
    assert len(asked) == 1 and desk.state == "accepted"


def test_a_refused_answer_leaves_the_dispute_to_a_person(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.deliver()
    desk.open()
    with desk.till.inside():
        disputes.give(desk.dispute.id, "contest", "", SYSTEM)
    unfit = evidence.text_of
    monkeypatch.setattr(evidence, "text_of", lambda pack: "")
    desk.till.work()
    monkeypatch.setattr(evidence, "text_of", unfit)
    assert (desk.state, desk.called("dispute_resolve")) == ("needs_answer", 0)
    assert [one.state for one in desk.answers()] == ["refused"]
    assert "did not take the answer" in desk.timeline()
    desk.give("accept")
    desk.till.pass_by(5)
    assert desk.state == "accepted"


def test_an_order_not_bought_yet_is_cancelled_first_and_owed(desk: Desk) -> None:
    desk.open()
    assert desk.till.state(desk.order) == "cancelled"
    whole = desk.dispute.amount_pesewas
    assert desk.till.balances()["refund_due"] == -whole
    desk.till.pass_by(HOUR)
    assert desk.called("refund") == 0, "while it is disputed nothing goes back"
    desk.give("accept")
    desk.till.pass_by(60)
    assert desk.state == "accepted" and desk.called("refund") == 0
    assert "refund_due" not in desk.till.balances()
    assert "dispute_loss" not in desk.till.balances(), "it was owed anyway"
    desk.till.proven()


def test_once_it_is_won_what_is_owed_goes_back_by_itself(desk: Desk) -> None:
    desk.open()
    desk.give("contest")
    desk.till.pass_by(2)
    assert (desk.state, desk.called("refund")) == ("sent", 0)
    desk.bank("verdict")
    assert desk.state == "won"
    desk.till.pass_by(10)
    assert desk.called("refund") == 1
    desk.till.proven()


def test_a_dispute_after_the_refund_is_our_loss(desk: Desk) -> None:
    desk.till.knobs(refund_s=2)
    desk.deliver("refunded")
    desk.till.pass_by(10 * 60)
    assert desk.called("refund") == 1
    desk.open()
    assert "Given back" in str(desk.pack()["lines"])
    desk.bank("expire")
    assert desk.state == "auto_accepted"
    assert desk.till.balances()["dispute_loss"] == desk.dispute.amount_pesewas
    desk.till.proven()


def test_a_dispute_while_it_is_bought_is_booked_once_whatever_comes(desk: Desk) -> None:
    desk.deliver("processing")
    desk.open()
    assert desk.till.state(desk.order) == "processing", "it was bought: it goes on"
    desk.give("accept")
    desk.till.pass_by(5)
    assert desk.state == "accepted"
    with desk.till.inside():
        back = News(money_back=True)
        assert orders.advance(desk.order.id, "refunded", text="Reversed.", news=back)
    assert "refund_due" not in desk.till.balances(), "the payer has it already"
    assert "dispute_loss" not in desk.till.balances()
    desk.till.proven()


@pytest.mark.parametrize("bearer", ["owner", "agent"])
def test_who_bears_the_loss_is_a_setting(till: Till, using: Using, bearer: str) -> None:
    using(**SETTINGS, dispute_loss_bearer=bearer)
    desk = Desk(till)
    desk.deliver()
    desk.open()
    with till.across():
        one = disputes.listing.by_id(desk.dispute.id)
        assert one is not None
        effect = disputes.listing.effect(one)
    earned = till.store_balance("earnings")
    desk.give("accept")
    till.pass_by(5)
    whole = desk.dispute.amount_pesewas
    assert (effect.taken_pesewas, effect.owed_pesewas) == (whole, 0)
    assert effect.agent_pesewas == (whole if bearer == "agent" else 0)
    assert till.store_balance("earnings") - earned == effect.agent_pesewas
    assert till.balances().get("dispute_loss", 0) == effect.owner_pesewas
    till.proven()


@pytest.mark.parametrize("bearer", ["owner", "agent"])
@pytest.mark.parametrize("end", ["completed", "refunded"])
@pytest.mark.parametrize("amount", [None, 200])
def test_a_loss_from_before_the_orders_end_is_borne_at_its_delivery(
    till: Till, using: Using, bearer: str, end: str, amount: int | None
) -> None:
    using(**SETTINGS, dispute_loss_bearer=bearer)
    desk = Desk(till)
    desk.deliver("processing")
    desk.open(**({"amount": amount} if amount else {}))
    with till.across():
        one = disputes.listing.by_id(desk.dispute.id)
        assert one is not None
        effect = disputes.listing.effect(one)
    whole = desk.dispute.amount_pesewas
    assert (effect.agent_pesewas, effect.at_delivery_pesewas) == (
        0,
        whole if bearer == "agent" else 0,
    )
    desk.bank("expire")
    assert desk.dispute.taken_pesewas == whole == (amount or desk.order.price_pesewas)
    assert till.balances()["dispute_loss"] == whole, "no earnings are there yet"
    with till.inside():
        news = News(money_back=True)
        assert orders.advance(desk.order.id, end, text="It ended.", news=news)
    order = till.read(desk.order)
    earned = -till.store_balance("earnings")
    if end == "refunded":
        assert earned == 0
        assert "dispute_loss" not in till.balances(), "it was owed to the payer anyway"
    else:
        borne = whole if bearer == "agent" else 0
        fee = desk.payment().fee_pesewas
        profit = order.price_pesewas - order.agent_price_pesewas - fee
        assert earned == profit - borne
        assert till.balances().get("dispute_loss", 0) == whole - borne
    desk.hear("charge.dispute.resolve")
    till.work()
    assert -till.store_balance("earnings") == earned, "once, whoever looks again"
    till.proven()


def test_the_sweep_finds_what_no_news_told_of_and_says_unknown_ones_once(
    desk: Desk,
) -> None:
    desk.deliver()
    made = desk.till.dispute(desk.reference)
    assert desk.every() == []
    with desk.till.across():
        outbox.request("sweep_disputes", SYSTEM)
    desk.till.work()
    desk.till.work()
    assert (desk.dispute.gateway_id, desk.state) == (made, "needs_answer")
    with desk.till.across():
        listed = desk.till.client.disputes()
        assert isinstance(listed, Rows)
        [row] = listed.rows
        for _night in range(2):
            disputes.swept("123", "OTHER-SHOP-1", is_over=False)
            disputes.swept("124", "OTHER-SHOP-2", is_over=True)
            disputes.swept(row.gateway_id, row.payment_reference, is_over=False)
    assert sorted(desk.till.cases()) == ["dispute_unknown", "payment_disputed"]
    assert len(desk.every()) == 1


def test_news_of_a_payment_that_is_not_ours_is_a_case_and_no_more(till: Till) -> None:
    with till.across(), transaction():
        assert not disputes.heard("77", "OTHER-SHOP-1", "charge.dispute.create")
        assert not disputes.heard("77", "OTHER-SHOP-1", "charge.dispute.remind")
    assert till.cases() == ["dispute_unknown"]


def test_news_without_a_number_that_can_be_kept_still_stops_refunds(
    desk: Desk,
) -> None:
    for id_ in (None, str(2**63), "x"):
        with desk.till.across(), transaction():
            assert disputes.heard(id_, desk.reference, "charge.dispute.create")
    assert (desk.till.cases(), desk.every()) == (["payment_disputed"], [])


def test_what_does_not_fit_is_a_case_and_takes_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.deliver()
    before = desk.till.balances()
    wire = desk.till.client
    true = wire.dispute
    odd = {"currency": "NGN", "amount_pesewas": 10**6}
    monkeypatch.setattr(wire, "dispute", lambda id_: replace(true(id_), **odd))
    desk.open()
    assert sorted(desk.till.cases()) == ["dispute_odd", "payment_disputed"]
    desk.bank("expire")
    assert (desk.state, desk.till.balances()) == ("heard", before)
    monkeypatch.setattr(wire, "dispute", true)
    desk.till.pass_by(7 * HOUR)
    assert (desk.state, desk.till.cases()) == ("auto_accepted", [])


def test_a_dispute_that_the_gateway_does_not_know_ends_with_a_person(
    desk: Desk,
) -> None:
    desk.deliver()
    desk.gateway_id = 4_242
    desk.hear()
    desk.till.work()
    assert desk.state == "heard"
    desk.till.pass_by(10 * 60)
    assert (desk.state, desk.till.cases()) == ("unknown", ["payment_disputed"])
    assert "not found" in str(desk.till.case("payment_disputed").evidence)


def test_owners_are_reminded_a_working_day_and_six_hours_before(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[str, str]] = []
    monkeypatch.setattr(messages, "can_send", lambda: True)
    monkeypatch.setattr(
        messages, "send", lambda kind, to, text: sent.append((to, text))
    )
    desk.deliver()
    desk.open()
    due = desk.dispute.due_at
    moments = [disputes.deadline.before(due, hours) for hours in (24, 6)]
    for count, moment in enumerate(moments, 1):
        assert desk.dispute.reminded == count
        desk.till.pass_by((moment - clock.now()).total_seconds() - 30)
        assert desk.dispute.reminded == count
        desk.till.pass_by(60)
    assert desk.dispute.reminded == 3
    assert str(desk.till.case("payment_disputed").evidence).count("reminder") >= 2
    desk.give("accept")
    desk.till.pass_by(HOUR)
    assert desk.state == "accepted" and desk.dispute.reminded == 3


def test_a_bug_of_ours_is_a_case_and_it_is_looked_at_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.deliver()
    desk.gateway_id = desk.till.dispute(desk.reference)
    desk.hear()

    def fail(*_args: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(disputing, "_look", fail)
    with pytest.raises(ZeroDivisionError):
        desk.till.work()
    monkeypatch.undo()
    assert "dispute_odd" in desk.till.cases()
    desk.till.pass_by(10 * 60)
    assert desk.state == "needs_answer"


def test_what_came_and_went_unseen_is_not_booked_and_is_a_case(till: Till) -> None:
    order = till.opened()
    desk = Desk.__new__(Desk)
    desk.till, desk.order, desk.reference = till, order, till.reference(order)
    till.pay(desk.reference)
    desk.gateway_id = till.dispute(desk.reference)
    till.bank(desk.gateway_id, "expire")
    desk.hear("charge.dispute.resolve")
    till.work()
    assert desk.state == "auto_accepted" and desk.dispute.taken_pesewas == 0
    assert (till.balances(), desk.notes()) == ({}, [])
    assert sorted(till.cases()) == ["dispute_odd", "payment_disputed"]
    till.proven()


def test_the_file_of_evidence_is_a_pdf_that_readers_open() -> None:
    made = receipt_pdf.of(["GH₵ 5 (five)", "a \\ b", "x " * 200, "ɛ", *["line"] * 120])
    assert made.startswith(b"%PDF-1.4") and made.endswith(b"%%EOF\n")
    assert made.count(b"/Type /Page ") == 3
    assert rb"(GHS 5 \(five\)) '" in made and rb"(a \\ b) '" in made
    start = int(made.rsplit(b"startxref\n", 1)[1].split(b"\n")[0])
    assert made[start:].startswith(b"xref\n")
    for n, line in enumerate(made[start:].split(b"\n")[3:], 1):
        if not line.endswith(b" n "):
            break
        assert made[int(line[:10]) :].startswith(b"%d 0 obj" % n)
