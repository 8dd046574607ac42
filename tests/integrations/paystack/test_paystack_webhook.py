"""What is believed of a webhook: its signature over the raw bytes, and what to look up."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest
from paystack_kit import TEST_KEY, each, scripted

from integrations.payments_port import PaymentNews
from integrations.paystack import webhook
from integrations.paystack.client import Paystack

VECTOR_KEY = "sk_test_makola_vector_0001"
VECTOR = (
    b'{"event":"charge.success","data":{"id":9007199254740993,"domain":"test","status":"success",'
    b'"reference":"MK-P-7Q2M9X4K","amount":500,"currency":"GHS"}}'
)
SIGNATURE = (
    "aa4f6c424861eecfc876b4b01d11de0106352fbe1201592ac90e00761404ce4fa0b51f70be8f039f31e92eaf559b19ea"
    "71dca92af0fad3deba0e65a92a6396b2"
)


def client(current: str = VECTOR_KEY, previous: str = "") -> Paystack:
    return Paystack(
        current,
        previous_key=previous,
        mode="test",
        on_call=None,
        clock=lambda: pytest.fail("no call is made"),
    )


def signed(event: str, data: Any, key: str = TEST_KEY) -> tuple[bytes, dict[str, str]]:
    body = json.dumps({"event": event, "data": data}).encode()
    mark = hmac.new(key.encode(), body, hashlib.sha512).hexdigest()
    return body, {"x-paystack-signature": mark}


def read(event: str, data: Any) -> PaymentNews:
    return scripted(AssertionError()).read_event(*signed(event, data))


def test_the_vector_holds_and_its_id_is_whole() -> None:
    news = client().read_event(VECTOR, {"X-Paystack-Signature": SIGNATURE})
    assert news == PaymentNews(
        "current",
        "charge.success",
        "payment",
        "MK-P-7Q2M9X4K",
        "9007199254740993",
        False,
        "charge.success|9007199254740993",
    )
    old = client("sk_test_makola_vector_0002", VECTOR_KEY)
    assert old.read_event(VECTOR, {"x-paystack-signature": SIGNATURE}).signed_by == (
        "previous"
    )


def test_the_same_json_written_anew_is_refused() -> None:
    spaced = json.dumps(json.loads(VECTOR)).encode()
    assert json.loads(spaced) == json.loads(VECTOR) and spaced != VECTOR
    digest = hmac.new(VECTOR_KEY.encode(), spaced, hashlib.sha512).hexdigest()
    assert digest.startswith("a6e2eedb")
    news = client().read_event(spaced, {"x-paystack-signature": SIGNATURE})
    assert news == PaymentNews(None)


@each(
    "headers",
    [
        {},
        {"x-paystack-signature": ""},
        {"x-paystack-signature": SIGNATURE.upper()},
        {"x-paystack-signature": SIGNATURE[:-1]},
        {"x-paystack-signature": f"{SIGNATURE} "},
        {"x-paystack-signature": "é\ud800"},
        {"x-signature": SIGNATURE},
    ],
)
def test_what_is_not_signed_is_not_read(headers: dict[str, str]) -> None:
    assert client().read_event(VECTOR, headers) == PaymentNews(None)
    other = client("sk_test_another_key_0001")
    assert other.read_event(VECTOR, {"x-paystack-signature": SIGNATURE}) == PaymentNews(
        None
    )


def test_an_empty_previous_key_signs_nothing() -> None:
    mark = hmac.new(b"", VECTOR, hashlib.sha512).hexdigest()
    news = client().read_event(VECTOR, {"x-paystack-signature": mark})
    assert news == PaymentNews(None)


def test_too_much_is_not_looked_at() -> None:
    body, headers = signed("charge.success", {"reference": "x" * webhook.MAX_BYTES})
    assert scripted(AssertionError()).read_event(body, headers) == PaymentNews(None)


@each(
    "event, data, look_up, reference, number",
    [
        ("transfer.success", {"reference": "mk-w-1", "id": 7}, "transfer", "mk-w-1", "7"),
        ("transfer.reversed", {"reference": "mk-w-1"}, "transfer", "mk-w-1", None),
        ("refund.processed", {"transaction_reference": "MK-P-1", "amount": "500"},
         "refunds", "MK-P-1", None),
        ("refund.needs-attention", {"transaction_reference": "MK-P-1", "id": "77"},
         "refunds", "MK-P-1", "77"),
        ("charge.dispute.create", {"id": 9, "transaction": {"reference": "MK-P-1"}},
         "dispute", "MK-P-1", "9"),
        ("charge.dispute.remind", {"id": 9, "transaction": 5}, "dispute", None, "9"),
        ("charge.failed", {"reference": "MK-P-1"}, "nothing", "MK-P-1", None),
        ("subscription.create", {}, "nothing", None, None),
        ("charge.success", "text", "payment", None, None),
        ("charge.success", {"reference": 5, "id": 1.5}, "payment", "5", None),
        ("charge.success", {"reference": {"a": 1}, "id": True}, "payment", None, None),
    ],
)  # fmt: skip
def test_what_is_to_be_looked_up(
    event: str, data: Any, look_up: str, reference: str | None, number: str | None
) -> None:
    news = read(event, data)
    assert (news.signed_by, news.look_up) == ("current", look_up)
    assert (news.reference, news.gateway_id) == (reference, number)


def test_what_is_the_same_news() -> None:
    first = read("charge.success", {"id": 7, "reference": "MK-P-1", "fees": None})
    again = read("charge.success", {"reference": "MK-P-1", "id": "7", "fees": 10})
    assert first.same_as == again.same_as
    refund = {"transaction_reference": "MK-P-1", "amount": "500", "status": "pending"}
    as_number = read("refund.pending", {**refund, "amount": 500})
    assert read("refund.pending", refund).same_as == as_number.same_as
    for change in ({"amount": 400}, {"refund_reference": "TRF_1"}, {"status": "x"}):
        assert read("refund.pending", refund | change).same_as != as_number.same_as
    assert read("refund.processed", refund).same_as != as_number.same_as


def test_signed_nonsense_says_nothing() -> None:
    for body in (b"", b"[]", b"\xff", b"null", b"[" * 100_000):
        mark = hmac.new(TEST_KEY.encode(), body, hashlib.sha512).hexdigest()
        news = scripted(AssertionError()).read_event(body, {webhook.HEADER: mark})
        assert news == PaymentNews("current")
