"""What our client makes of single answers, how it writes, and what its records show."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import httpx
import pytest
from paystack_kit import (
    EMAIL,
    PAYOUT,
    REF,
    TEST_KEY,
    WEDNESDAY,
    each,
    ok,
    page,
    payout,
    prompt,
    refund,
    refused,
    said,
    scripted,
)

from integrations.payment_shapes import (
    NotFound,
    Payment,
    Prompt,
    RecipientRequest,
    Refund,
    RefundAccount,
    Refunds,
    Refused,
    Started,
    Transfer,
    Unclear,
)
from integrations.payments_port import Rows
from integrations.paystack.asking import segment
from integrations.paystack.client import Paystack
from integrations.ports import CallRecord, NoAnswer, NotSent

HTML = httpx.Response(404, content=b"<h1>Not found</h1>")


def row(**changes: Any) -> dict[str, Any]:
    return {
        "id": 9007199254740993, "domain": "test", "status": "success", "reference": REF,
        "amount": 500, "requested_amount": 500, "currency": "GHS", "fees": 10,
    } | changes  # fmt: skip


@each(
    "answer, kind",
    [
        (refused(401, "invalid_Key"), "credentials"),
        (refused(403, "", "IP not allowed"), "credentials"),
        (refused(400, "missing_params"), "invalid"),
        (refused(400, "duplicate_transfer_reference"), "duplicate_reference"),
        (refused(400, "", "Duplicate Transaction Reference"), "duplicate_reference"),
        (refused(400, "insufficient_balance"), "insufficient_balance"),
        (refused(400, "", "Your balance is not enough to fulfil this request"),
         "insufficient_balance"),
        (refused(400, "invalid_transfer_recipient"), "recipient"),
        (refused(400, "", "Account closed"), "recipient"),
        (refused(422, "invalid_params"), "wrong_state"),
        (refused(400, "something_new", "A new rule"), "other"),
        (refused(404, "", "Transfer not found"), None),  # it may be looked at still
        (HTML, None),
        (refused(408), None),
        (refused(409, "duplicate_transfer_reference"), None),
        (refused(500, "unknown"), None),
        (refused(504), None),
        (said(200, {"status": False, "message": "no"}), None),
        (said(400, {"status": True, "data": {"reference": PAYOUT}}), None),
        (said(302, {"status": False, "message": "moved"}), None),
        (httpx.Response(400, content=b""), None),
        (said(400, {"status": "false", "message": "no", "code": "missing_params"}), None),
        (ok({"reference": "mk-w-another-one-0001", "status": "success"}), None),
        (ok([]), None),
    ],
)  # fmt: skip
def test_what_proves_that_nothing_was_paid_out(
    answer: httpx.Response, kind: str | None
) -> None:
    result = scripted(answer).transfer(payout("RCP_1"))
    if kind is None:
        assert isinstance(result, Unclear), result
    else:
        assert isinstance(result, Refused) and result.kind == kind


@each(
    "problem, kind",
    [
        (httpx.ConnectError("no"), NotSent),
        (httpx.ConnectTimeout("no"), NotSent),
        (httpx.ReadTimeout("no"), Unclear),
        (httpx.ReadError("no"), Unclear),
        (httpx.RemoteProtocolError("no"), Unclear),
        (httpx.WriteError("no"), Unclear),
    ],
)
def test_only_what_never_left_is_not_sent(problem: Exception, kind: type) -> None:
    records: list[CallRecord] = []
    client = scripted(problem, records)
    assert isinstance(client.refund(refund(5)), kind)
    assert isinstance(client.verify(REF), NoAnswer)
    words = [record.outcome for record in records]
    assert words == ["not_sent" if kind is NotSent else "unknown", "no_answer"]


@each(
    "headers, wait_s",
    [
        ({}, 60),
        ({"x_ratelimit_reset": "7"}, 7),
        ({"x_ratelimit_reset": "0"}, 1),
        ({"x_ratelimit_reset": "900"}, 60),
        ({"x_ratelimit_reset": str(int(WEDNESDAY.timestamp()) + 9)}, 9),
        ({"x_ratelimit_reset": str(int(WEDNESDAY.timestamp()) - 9)}, 1),
        ({"x_ratelimit_reset": "soon"}, 60),
        ({"x_ratelimit_reset": "-5"}, 60),
    ],
)
def test_how_long_a_429_asks_to_wait(headers: dict[str, str], wait_s: float) -> None:
    client = scripted(said(429, {"status": False, "message": "slow"}, **headers))
    assert client.transfer(payout("RCP_1")) == NotSent("http_429", wait_s, True)
    assert client.verify(REF) == NoAnswer("rate_limited", "http_429", wait_s)


@each(
    "answer, absent",
    [
        (refused(404, "transaction_not_found"), True),
        (refused(404, "not_found"), True),
        (refused(404, "", "Transaction reference not found"), True),
        (refused(404, "", "Not here"), False),
        (refused(404, "unknown", "not found"), False),
        (HTML, False),
        (refused(500, "transaction_not_found"), False),
        (said(404, {"status": True, "message": "not found"}), False),
    ],
)
def test_absence_is_paystacks_own_word(answer: httpx.Response, absent: bool) -> None:
    result = scripted(answer).verify(REF)
    assert (result == NotFound(REF)) is absent
    assert absent or isinstance(result, NoAnswer)


def test_words_for_states_known_and_new() -> None:
    words = {
        "success": "paid", "failed": "failed", "reversed": "reversed", "abandoned": "waiting",
        "ongoing": "waiting", "pending": "waiting", "processing": "waiting", "queued": "waiting",
    }  # fmt: skip
    for raw, word in words.items():
        found = scripted(ok(row(status=raw))).verify(REF)
        assert isinstance(found, Payment)
        assert (found.status, found.raw_status, found.needs_person) == (
            word,
            raw,
            False,
        )
    for odd in ("reversal-pending", "SUCCESSFUL", "", None, True, 1, ["success"]):
        found = scripted(ok(row(status=odd))).verify(REF)
        assert isinstance(found, Payment)
        assert (found.status, found.needs_person) == ("waiting", True)
    transfers = {
        "pending": "in_transit", "received": "in_transit", "otp": "needs_owner", "success": "paid",
        "failed": "failed", "reversed": "reversed", "abandoned": "failed", "blocked": "failed",
        "rejected": "failed", "new": "in_transit",
    }  # fmt: skip
    for raw, word in transfers.items():
        answer = ok({"reference": PAYOUT, "status": raw})
        sent = scripted(answer).verify_transfer(PAYOUT)
        assert isinstance(sent, Transfer)
        assert (sent.status, sent.needs_person) == (word, raw == "new")
    refunds = {
        "pending": "open", "processing": "open", "processed": "done", "failed": "failed",
        "needs-attention": "needs_details", "needs_attention": "needs_details", "new": "open",
    }  # fmt: skip
    for raw, word in refunds.items():
        got = scripted(ok({"id": 7, "status": raw})).refund_record("7")
        assert isinstance(got, Refund)
        assert (got.status, got.needs_person) == (word, raw == "new")


@each(
    "wire, read",
    [
        (500, 500), ("500", 500), (0, 0), (None, None), ("5.00", None), (5.5, None), (500.0, None),
        (-1, None), (True, None), ("", None), ("٥", None), (2**60, None), ("9" * 30, None),
        ([500], None),
    ],
)  # fmt: skip
def test_amounts_are_whole_pesewas_or_nothing(wire: Any, read: int | None) -> None:
    found = scripted(ok(row(amount=wire, fees=wire))).verify(REF)
    assert isinstance(found, Payment)
    assert (found.amount_pesewas, found.fees_pesewas) == (read, read)


@each(
    "wire, read",
    [
        (9007199254740993, "9007199254740993"), ("9007199254740993", "9007199254740993"),
        (2**64 - 1, str(2**64 - 1)), (2**64, None), (1.5, None), (7.0, None), (0, None),
        (-7, None), ("7x", None), (None, None), (True, None),
    ],
)  # fmt: skip
def test_ids_are_never_floats(wire: Any, read: str | None) -> None:
    found = scripted(ok(row(id=wire))).verify(REF)
    assert isinstance(found, Payment) and found.gateway_id == read


def test_an_answer_about_another_payment_is_none() -> None:
    other = scripted(ok(row(reference="MK-P-OTHER")))
    assert other.verify(REF) == NoAnswer("unclear", "other_reference")
    assert scripted(ok(row(id=8))).payment("7") == NoAnswer("unclear", "other_payment")
    assert scripted(ok(row(reference=REF.lower()))).verify(REF) == NoAnswer(
        "unclear", "other_reference"
    )
    elsewhere = {
        "reference": "MK-P-OTHER",
        "access_code": "abc",
        "authorization_url": "https://checkout.paystack.com/abc",
    }
    assert scripted(ok(elsewhere)).initialise(page()) == Unclear("other_reference")
    for named in ("MK-P-OTHER", None, 5):
        told = {"reference": named, "status": "success"}
        assert scripted(ok(told)).charge(prompt("01")) == Unclear("other_reference")
        assert isinstance(scripted(ok(told)).pending_charge(REF), NoAnswer)
    whom = RecipientRequest("mobile_money", "Ama", "0241234567", "MTN")
    account = {"recipient_code": "RCP_1", "details": {"account_number": "0241234568"}}
    assert scripted(ok(account)).recipient(whom) == Unclear("other_account")
    assert isinstance(scripted(ok({"id": 8})).dispute("7"), NoAnswer)
    assert isinstance(scripted(ok({"id": 8})).refund_record("7"), NoAnswer)
    body = {"id": 8, "transaction": {"reference": "MK-P-OTHER"}, "amount": 5}
    assert scripted(ok(body)).refund(refund(5)) == Unclear("other_payment")
    body = {"id": 8, "transaction": {"reference": REF}, "amount": "6"}
    assert scripted(ok(body)).refund(refund(5)) == Unclear("other_amount")
    assert scripted(ok({"amount": 5})).refund(refund(5)) == Unclear(
        "success_without_id"
    )


def test_a_list_that_may_lack_something_says_so() -> None:
    mine, other = {"id": 1, "transaction": 7}, {"id": 2, "transaction": 8}
    listed = scripted(ok([mine, other], meta={"total": 2})).refunds_of("7")
    assert isinstance(listed, Refunds)
    assert ([r.gateway_id for r in listed.rows], listed.is_whole) == (["1"], True)
    for answer in (
        ok([mine], meta={"total": 2}),
        ok([mine, {"id": None}], meta={"total": 2}),
        ok([mine] * 100),
    ):
        short = scripted(answer).refunds_of("7")
        assert isinstance(short, Refunds) and not short.is_whole
    rows = scripted(ok([row(), {}, 5], meta={"next": "null"})).payments()
    assert isinstance(rows, Rows) and (rows.left_out, rows.after) == (2, None)
    assert isinstance(scripted(ok({"rows": []})).payments(), NoAnswer)
    both = [{"currency": "NGN", "balance": 5}, {"currency": "GHS", "balance": "70"}]
    assert scripted(ok(both)).holdings().balance_pesewas == 70  # type: ignore[union-attr]
    assert isinstance(scripted(ok(both[:1])).holdings(), NoAnswer)


def test_a_refused_charge_that_was_worked_on_proves_nothing() -> None:
    data = {"reference": REF, "status": "pay_offline", "display_text": "Approve"}
    asked = scripted(refused(400, "", "Charge attempted", data=data)).charge(
        prompt("01")
    )
    assert isinstance(asked, Unclear) and isinstance(asked.prompt, Prompt)
    assert (asked.prompt.step, asked.prompt.text) == ("approve_on_phone", "Approve")
    dead = {"reference": REF, "status": "failed", "message": "Wrong PIN"}
    answer = refused(400, "", "Charge attempted", data=dead)
    assert isinstance(scripted(answer).charge(prompt("01")), Unclear)
    code = scripted(answer).submit_otp(REF, "1")
    assert isinstance(code, Prompt) and (code.step, code.text) == (
        "failed",
        "Wrong PIN",
    )
    steps = {
        "send_otp": "enter_otp", "open_url": "open_url", "timeout": "failed", "success": "paid",
        "send_pin": "not_ours", "pending": "waiting", "never heard of": "waiting",
    }  # fmt: skip
    for raw, step in steps.items():
        got = scripted(ok({"reference": REF, "status": raw})).pending_charge(REF)
        assert isinstance(got, Prompt) and got.step == step


@each(
    "base, url, good",
    [
        ("", "https://checkout.paystack.com/abc", True),
        ("", "https://paystack.com.evil.example/abc", False),
        ("", "https://evilpaystack.com/abc", False),
        ("", "http://checkout.paystack.com/abc", False),
        ("", "https://checkout.paystack.com@evil.example/", False),
        ("", "https://evil.example\\@checkout.paystack.com/", False),
        ("", "javascript:alert(1)", False),
        ("", "http://127.0.0.1:9200/checkout/abc", False),
        ("http://127.0.0.1:9200", "http://127.0.0.1:9200/checkout/abc", True),
        ("http://127.0.0.1:9200", "https://checkout.paystack.com/abc", False),
    ],
)
def test_where_a_customer_may_be_sent(base: str, url: str, good: bool) -> None:
    data = {"authorization_url": url, "access_code": "abc", "reference": REF}
    result = scripted(ok(data), base_url=base).initialise(page())
    assert isinstance(result, Started if good else Unclear)


def test_what_can_never_be_right_is_not_sent() -> None:
    client = scripted(AssertionError("a call was made"))
    for bad in ("", "a b", "a/b", "..", "é", "x" * 101):
        assert isinstance(client.initialise(page(bad)), Refused)
        assert isinstance(client.refund(refund(5, reference=bad)), Refused)
    for amount in (0, 9, -5, 2**60):
        assert isinstance(client.initialise(page(amount=amount)), Refused)
        assert isinstance(client.refund(refund(min(amount, 0))), Refused)
        assert isinstance(client.transfer(payout("RCP_1", min(amount, 0))), Refused)
    for reference in (
        "short",
        PAYOUT.upper(),
        "mk-w-" + "0" * 60,
        "mk.w.0123456789abcdef",
    ):
        assert isinstance(
            client.transfer(payout("RCP_1", reference=reference)), Refused
        )
    for number in ("0241234567", "+44123456789", "+23324123456a"):
        assert isinstance(client.charge(replace(prompt("01"), msisdn=number)), Refused)
    account = RefundAccount("02412345ab", "28")
    assert isinstance(client.refund_again("7", account), Refused)


def test_how_requests_are_written() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return refused(400, "invalid_params")

    client = scripted(answer, base_url="http://127.0.0.1:9/base/")
    client.initialise(page(label="Ama", metadata={"order": "x"}))
    client.charge(replace(prompt("01"), network="telecel"))
    client.verify("a/../b?c=d#e")
    client.refunds_of("7&perPage=1")
    first, second = (json.loads(request.content) for request in seen[:2])
    assert first["currency"] == second["currency"] == "GHS"
    assert first["label"] == "Ama" and json.loads(first["metadata"]) == {"order": "x"}
    assert first["channels"] == ["mobile_money"] and first["amount"] == 500
    assert second["mobile_money"] == {"phone": "0241234501", "provider": "vod"}
    assert seen[2].url.raw_path == b"/base/transaction/verify/a%2F..%2Fb%3Fc%3Dd%23e"
    assert (
        seen[3].url.raw_path == b"/base/refund?transaction=7%26perPage%3D1&perPage=100"
    )
    assert {request.headers["Authorization"] for request in seen} == {
        f"Bearer {TEST_KEY}"
    }
    assert segment("..") == segment(".") == segment("") == "%00"


def test_no_call_is_longer_or_larger_than_it_may_be() -> None:
    seen: dict[str, dict[str, float]] = {}

    def answer(request: httpx.Request) -> httpx.Response:
        seen[request.url.path] = request.extensions["timeout"]
        return httpx.Response(200, content=b" " * (1024 * 1024 + 1))

    client = scripted(answer, scale=lambda seconds: seconds / 10)
    assert client.transfer(payout("RCP_1")) == Unclear("too_large")
    assert client.charge(prompt("01")) == Unclear("too_large")
    assert client.refund(refund(5)) == Unclear("too_large")
    assert client.verify(REF) == NoAnswer("unreachable", "too_large")
    reads = {path: (limits["connect"], limits["read"]) for path, limits in seen.items()}
    assert reads == {
        "/transfer": (0.5, 6),
        "/charge": (0.5, 6),
        "/refund": (0.5, 6),
        f"/transaction/verify/{REF}": (0.5, 3),
    }


def test_no_record_shows_a_key_or_who_paid() -> None:
    secrets = {
        "access_code": "acc-1234", "authorization_code": "AUTH_77", "account_name": "Kofi M.",
        "first_name": "Kofi", "last_name": "Mensah", "ip_address": "10.1.2.3", "email": EMAIL,
        "phone": "0241234567", "signature": "SIG_1", "account_number": 1234567890123,
        "last4": "X149", "name": "Mensah, \"Kofi\"",
    }  # fmt: skip
    records: list[CallRecord] = []
    data = row(authorization=secrets, customer=secrets, echo=TEST_KEY)
    client = scripted(ok(data), records)
    client.verify(REF)
    client.charge(prompt("67"))
    client.submit_otp(REF, "918273")
    client.holder("1234567890123", "030100")
    shown = "\n".join(
        f"{r.path} {r.request_body} {r.response_body} {r.note} {r.order_refs}"
        for r in records
    )
    for secret in (*map(str, secrets.values()), TEST_KEY, "Mensah", "918273", "024123"):
        assert secret not in shown, secret
    assert [r.supplier for r in records] == ["paystack"] * 4
    assert records[0].order_refs == (REF,) and '"amount":500' in records[
        0
    ].response_body.replace(" ", "")
    assert [r.endpoint for r in records] == ["verify", "charge", "submit_otp", "holder"]
    half = scripted(httpx.Response(200, content=b'{"data":{"email":"kofi'), records)
    half.verify(REF)
    assert "kofi" not in records[-1].response_body


@pytest.mark.slow(seconds=2)
def test_masking_a_full_answer_is_quick() -> None:
    """Patterns that backtrack would let one answer hold a worker."""
    for filler in (
        '"phone":"',
        '"phone" ',
        '"phone":"\\\\',
        '"',
        "\\\\",
        "&phone=",
        '"otp":1',
    ):
        whole = (filler * (1024 * 1024 // len(filler)))[: 1024 * 1024]
        records: list[CallRecord] = []
        scripted(httpx.Response(200, content=whole.encode()), records).verify(REF)
        assert records[0].duration_ms < 3_000, filler
        assert '"phone":"x' not in records[0].response_body


@each(
    "key, mode",
    [
        ("", "test"),
        ("sk_live_0123456789", "test"),
        ("sk_test_0123456789", "live"),
        ("sk_test_01234 6789", "test"),
        ("pk_test_0123456789", "test"),
        ("sk_test_0123456789\n", "test"),
    ],
)
def test_a_key_of_the_other_world_never_makes_a_client(key: str, mode: str) -> None:
    with pytest.raises(ValueError) as refusal:
        Paystack(key, mode=mode, on_call=None, clock=lambda: WEDNESDAY)
    assert "0123456789" not in str(refusal.value)
