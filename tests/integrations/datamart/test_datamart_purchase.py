"""Every answer the purchase call can meet, and what it proves about money."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import httpx
import pytest
from datamart_wire import (
    HTML,
    KEY,
    OTHER,
    REF,
    REQUEST,
    SECRET,
    bought,
    mart,
    ok,
    raw,
    refusal,
)

from integrations.ports import Accepted, CallRecord, NotSent, Rejected, Unknown

TOOK = Accepted(
    status="pending",
    raw_status="pending",
    supplier_ref="66aa01f3c9d2b84e10f7a5d2",
    amount_pesewas=920,
    balance_after_pesewas=80320,
    recipient="0241234567",
    order_ref=REF,
)

ACCEPTED: dict[str, tuple[httpx.Response, Accepted]] = {
    "201 pending": (ok(bought(), 201), TOOK),
    "200 too": (ok(bought(), 200), TOOK),
    "202 too": (ok(bought(), 202), TOOK),
    "without timestamp, as the docs show it": (
        httpx.Response(201, json={"success": True, "data": bought()}),
        TOOK,
    ),
    # the forwarding generation says completed for "accepted upstream"
    "completed is not delivered": (
        ok(bought(status="completed", network="YELLO", provider_reference="p1"), 201),
        replace(TOOK, status="processing", raw_status="completed"),
    ),
    "successful is not delivered": (
        ok(bought(status="successful"), 201),
        replace(TOOK, status="processing", raw_status="successful"),
    ),
    "sent": (
        ok(bought(status="sent"), 201),
        replace(TOOK, status="processing", raw_status="sent"),
    ),
    "spelling of the word": (
        ok(bought(status=" PENDING "), 201),
        replace(TOOK, raw_status=" PENDING "),
    ),
    "accepted and failed at once": (
        ok(bought(status="failed"), 201),
        replace(TOOK, status="processing", raw_status="failed", needs_person=True),
    ),
    "word nobody knows": (
        ok(bought(status="teleported"), 201),
        replace(TOOK, status="processing", raw_status="teleported", needs_person=True),
    ),
    "word missing": (
        ok(bought(status=None), 201),
        replace(TOOK, status="processing", raw_status="", needs_person=True),
    ),
    "word is a number": (
        ok(bought(status=7), 201),
        replace(TOOK, status="processing", raw_status="", needs_person=True),
    ),
    "figures of another currency": (
        ok(bought(currency="USD"), 201),
        replace(TOOK, amount_pesewas=None, balance_after_pesewas=None),
    ),
    "float noise": (
        ok(bought(balance_after=4990.000000000001), 201),
        replace(TOOK, balance_after_pesewas=499000),
    ),
    "amount as text": (ok(bought(amount="9.20"), 201), TOOK),
    "amount nonsense": (
        ok(bought(amount="nine"), 201),
        replace(TOOK, amount_pesewas=None),
    ),
    "amount negative": (
        ok(bought(amount=-9.2), 201),
        replace(TOOK, amount_pesewas=None),
    ),
    "everything optional missing": (
        ok({"reference": REF, "status": "pending"}, 201),
        Accepted("pending", "pending", order_ref=REF),
    ),
    "ids with characters no database takes": (
        ok(bought(transaction_id="a\x00b\ud800c"), 201),
        replace(TOOK, supplier_ref="a\ufffdb\ufffdc"),
    ),
}

INVALID = (
    (400, "MISSING_CAPACITY"),
    (400, "MISSING_PRODUCT_NAME"),
    (400, "MISSING_BENEFICIARY"),
    (400, "INVALID_PHONE_NUMBER"),
)
NOT_SOLD = (
    (404, "INVALID_CAPACITY_FORMAT"),
    (400, "INVALID_CAPACITY_FORMAT"),
    (404, "PRODUCT_NOT_FOUND"),
    (404, "CAPACITY_NOT_AVAILABLE"),
    (404, "PRODUCT_LOOKUP_ERROR"),
    (400, "PRICING_UNAVAILABLE"),
)

OTHERS: dict[str, tuple[Any, Any]] = (
    {
        f"{status} {code}": (
            refusal(status, code),
            Rejected("invalid", code, f"about {code}"),
        )
        for status, code in INVALID
    }
    | {
        f"{status} {code}": (
            refusal(status, code),
            Rejected("catalogue", code, f"about {code}"),
        )
        for status, code in NOT_SOLD
    }
    | {
        "insufficient": (
            refusal(
                400,
                "INSUFFICIENT_BALANCE",
                required_amount=9.2,
                current_balance=1.1,
                shortage=8.1,
            ),
            Rejected(
                "insufficient_balance",
                "INSUFFICIENT_BALANCE",
                "about INSUFFICIENT_BALANCE",
                920,
                110,
            ),
        ),
        "duplicate": (
            refusal(400, "DUPLICATE_REFERENCE", reference=REF),
            Rejected(
                "duplicate_reference",
                "DUPLICATE_REFERENCE",
                "about DUPLICATE_REFERENCE",
            ),
        ),
        "401 short envelope": (
            refusal(401),
            Rejected("credentials", "HTTP_401", "about None"),
        ),
        "403 webhook mismatch": (
            refusal(403),
            Rejected("credentials", "HTTP_403", "about None"),
        ),
        "401 with a code": (
            refusal(401, "KEY_GONE"),
            Rejected("credentials", "KEY_GONE", "about KEY_GONE"),
        ),
        "403 address": (
            refusal(403, "API_IP_NOT_ALLOWED"),
            Rejected("credentials", "API_IP_NOT_ALLOWED", "about API_IP_NOT_ALLOWED"),
        ),
        "403 account": (
            refusal(403, "ACCOUNT_SUSPENDED"),
            Rejected("credentials", "ACCOUNT_SUSPENDED", "about ACCOUNT_SUSPENDED"),
        ),
        "403 forbidden": (
            refusal(403, "FORBIDDEN"),
            Rejected("credentials", "FORBIDDEN", "about FORBIDDEN"),
        ),
        # a rule that this one request broke
        "403 rule": (
            refusal(403, "API_RULE_VIOLATION"),
            Unknown("http_403_API_RULE_VIOLATION"),
        ),
        "403 largest size": (
            refusal(403, "MAX_GB_PER_ORDER"),
            Unknown("http_403_MAX_GB_PER_ORDER"),
        ),
        "403 number": (
            refusal(403, "BENEFICIARY_BLOCKED"),
            Unknown("http_403_BENEFICIARY_BLOCKED"),
        ),
        "403 not sold": (
            refusal(403, "PRODUCT_DISABLED"),
            Unknown("http_403_PRODUCT_DISABLED", about_catalogue=True),
        ),
        # certainly not bought
        "429 as the limiter writes it": (
            raw(
                429,
                "API rate limit exceeded",
                content_type="text/html; charset=utf-8",
                retry_after="17",
            ),
            NotSent("http_429", 17.0, True),
        ),
        "429 without Retry-After": (
            raw(429, "API rate limit exceeded"),
            NotSent("http_429", 60.0, True),
        ),
        "429 with nonsense": (
            raw(429, retry_after="soon"),
            NotSent("http_429", 60.0, True),
        ),
        "429 negative": (raw(429, retry_after="-4"), NotSent("http_429", 60.0, True)),
        "429 zero": (raw(429, retry_after="0"), NotSent("http_429", 1.0, True)),
        "429 for a year": (
            raw(429, retry_after="31536000"),
            NotSent("http_429", 300.0, True),
        ),
        "429 with an envelope": (
            refusal(429, "RATE_LIMIT"),
            NotSent("http_429", 60.0, True),
        ),
        "endpoint gone": (
            refusal(404, "ENDPOINT_NOT_FOUND", endpoint="/v1/purchase"),
            NotSent("endpoint_gone"),
        ),
        "refused connection": (
            httpx.ConnectError("refused"),
            NotSent("connect_error: refused"),
        ),
        "connect timeout": (
            httpx.ConnectTimeout("slow"),
            NotSent("connect_timeout: slow"),
        ),
        "pool timeout": (httpx.PoolTimeout("full"), NotSent("pool_timeout: full")),
        # nobody knows
        "500 provider error": (
            refusal(500, "PROVIDER_ERROR", reference=REF),
            Unknown("provider_error"),
        ),
        "500 processing error": (
            refusal(500, "PROCESSING_ERROR"),
            Unknown("http_500_PROCESSING_ERROR"),
        ),
        "500 internal": (
            refusal(500, "INTERNAL_ERROR"),
            Unknown("http_500_INTERNAL_ERROR"),
        ),
        "500 purchase failed": (
            refusal(500, "PURCHASE_FAILED"),
            Unknown("http_500_PURCHASE_FAILED"),
        ),
        "500 while authenticating": (refusal(500), Unknown("http_500_no_code")),
        "500 with a refusal's code": (
            refusal(500, "DUPLICATE_REFERENCE"),
            Unknown("http_500_DUPLICATE_REFERENCE"),
        ),
        "502 HTML": (raw(502, HTML), Unknown("http_502_not_json")),
        "503 empty": (raw(503), Unknown("http_503_empty")),
        "504 HTML": (raw(504, HTML), Unknown("http_504_not_json")),
        "200 HTML": (raw(200, HTML), Unknown("http_200_not_json")),
        "200 empty": (raw(200), Unknown("http_200_empty")),
        "204": (raw(204), Unknown("http_204_empty")),
        "201 cut": (raw(201, ok(bought()).content[:-20]), Unknown("http_201_not_json")),
        "201 cut after the word success": (
            raw(201, '{"success":true,'),
            Unknown("http_201_not_json"),
        ),
        "201 list": (raw(201, "[]"), Unknown("http_201_no_envelope")),
        "201 null": (raw(201, "null"), Unknown("http_201_no_envelope")),
        "201 text": (raw(201, '"ok"'), Unknown("http_201_no_envelope")),
        "201 bare object": (raw(201, "{}"), Unknown("http_201_no_envelope")),
        "201 other API's envelope": (
            raw(201, '{"status":"success"}'),
            Unknown("http_201_no_envelope"),
        ),
        "201 success as text": (
            raw(201, '{"success":"true"}'),
            Unknown("http_201_no_envelope"),
        ),
        "201 success as number": (
            raw(201, '{"success":1,"data":{}}'),
            Unknown("http_201_no_envelope"),
        ),
        "201 NaN inside": (
            raw(201, '{"success":true,"data":{"amount":NaN}}'),
            Unknown("http_201_not_json"),
        ),
        "201 not UTF-8": (
            raw(201, b'{"success":true,"message":"\xff"}'),
            Unknown("http_201_not_json"),
        ),
        "201 nested without end": (
            raw(201, '{"success":true,"data":' + "[" * 100_000),
            Unknown("http_201_not_json"),
        ),
        "201 success without data": (
            raw(201, '{"success":true}'),
            Unknown("success_without_data"),
        ),
        "201 data is a list": (ok([bought()], 201), Unknown("success_without_data")),
        "201 for another order": (
            ok(bought(reference=OTHER), 201),
            Unknown("other_reference"),
        ),
        "201 without reference or number": (
            ok(bought(reference=None, beneficiary=None), 201),
            Unknown("no_reference"),
        ),
        "201 without reference for another number": (
            ok(bought(reference=None, beneficiary="0249999999"), 201),
            Unknown("no_reference"),
        ),
        "success with 400": (ok(bought(), 400), Unknown("http_400_success")),
        "success with 429": (ok(bought(), 429), Unknown("http_429_success")),
        "success with 500": (ok(bought(), 500), Unknown("http_500_success")),
        "200 with a refusal": (
            refusal(200, "INSUFFICIENT_BALANCE"),
            Unknown("http_200_INSUFFICIENT_BALANCE"),
        ),
        "400 without code": (refusal(400), Unknown("http_400_no_code")),
        "400 with a code nobody knows": (
            refusal(400, "MOON_PHASE"),
            Unknown("http_400_MOON_PHASE"),
        ),
        "400 about the catalogue": (
            refusal(400, "BUNDLE_UNAVAILABLE"),
            Unknown("http_400_BUNDLE_UNAVAILABLE", about_catalogue=True),
        ),
        "409 sold out": (
            refusal(409, "OUT_OF_STOCK"),
            Unknown("http_409_OUT_OF_STOCK", about_catalogue=True),
        ),
        "400 about the person": (
            refusal(400, "USER_NOT_FOUND"),
            Unknown("http_400_USER_NOT_FOUND"),
        ),
        "500 about the catalogue": (
            refusal(500, "PRODUCT_NOT_READ"),
            Unknown("http_500_PRODUCT_NOT_READ"),
        ),
        "400 HTML": (raw(400, HTML), Unknown("http_400_not_json")),
        "401 HTML": (raw(401, HTML), Unknown("http_401_not_json")),
        "404 HTML": (raw(404, HTML), Unknown("http_404_not_json")),
        "404 of the host": (
            httpx.Response(
                404,
                json={"success": False, "message": "Not found", "path": "/v1/purchase"},
            ),
            Unknown("http_404_no_code"),
        ),
        "gone but 400": (
            refusal(400, "ENDPOINT_NOT_FOUND"),
            Unknown("http_400_ENDPOINT_NOT_FOUND"),
        ),
        "301": (
            raw(301, location="https://elsewhere.test/"),
            Unknown("http_301_empty"),
        ),
        "307": (raw(307, location="/api/v1/purchase"), Unknown("http_307_empty")),
        "302 with an envelope": (
            refusal(302, "DUPLICATE_REFERENCE"),
            Unknown("http_302_DUPLICATE_REFERENCE"),
        ),
        "read timeout": (httpx.ReadTimeout("slow"), Unknown("read_timeout")),
        "reset": (httpx.ReadError("reset"), Unknown("read_error")),
        "write error": (httpx.WriteError("pipe"), Unknown("write_error")),
        "write timeout": (httpx.WriteTimeout("slow"), Unknown("write_timeout")),
        "no answer": (
            httpx.RemoteProtocolError("closed"),
            Unknown("remote_protocol_error"),
        ),
        "own protocol error": (
            httpx.LocalProtocolError("h11"),
            Unknown("local_protocol_error"),
        ),
        "half an encoding": (httpx.DecodingError("gzip"), Unknown("decoding_error")),
    }
)


@pytest.mark.parametrize(("answer", "result"), ACCEPTED.values(), ids=ACCEPTED)
def test_accepted(answer: httpx.Response, result: Accepted) -> None:
    assert mart(answer).submit(REQUEST) == result


@pytest.mark.parametrize(("answer", "result"), OTHERS.values(), ids=OTHERS)
def test_not_accepted(answer: Any, result: Any) -> None:
    records: list[CallRecord] = []
    assert mart(answer, records).submit(REQUEST) == result
    words = {Rejected: "refused", NotSent: "not_sent", Unknown: "unknown"}
    assert [record.outcome for record in records] == [words[type(result)]]


def test_what_goes_out() -> None:
    """Number with its zero, size as text, our reference; no quantity, no callback, no webhook
    address."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return ok(bought(), 201)

    assert isinstance(mart(answer).submit(REQUEST), Accepted)
    (request,) = seen
    assert (request.method, str(request.url)) == (
        "POST",
        "http://supplier.test/api/v1/purchase",
    )
    assert json.loads(request.content) == {
        "capacity": "2GB",
        "product_name": "YELLOW",
        "beneficiary_number": "0241234567",
        "reference": REF,
    }
    assert (
        request.headers["X-API-Key"] == KEY
        and request.headers["X-API-Secret"] == SECRET
    )
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["Connection"] == "close"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (
            {"order_ref": ""},
            "BAD_REFERENCE",
        ),  # the supplier would invent one, and we could never look it up
        ({"order_ref": "MK 1"}, "BAD_REFERENCE"),
        ({"order_ref": "MK\n1"}, "BAD_REFERENCE"),
        ({"order_ref": REF + "\n"}, "BAD_REFERENCE"),
        ({"product_name": ""}, "BAD_PRODUCT_NAME"),
        # a pattern that hits half the catalogue
        ({"product_name": "Y"}, "BAD_PRODUCT_NAME"),
        ({"product_name": ".*"}, "BAD_PRODUCT_NAME"),
        ({"capacity": "5"}, "BAD_CAPACITY"),
        ({"capacity": "5\tGB"}, "BAD_CAPACITY"),
        ({"capacity": ""}, "BAD_CAPACITY"),
        ({"recipient_msisdn": ""}, "BAD_RECIPIENT"),
        ({"recipient_msisdn": "+2348031234567"}, "BAD_RECIPIENT"),
        ({"recipient_msisdn": "+23324123456"}, "BAD_RECIPIENT"),
    ],
)
def test_never_sent(change: dict[str, str], code: str) -> None:
    records: list[CallRecord] = []
    result = mart(AssertionError("sent"), records).submit(replace(REQUEST, **change))
    kind = "catalogue" if code in ("BAD_PRODUCT_NAME", "BAD_CAPACITY") else "invalid"
    assert isinstance(result, Rejected) and (result.kind, result.code) == (kind, code)
    assert records == []


def test_one_call_for_one_submit() -> None:
    """No retry and no redirect, whatever comes back."""
    for answer, _ in [*ACCEPTED.values(), *OTHERS.values()]:
        calls: list[httpx.Request] = []

        def count(
            request: httpx.Request,
            answer: Any = answer,
            calls: list[httpx.Request] = calls,
        ) -> Any:
            calls.append(request)
            return answer

        mart(count).submit(REQUEST)
        assert len(calls) == 1
