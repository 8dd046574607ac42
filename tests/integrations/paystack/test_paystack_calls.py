"""Our client against the stand-alone gateway, over a real socket: each call and each refusal.

The two share no code, so each checks the other's reading of the wire.
"""

from __future__ import annotations

from typing import Any

import pytest
from paystack_kit import (
    BACK,
    EMAIL,
    PAYOUT,
    REF,
    WEDNESDAY,
    Pair,
    each,
    page,
    payout,
    prompt,
    refund,
)

from integrations.payment_shapes import (
    Done,
    Holder,
    Holdings,
    NotFound,
    Payment,
    Prompt,
    Recipient,
    RecipientRequest,
    Refund,
    RefundAccount,
    Refunds,
    Refused,
    Started,
    Transfer,
    Unclear,
)
from integrations.payments_port import Dispute, Evidence, Resolution, Rows, Span, Upload
from integrations.ports import NoAnswer, NotSent

pytestmark = pytest.mark.slow(seconds=0.3)

EVIDENCE = Evidence(EMAIL, "Kofi", "0241234567", "5 GB on MTN, delivered 09:12")


def test_a_payment_from_page_to_books(pair: Pair) -> None:
    started = pair.client.initialise(
        page(label="Ama's shop", metadata={"order": "8W3J"})
    )
    assert isinstance(started, Started)
    assert started.url == f"{pair.url}/checkout/{started.access_code}"
    pressed = pair.http.post(started.url, data={"act": "approve"})
    assert pressed.status_code == 303
    assert pressed.headers["Location"] == f"{BACK}&trxref={REF}&reference={REF}"
    found = pair.verify()
    assert (found.status, found.currency, found.is_live) == ("paid", "GHS", False)
    assert (found.amount_pesewas, found.requested_pesewas) == (500, 500)
    assert found.fees_pesewas == 10
    assert (found.channel, found.payer.bank) == ("mobile_money", "MTN Mobile Money")
    assert found.metadata == {"order": "8W3J"}
    assert found.paid_at == found.created_at == WEDNESDAY
    assert int(found.gateway_id or 0) > 2**53
    assert pair.client.payment(found.gateway_id or "") == found
    assert pair.books(REF) == pair.books(REF) | {"taken": 500, "fees": 10, "holds": 490}


def test_lists_of_payments_go_on_by_a_cursor(pair: Pair) -> None:
    references = [f"MK-P-{number:03d}" for number in range(120)]
    for reference in references[:70]:
        pair.start(reference=reference)
    first = pair.client.payments()
    assert isinstance(first, Rows) and len(first.rows) == 50 and first.after
    for reference in references[70:]:
        pair.start(reference=reference)  # rows that arrive meanwhile move nothing
    second = pair.client.payments(after=first.after)
    assert isinstance(second, Rows) and second.after is None
    read = [row.reference for row in (*first.rows, *second.rows)]
    assert read == references[69::-1]
    assert pair.client.payments(Span(status="success")) == Rows(())
    pair.pass_(7_200)
    pair.paid("MK-P-LATER")
    since = pair.client.payments(Span(since=pair.now(), until=pair.now()))
    assert isinstance(since, Rows)
    assert [row.reference for row in since.rows] == ["MK-P-LATER"]
    pair.start(reference="MK-P-NEWER")
    paid = pair.client.payments(Span(status="success"))
    assert isinstance(paid, Rows)
    assert [row.reference for row in paid.rows] == ["MK-P-LATER"]


def test_a_prompt_and_its_code(pair: Pair) -> None:
    asked = pair.client.charge(prompt("05"))
    assert (
        isinstance(asked, Prompt)
        and asked.step == "enter_otp"
        and "*110#" in asked.text
    )
    paid = pair.client.submit_otp(REF, "123456")
    assert isinstance(paid, Prompt) and paid.step == "paid"
    assert pair.verify().status == "paid"
    pair.client.charge(prompt("05", "MK-P-WRONG"))
    dead = pair.client.submit_otp("MK-P-WRONG", "000000")
    assert isinstance(dead, Prompt) and dead.step == "failed"
    assert pair.verify("MK-P-WRONG").status == "failed"
    nobody = pair.client.submit_otp("MK-P-NOBODY", "123456")
    assert isinstance(nobody, Refused) and nobody.kind == "not_found"
    assert pair.client.pending_charge("MK-P-NOBODY") == NotFound("MK-P-NOBODY")
    assert "123456" not in str(pair.records) and "000000" not in str(pair.records)


def test_a_refund_in_parts_until_nothing_is_left(pair: Pair) -> None:
    paid = pair.paid()
    number = paid.gateway_id or ""
    first = pair.client.refund(refund(200, "MK-R-1"))
    assert isinstance(first, Refund)
    assert (first.status, first.amount_pesewas, first.note) == ("open", 200, "MK-R-1")
    assert (first.payment_id, first.payment_reference) == (number, REF)
    over = pair.client.refund(refund(301, "MK-R-2"))
    assert isinstance(over, Refused) and over.kind == "invalid"
    assert isinstance(pair.client.refund(refund(300, "MK-R-3")), Refund)
    none = pair.client.refund(refund(1, "MK-R-4"))
    assert isinstance(none, Refused) and none.kind == "already_refunded"
    pair.pass_(3_600)
    listed = pair.client.refunds_of(number)
    assert isinstance(listed, Refunds) and listed.is_whole
    assert [(row.status, row.note) for row in listed.rows] == [
        ("done", "MK-R-3"),
        ("done", "MK-R-1"),
    ]
    assert {row.payment_id for row in listed.rows} == {number}
    assert pair.client.refunds_of(REF) == Refunds(())  # a reference finds nothing
    assert pair.verify().status == "reversed"
    assert pair.client.refund_record("77") == NotFound("77")
    assert pair.ear.events.count("refund.processed") == 2


def test_a_refund_that_needs_details_is_sent_again_with_them(pair: Pair) -> None:
    pair.knobs(refund_outcome="needs-attention")
    pair.paid()
    made = pair.client.refund(refund(500))
    assert isinstance(made, Refund)
    account = RefundAccount("0241234567", "28")
    early = pair.client.refund_again(made.gateway_id, account)
    assert isinstance(early, Refused) and early.kind == "wrong_state"
    pair.pass_(3_600)
    found = pair.client.refund_record(made.gateway_id)
    assert isinstance(found, Refund) and found.status == "needs_details"
    again = pair.client.refund_again(made.gateway_id, account)
    assert isinstance(again, Refund) and again.raw_status == "processing"
    pair.pass_(3_600)
    done = pair.client.refund_record(made.gateway_id)
    assert isinstance(done, Refund) and done.status == "done"
    assert pair.books(REF)["refunded"] == 500


def test_a_payout_and_what_it_leaves(pair: Pair) -> None:
    whom = pair.client.recipient(
        RecipientRequest("mobile_money", "Ama Mensah", "0241234567", "MTN")
    )
    assert isinstance(whom, Recipient) and whom.is_active
    assert pair.whom() == whom.code  # the same account is the same recipient
    sent = pair.client.transfer(payout(whom.code))
    assert isinstance(sent, Transfer)
    assert (sent.status, sent.raw_status, sent.recipient_code) == (
        "in_transit",
        "pending",
        None,
    )
    pair.pass_(30)
    found = pair.client.verify_transfer(PAYOUT)
    assert isinstance(found, Transfer)
    assert (found.status, found.amount_pesewas, found.fee_pesewas) == (
        "paid",
        2_000,
        100,
    )
    assert (found.recipient_code, found.currency) == (whom.code, "GHS")
    assert pair.client.holdings() == Holdings(97_900)
    lines = pair.client.ledger()
    assert isinstance(lines, Rows)
    assert [(line.difference_pesewas, line.about) for line in lines.rows[:2]] == [
        (-100, "Transfer"),
        (-2_000, "Transfer"),
    ]
    assert lines.rows[0].balance_pesewas == 97_900 and lines.after is None
    assert pair.client.verify_transfer("mk-w-0000000000000000") == NotFound(
        "mk-w-0000000000000000"
    )
    assert pair.ear.events == ["transfer.success"]


def test_a_payout_that_waits_for_a_code(pair: Pair) -> None:
    pair.knobs(otp=True)
    sent = pair.client.transfer(payout(pair.whom()))
    assert isinstance(sent, Transfer) and sent.status == "needs_owner" and sent.code
    assert isinstance(pair.client.resend_otp(sent.code), Done)
    done = pair.client.finalise_transfer(sent.code, "123456")
    assert isinstance(done, Transfer) and done.status == "in_transit"
    late = pair.client.finalise_transfer(sent.code, "123456")
    assert isinstance(late, Refused)
    assert isinstance(pair.client.resend_otp("TRF_nobody"), Refused)
    other = pair.client.transfer(payout(pair.whom(), reference="mk-w-aaaaaaaaaaaaaaaa"))
    assert isinstance(other, Transfer) and other.code
    wrong = pair.client.finalise_transfer(other.code, "000000")
    assert isinstance(wrong, Transfer) and wrong.status == "failed"
    third = "mk-w-bbbbbbbbbbbbbbbb"
    pair.client.transfer(payout(pair.whom(), reference=third))
    pair.pass_(1_800)
    left = pair.client.verify_transfer(third)
    assert isinstance(left, Transfer)
    assert (left.status, left.raw_status) == ("failed", "abandoned")
    assert pair.client.holdings() == Holdings(97_900)


def test_banks_and_names(pair: Pair) -> None:
    wallets = pair.client.banks()
    assert isinstance(wallets, Rows)
    assert [(bank.code, bank.gateway_id) for bank in wallets.rows] == [
        ("MTN", "28"),
        ("VOD", "66"),
        ("ATL", "29"),
    ]
    banks = pair.client.banks("ghipss")
    assert isinstance(banks, Rows) and {bank.kind for bank in banks.rows} == {"ghipss"}
    found = pair.client.holder("0241234567", "MTN")
    assert isinstance(found, Holder) and found.account_name
    assert pair.client.holder("0241234599", "MTN") == NotFound("0241234599")
    assert "0241234567" not in str(pair.records)
    assert found.account_name not in str(pair.records)


def test_settlements_and_what_is_in_them(pair: Pair) -> None:
    pair.paid("MK-P-1", 1_000)
    pair.paid("MK-P-2", 2_000)
    pair.client.refund(refund(300, reference="MK-P-2"))
    assert pair.client.settlements() == Rows(())
    pair.pass_(86_400 + 3_600)  # until Thursday, 10:00
    found = pair.client.settlements()
    assert isinstance(found, Rows) and len(found.rows) == 1
    (one,) = found.rows
    assert (one.total_pesewas, one.fees_pesewas, one.deductions_pesewas) == (
        3_000,
        59,
        300,
    )
    assert one.effective_pesewas == 3_000 - 59 - 300
    inside = pair.client.settled_payments(one.gateway_id)
    assert isinstance(inside, Rows)
    assert [row.reference for row in inside.rows] == ["MK-P-1", "MK-P-2"]
    assert pair.books()["settled"] == one.effective_pesewas
    unknown = pair.client.settled_payments("77")
    assert isinstance(unknown, NoAnswer)


def test_a_dispute_that_is_contested(pair: Pair) -> None:
    pair.paid()
    opened = str(pair.tool("/dispute", reference=REF)["id"])
    found = pair.client.dispute(opened)
    assert isinstance(found, Dispute) and found.status == "needs_answer"
    assert (found.payment_reference, found.amount_pesewas) == (REF, 500)
    assert found.due_at is not None and found.due_at.day == 6
    listed = pair.client.disputes()
    assert listed == Rows((found,))
    place = pair.client.dispute_upload(opened, "timeline.pdf")
    assert isinstance(place, Upload) and place.url.startswith(pair.url)
    assert pair.http.put(place.url, content=b"%PDF").status_code == 200
    number = pair.client.dispute_evidence(opened, EVIDENCE)
    assert isinstance(number, str)
    answer = Resolution("decline", "It was delivered", 0, place.file_name, number)
    sent = pair.client.resolve_dispute(opened, answer)
    assert isinstance(sent, Dispute) and sent.status == "waiting"
    twice = pair.client.resolve_dispute(opened, answer)
    assert isinstance(twice, Refused)
    pair.pass_(3 * 86_400)
    won = pair.client.dispute(opened)
    assert isinstance(won, Dispute)
    assert (won.status, won.resolution) == ("resolved", "declined")
    assert pair.verify().status == "paid" and pair.books(REF)["disputed"] == 0
    assert pair.client.dispute("77") == NotFound("77")
    bad = pair.client.dispute_evidence(opened, Evidence(EMAIL, "", "", ""))
    assert isinstance(bad, Refused) and bad.code == "BAD_EVIDENCE"
    walked = pair.client.dispute_upload(opened, "../x.pdf")
    assert isinstance(walked, Refused) and walked.code == "BAD_FILE"


def test_a_dispute_that_is_accepted_gives_the_money_back(pair: Pair) -> None:
    pair.paid()
    opened = str(pair.tool("/dispute", reference=REF)["id"])
    answer = Resolution("accept", "It did not come", 500, "none.pdf")
    done = pair.client.resolve_dispute(opened, answer)
    assert isinstance(done, Dispute)
    assert (done.status, done.resolution) == ("resolved", "merchant-accepted")
    assert pair.verify().status == "reversed" and pair.books(REF)["disputed"] == 500
    pair.gateway.webhooks.drain()
    news = [pair.client.read_event(body, head) for head, body in pair.ear.heard]
    assert [one.look_up for one in news] == ["payment", "dispute", "dispute"]
    assert {one.gateway_id for one in news[1:]} == {opened}
    assert {one.reference for one in news} == {REF}


@each("row", range(12))
def test_each_refusal_of_the_contract(pair: Pair, row: int) -> None:
    """The rows of section 2 that the gateway can be brought to answer, one after the other."""
    client: Any = pair.client
    pair.paid()
    whom = pair.whom()
    wrong = pair.with_key("sk_test_" + "ff" * 20)
    number = RecipientRequest("mobile_money", "Ama", "0241234598", "MTN")
    bank = RecipientRequest("mobile_money", "Ama", "0241234567", "NOBANK")
    closed = pair.whom("0241234597")
    rows: list[tuple[Any, str]] = [
        (lambda: wrong.transfer(payout(whom)), "credentials"),
        (lambda: client.initialise(page()), "duplicate_reference"),
        (lambda: client.charge(prompt("01")), "duplicate_reference"),
        (lambda: client.transfer(payout("RCP_nobody")), "recipient"),
        (
            lambda: [client.transfer(payout(whom)) for _ in range(2)][1],
            "duplicate_reference",
        ),
        (lambda: client.transfer(payout(whom, 100_000)), "insufficient_balance"),
        (lambda: client.recipient(number), "recipient"),
        (lambda: client.recipient(bank), "recipient"),
        (lambda: client.transfer(payout(closed)), "recipient"),
        (lambda: [client.refund(refund(500)) for _ in range(2)][1], "already_refunded"),
        (lambda: client.refund(refund(1, reference="MK-P-NOBODY")), "not_found"),
        (lambda: _poor(pair), "insufficient_balance"),
    ]
    act, kind = rows[row]
    said = act()
    assert isinstance(said, Refused) and said.kind == kind, said
    assert said.message


def _poor(pair: Pair) -> Any:
    """A refund by a business that has settled everything and holds no balance."""
    pair.tool("/settle")
    pair.tool("/top_up", amount=-100_000)
    return pair.client.refund(refund(500))


def test_what_is_unknown_and_who_may_not_ask(pair: Pair) -> None:
    assert pair.client.verify("MK-P-NOBODY") == NotFound("MK-P-NOBODY")
    assert pair.client.payment("77") == NotFound("77")
    assert pair.client.verify("..") == NotFound("..")
    assert pair.client.verify("a/../../balance") == NotFound("a/../../balance")
    said = pair.with_key("sk_test_" + "ff" * 20).verify(REF)
    assert isinstance(said, NoAnswer) and said.kind == "credentials"
    bad = pair.raw("POST", "/transaction/initialize", {"email": "x", "amount": 500})
    assert bad.json()["code"] == "invalid_email_address"
    few = pair.raw("POST", "/transaction/initialize", {"email": EMAIL, "amount": 9})
    assert few.json() | {"meta": 0, "type": 0} == {
        "status": False,
        "message": "Invalid Amount Sent",
        "code": "invalid_params",
        "meta": 0,
        "type": 0,
    }
    naira = pair.raw(
        "POST",
        "/transaction/initialize",
        {"email": EMAIL, "amount": 500, "currency": "NGN"},
    )
    assert naira.json()["message"] == "Currency not supported by merchant"


@each(
    "fault, made, kind",
    [
        ("lost_before", False, Unclear),
        ("lost_after", True, Unclear),
        ("reset_before", False, Unclear),
        ("reset_after", True, Unclear),
        ("http_500", False, Unclear),
        ("http_500_after", True, Unclear),
        ("http_503", False, Unclear),
        ("html", False, Unclear),
        ("html_after", True, Unclear),
        ("truncated", True, Unclear),
        ("short_body", True, Unclear),
        ("http_429", False, NotSent),
        ("http_401", False, Refused),
    ],
)
def test_what_is_lost_is_unclear_and_never_sent_twice(
    pair: Pair, fault: str, made: bool, kind: type
) -> None:
    whom = pair.whom()
    pair.paid("MK-P-PAID")
    calls = {
        "initialize": lambda: pair.client.initialise(page()),
        "transfer": lambda: pair.client.transfer(payout(whom)),
        "refund": lambda: pair.client.refund(refund(200, reference="MK-P-PAID")),
    }
    for call, act in calls.items():
        pair.plan(fault, call, seconds=7)
        before = pair.gateway.calls[call]
        said = act()
        assert isinstance(said, kind), (call, said)
        assert pair.gateway.calls[call] == before + 1
    assert isinstance(pair.client.verify(REF), Payment if made else NotFound)
    assert pair.books()["paid_out"] == (2_000 if made else 0)
    assert pair.books("MK-P-PAID")["refunded"] == (200 if made else 0)
    pair.plan(fault, "verify", seconds=7)
    read = pair.client.verify("MK-P-PAID")
    assert isinstance(read, NoAnswer)
    if fault == "http_429":
        assert (read.kind, read.retry_after_s) == ("rate_limited", 7)


def test_a_transfer_whose_answer_was_lost_is_paid_once(pair: Pair) -> None:
    whom = pair.whom()
    pair.plan("lost_after", "transfer")
    assert isinstance(pair.client.transfer(payout(whom)), Unclear)
    again = pair.client.transfer(payout(whom))
    assert isinstance(again, Refused) and again.kind == "duplicate_reference"
    pair.pass_(60)
    found = pair.client.verify_transfer(PAYOUT)
    assert isinstance(found, Transfer) and found.status == "paid"
    assert pair.books()["paid_out"] == 2_000


def test_a_refund_whose_answer_was_lost_is_found_by_its_note(pair: Pair) -> None:
    paid = pair.paid()
    pair.plan("lost_after", "refund")
    assert isinstance(pair.client.refund(refund(500, "MK-R-7")), Unclear)
    listed = pair.client.refunds_of(paid.gateway_id or "")
    assert isinstance(listed, Refunds)
    assert [(row.note, row.amount_pesewas) for row in listed.rows] == [("MK-R-7", 500)]
