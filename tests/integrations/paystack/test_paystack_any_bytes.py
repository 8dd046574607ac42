"""No bytes whatsoever make the client raise, and none but a true refusal or a true success say that
money moved or did not."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as some
from paystack_kit import PAYOUT, REF, page, payout, prompt, refund, scripted

from integrations.payment_shapes import (
    NotFound,
    Payment,
    Prompt,
    RecipientRequest,
    Refund,
    RefundAccount,
    Refused,
    Started,
    Transfer,
    Unclear,
)
from integrations.payments_port import Evidence, Resolution
from integrations.ports import NoAnswer, NotSent

pytestmark = pytest.mark.slow(seconds=1.5)

QUICK = settings(max_examples=60, deadline=None)
STATUS = some.sampled_from([200, 201, 204, 302, 400, 401, 404, 409, 422, 429, 500, 503])
LEAF = some.one_of(
    some.none(),
    some.booleans(),
    some.integers(),
    some.floats(),
    some.text(max_size=12),
    some.sampled_from(
        [REF, PAYOUT, "success", "failed", "GHS", "0", "500", "null", "not_found",
         "2026-02-04T09:00:00.000Z", "\ud800", "\x00", "https://checkout.paystack.com/a"]
    ),
)  # fmt: skip
NAMES = some.sampled_from(
    ["status", "message", "code", "data", "meta", "type", "next", "total", "pageCount", "reference",
     "id", "amount", "requested_amount", "currency", "fees", "domain", "metadata", "authorization",
     "authorization_url", "access_code", "transaction", "recipient", "recipient_code", "details",
     "account_number", "account_name", "balance", "createdAt", "paid_at", "signedUrl", "fileName",
     "transfer_code", "dueAt", "display_text", "event", "active"]
)  # fmt: skip
VALUE = some.recursive(
    LEAF,
    lambda inner: some.one_of(
        some.lists(inner, max_size=3), some.dictionaries(NAMES, inner, max_size=6)
    ),
    max_leaves=16,
)
ENVELOPE = some.fixed_dictionaries(
    {"status": some.booleans()},
    optional={"message": LEAF, "data": VALUE, "code": LEAF, "meta": VALUE},
)


def written(value: Any) -> bytes:
    return json.dumps(value).encode()


BODY = some.one_of(some.binary(max_size=80), VALUE.map(written), ENVELOPE.map(written))
GOOD = {"reference": REF, "status": "success", "amount": 500, "id": 7}


@QUICK
@given(STATUS, BODY)
@example(200, written({"status": True, "data": GOOD}))
@example(
    200, b'{"status":true,"data":{"reference":"' + REF.encode() + b'","amount":1e9999}}'
)
@example(400, b"[" * 100_000)
def test_acts(status: int, body: bytes) -> None:
    client = scripted(httpx.Response(status, content=body))
    undone = (Refused, NotSent, Unclear)
    results: list[tuple[Any, type]] = [
        (client.initialise(page()), Started),
        (client.charge(prompt("01")), Prompt),
        (client.submit_otp(REF, "1"), Prompt),
        (client.refund(refund(500)), Refund),
        (client.refund_again("7", RefundAccount("0241234567", "28")), Refund),
        (client.transfer(payout("RCP_1")), Transfer),
        (client.finalise_transfer("TRF_1", "1"), Transfer),
    ]
    for said, good in results:
        assert isinstance(said, (good, *undone))
        if isinstance(said, good) and good is not Prompt:
            assert 200 <= status < 300 and json.loads(body)["status"] is True
        if isinstance(said, Refused):
            assert 400 <= status < 500 and json.loads(body)["status"] is False
        if isinstance(said, NotSent):
            assert status == 429
    whom = RecipientRequest("mobile_money", "Ama", "0241234567", "MTN")
    for said in (
        client.recipient(whom),
        client.resend_otp("TRF_1"),
        client.dispute_upload("7", "a.pdf"),
        client.dispute_evidence("7", Evidence("a@b.co", "a", "0", "x")),
        client.resolve_dispute("7", Resolution("decline", "x", 0, "a.pdf")),
    ):
        assert said is not None


@QUICK
@given(STATUS, BODY)
@example(200, written({"status": True, "data": GOOD}))
@example(404, written({"status": False, "code": "transaction_not_found"}))
def test_reads(status: int, body: bytes) -> None:
    client = scripted(httpx.Response(status, content=body))
    said = client.verify(REF)
    assert isinstance(said, (Payment, NotFound, NoAnswer))
    if isinstance(said, Payment):
        assert 200 <= status < 300 and json.loads(body)["status"] is True
        assert said.status != "paid" or "success" in body.decode().lower()
        said.gateway_response.encode()
    if isinstance(said, NotFound):
        assert status in (400, 404) and json.loads(body)["status"] is False
    for read in (
        client.pending_charge(REF),
        client.payment("7"),
        client.payments(),
        client.refund_record("7"),
        client.refunds_of("7"),
        client.verify_transfer(PAYOUT),
        client.holdings(),
        client.ledger(),
        client.banks(),
        client.holder("0241234567", "MTN"),
        client.settlements(),
        client.settled_payments("7"),
        client.disputes(),
        client.dispute("7"),
    ):
        assert read is not None
