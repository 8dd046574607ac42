"""The fourteen facts about Paystack that decide how it must be used, each seen at the gateway."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from paystack_kit import (
    EMAIL,
    PAYOUT,
    REF,
    Pair,
    page,
    payout,
    prompt,
    refund,
)

from integrations.payment_shapes import Prompt, Refund, Refunds, Refused, Transfer
from integrations.payments_port import Dispute, Rows
from integrations.paystack_sandbox.disputes import business_due
from integrations.sandbox.clock import iso

pytestmark = pytest.mark.slow(seconds=0.3)


def test_fact_1_only_success_is_announced(pair: Pair) -> None:
    pair.client.charge(prompt("02"))
    pair.pass_(3_600)
    assert pair.verify().status == "failed"
    pair.start(reference="MK-P-NOBODY")
    pair.pass_(86_400)
    assert pair.verify("MK-P-NOBODY").raw_status == "abandoned"
    assert pair.ear.heard == []
    pair.client.charge(prompt("01", "MK-P-SOMEBODY"))
    pair.pass_(60)
    assert pair.ear.events == ["charge.success"]


def test_fact_2_abandoned_is_not_final(pair: Pair) -> None:
    pair.start()
    first = pair.verify()
    assert (first.status, first.raw_status, first.paid_at) == (
        "waiting",
        "abandoned",
        None,
    )
    assert not first.needs_person
    pair.client.charge(prompt("06", "MK-P-LATE"))
    pair.pass_(10 * 60)
    assert pair.verify("MK-P-LATE").raw_status == "abandoned"
    pair.pass_(35 * 60)
    assert pair.verify("MK-P-LATE").status == "paid"


def test_fact_3_a_prompt_lives_three_minutes(pair: Pair) -> None:
    said = pair.client.charge(prompt("04"))
    assert isinstance(said, Prompt)
    assert (said.step, said.text) == (
        "approve_on_phone",
        "Approve the request on your phone",
    )
    pair.pass_(179)
    still = pair.client.pending_charge(REF)
    assert isinstance(still, Prompt) and still.step == "approve_on_phone"
    assert pair.verify().raw_status == "ongoing"
    pair.pass_(1)
    assert pair.verify().status == "failed"


def test_fact_4_more_may_be_charged_than_was_asked_for(pair: Pair) -> None:
    pair.client.charge(prompt("08"))
    pair.pass_(60)
    found = pair.verify()
    assert (found.amount_pesewas, found.requested_pesewas) == (510, 500)
    assert pair.books(REF)["taken"] == 510


def test_fact_5_the_signature_is_of_the_raw_bytes_by_the_secret_key(pair: Pair) -> None:
    pair.paid()
    ((headers, body),) = pair.ear.heard
    assert pair.client.read_event(body, headers).signed_by == "current"
    spaced = json.dumps(json.loads(body)).encode()
    assert json.loads(spaced) == json.loads(body)
    assert pair.client.read_event(spaced, headers).signed_by is None
    new = "sk_test_" + "c0" * 20
    pair.tool("/rotate", world="test", key=new)
    rotated = pair.with_key(new, previous_key=pair.key)
    assert rotated.read_event(body, headers).signed_by == "previous"
    assert pair.with_key(new).read_event(body, headers).signed_by is None
    assert pair.client.verify(REF).kind == "credentials"  # type: ignore[union-attr]
    assert rotated.verify(REF).status == "paid"  # type: ignore[union-attr]


def test_fact_6_webhooks_have_no_id_no_time_and_no_order(pair: Pair) -> None:
    pair.knobs(webhook_reorder=True)
    for number in range(4):
        pair.client.charge(prompt("01", f"MK-P-{number}"))
    pair.pass_(60)
    pair.pass_(60)
    assert all(set(body) == {"event", "data"} for body in pair.ear.bodies)
    order = [body["data"]["reference"] for body in pair.ear.bodies]
    assert sorted(order) == [f"MK-P-{number}" for number in range(4)] != order


def test_fact_7_two_refund_requests_are_two_refunds(pair: Pair) -> None:
    found = pair.paid()
    first, second = (pair.client.refund(refund(200)) for _ in range(2))
    assert isinstance(first, Refund) and isinstance(second, Refund)
    assert first.gateway_id != second.gateway_id
    listed = pair.client.refunds_of(found.gateway_id or "")
    assert isinstance(listed, Refunds) and listed.is_whole
    assert {row.gateway_id for row in listed.rows} == {
        first.gateway_id,
        second.gateway_id,
    }
    assert pair.books(REF)["refunded"] == 400


def test_fact_8_a_transfer_is_one_by_its_lower_case_reference(pair: Pair) -> None:
    whom = pair.whom()
    assert isinstance(pair.client.transfer(payout(whom)), Transfer)
    again = pair.client.transfer(payout(whom))
    assert isinstance(again, Refused) and again.kind == "duplicate_reference"
    assert pair.books()["paid_out"] == 2_000
    upper = pair.client.transfer(payout(whom, reference=PAYOUT.upper()))
    assert isinstance(upper, Refused) and upper.code == "BAD_REFERENCE"
    body = {"source": "balance", "amount": 100, "recipient": whom, "currency": "GHS"}
    answer = pair.raw(
        "POST", "/transfer", body | {"reference": "MK-W-0123456789ABCDEF"}
    )
    assert answer.status_code == 400


def test_fact_9_without_a_currency_a_transfer_is_in_naira(pair: Pair) -> None:
    body = {"source": "balance", "amount": 100, "recipient": pair.whom()}
    answer = pair.raw("POST", "/transfer", body)
    assert answer.status_code == 400 and "balance" in answer.json()["message"]
    assert isinstance(pair.client.transfer(payout(pair.whom())), Transfer)
    bodies = [json.loads(r.request_body) for r in pair.records if r.request_body]
    assert {body["currency"] for body in bodies} == {"GHS"}


def test_fact_10_a_starter_business_pays_nobody_out(pair: Pair) -> None:
    whom = pair.whom()
    pair.knobs(starter=True)
    said = pair.client.transfer(payout(whom))
    assert isinstance(said, Refused) and said.kind == "starter_business"
    assert pair.books()["paid_out"] == 0


def test_fact_11_what_collecting_and_paying_out_cost(pair: Pair) -> None:
    assert pair.paid(amount=10_000).fees_pesewas == 195
    pair.client.transfer(payout(pair.whom()))
    assert pair.books()["payout_fees"] == 100
    bank = pair.whom("1234567890123", "ghipss")
    pair.client.transfer(payout(bank, reference="mk-w-ffffffffffffffff"))
    assert pair.books()["payout_fees"] == 900
    pair.client.refund(refund(10_000))
    pair.pass_(4_000)
    books = pair.books(REF)
    assert (books["taken"], books["refunded"], books["fees"]) == (10_000, 10_000, 195)


def test_fact_12_every_payment_needs_an_address(pair: Pair) -> None:
    said = pair.client.initialise(replace(page(), email=""))
    assert isinstance(said, Refused) and said.code == "BAD_EMAIL"
    for path in ("/transaction/initialize", "/charge"):
        mobile = {"phone": "0241234501", "provider": "mtn"}
        answer = pair.raw("POST", path, {"amount": 500, "mobile_money": mobile})
        assert (answer.status_code, answer.json()["code"]) == (400, "missing_params")
    pair.start()
    assert EMAIL not in str(pair.records)


def test_fact_13_test_mode_is_not_ghana(make: Any) -> None:
    pair = make(as_ghana=False)
    body = {
        "email": EMAIL,
        "amount": 500,
        "reference": REF,
        "mobile_money": {"phone": "0551234987", "provider": "mtn"},
    }
    answer = pair.raw("POST", "/charge", body)
    assert answer.json()["data"]["status"] == "success"
    other = pair.client.charge(prompt("01", "MK-P-OTHER"))
    assert isinstance(other, Prompt) and other.step == "failed"
    sent = pair.client.transfer(payout(pair.whom()))
    assert isinstance(sent, Transfer) and sent.status == "paid"
    pair.pass_(14 * 86_400)
    assert pair.client.settlements() == Rows(())


def test_fact_14_an_unanswered_dispute_is_lost_by_itself(pair: Pair) -> None:
    pair.paid()
    pair.client.refund(refund(100))
    opened = pair.tool("/dispute", reference=REF, amount=400)
    friday = datetime(2026, 2, 6, 18, 0, tzinfo=UTC).timestamp()
    assert (
        iso(business_due(friday, 48)) == "2026-02-10T18:00:00.000Z"
    )  # Tuesday evening
    number = str(opened["id"])
    pair.pass_(47 * 3_600)
    found = pair.client.dispute(number)
    assert isinstance(found, Dispute) and found.status == "needs_answer"
    pair.pass_(3_600)
    lost = pair.client.dispute(number)
    assert isinstance(lost, Dispute)
    assert (lost.status, lost.resolution) == ("resolved", "auto-accepted")
    assert pair.verify().status == "reversed"
    assert pair.books(REF)["disputed"] == 400
    reminders = pair.ear.events.count("charge.dispute.remind")
    assert reminders == 11  # every four hours
    assert pair.ear.events[-1] == "charge.dispute.resolve"
