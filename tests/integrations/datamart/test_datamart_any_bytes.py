"""No bytes whatsoever make the client raise, and none but a true refusal or a true success move
money."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from datamart_wire import REF, REQUEST, bought, mart, record
from hypothesis import example, given, settings
from hypothesis import strategies as some

from integrations.datamart import purchases
from integrations.datamart.envelope import names_nobody
from integrations.ports import (
    Absent,
    Accepted,
    BulkResult,
    CallRecord,
    Found,
    NoAnswer,
    NotSent,
    Rejected,
    Unknown,
)

pytestmark = pytest.mark.slow(seconds=0.6)

QUICK = settings(max_examples=150, deadline=None)

STATUS = some.sampled_from(
    [200, 201, 204, 301, 307, 400, 401, 403, 404, 409, 418, 429, 500, 502, 503, 599]
)
LEAF = some.one_of(
    some.none(),
    some.booleans(),
    some.integers(),
    some.floats(),
    some.text(max_size=20),
    some.sampled_from(
        [
            REF,
            "pending",
            "failed",
            "0241234567",
            "TRANSACTION_NOT_FOUND",
            "1e999",
            "\ud800",
            "\x00",
        ]
    ),
)
NAMES = some.sampled_from(
    [
        "success",
        "message",
        "error",
        "code",
        "data",
        "reference",
        "status",
        "amount",
        "product",
        "capacity",
        "name",
    ]
    + [
        "beneficiary",
        "products",
        "capacities",
        "transactions",
        "balance",
        "wallet",
        "account",
        "api",
        "event",
    ]
    + [
        "successful_orders",
        "failed_orders",
        "bulk_reference",
        "order_index",
        "signature",
        "price",
        "product_code",
    ]
    + [
        "validity",
        "created_at",
        "new_status",
        "webhookUrl",
        "supported_networks",
        "test_status",
    ]
)
VALUE = some.recursive(
    LEAF,
    lambda inner: some.one_of(
        some.lists(inner, max_size=3), some.dictionaries(NAMES, inner, max_size=6)
    ),
    max_leaves=20,
)
ENVELOPE = some.fixed_dictionaries(
    {"success": some.booleans()},
    optional={"message": LEAF, "data": VALUE, "error": VALUE, "timestamp": LEAF},
)


def written(value: Any) -> bytes:
    return json.dumps(value).encode()


BODY = some.one_of(
    some.binary(max_size=200),
    some.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")),
    VALUE.map(written),
    ENVELOPE.map(written),
    some.dictionaries(NAMES, VALUE).map(
        lambda data: written({"success": True, "data": data})
    ),
)
HEADERS = some.dictionaries(
    some.sampled_from(["Retry-After", "Location", "Content-Type", "X-RateLimit-Reset"]),
    some.text(some.characters(min_codepoint=32, max_codepoint=126), max_size=30),
)


def answer(status: int, body: bytes, headers: dict[str, str]) -> httpx.Response:
    return httpx.Response(status, content=body, headers=headers)


@QUICK
@given(STATUS, BODY, HEADERS)
@example(201, written({"success": True, "data": bought()}), {})
@example(
    201,
    b'{"success":true,"data":{"reference":"'
    + REF.encode()
    + b'","amount":1'
    + b"0" * 5000
    + b"}}",
    {},
)
@example(400, b"[" * 100_000, {})
def test_purchase(status: int, body: bytes, headers: dict[str, str]) -> None:
    records: list[CallRecord] = []
    said = mart(answer(status, body, headers), records).submit(REQUEST)
    assert isinstance(said, (Accepted, Rejected, NotSent, Unknown))
    assert len(records) == 1
    if isinstance(said, Accepted):
        assert 200 <= status < 300 and json.loads(body)["data"]["reference"] == REF
        assert said.status in ("pending", "processing")
    if isinstance(said, Rejected) and said.kind != "credentials":
        assert 400 <= status < 500 and said.code in purchases.REFUSALS
    if isinstance(said, Rejected) and said.kind == "credentials":
        assert status in (401, 403)
    if isinstance(said, NotSent):
        assert status == 429 or (status == 404 and said.reason == "endpoint_gone")


@QUICK
@given(STATUS, BODY, HEADERS)
@example(200, written({"success": True, "data": record()}), {})
@example(200, b'{"success":true,"data":{"reference":null,"status":""}}', {})
def test_lookup(status: int, body: bytes, headers: dict[str, str]) -> None:
    said = mart(answer(status, body, headers)).status(REF)
    assert isinstance(said, (Found, Absent, NoAnswer))
    if isinstance(said, Absent):
        assert (
            status == 404
            and json.loads(body)["error"]["code"] == "TRANSACTION_NOT_FOUND"
        )
    if isinstance(said, Found):
        named = json.loads(body)["data"].get("reference")
        assert 200 <= status < 300
        # one that names nobody is the caller's to judge: `interpret.is_about`
        assert named == REF if said.unnamed is None else names_nobody(named, REF)


@QUICK
@given(STATUS, BODY)
def test_bulk(status: int, body: bytes) -> None:
    said = mart(answer(status, body, {})).submit_bulk([REQUEST], "MKB-1")
    assert isinstance(said, BulkResult) and [line.order_ref for line in said.lines] == [
        REF
    ]


@QUICK
@given(STATUS, BODY)
def test_reads(status: int, body: bytes) -> None:
    client = mart(answer(status, body, {}))
    for read in (
        client.balance,
        client.offers,
        client.capacities,
        client.account,
        client.transactions,
        client.statistics,
    ):
        assert read() is not None
    assert client.set_webhook("http://127.0.0.1/x") is not None
    assert client.test_webhook() is not None


@QUICK
@given(BODY, some.dictionaries(some.text(max_size=10), some.text(max_size=70)))
def test_webhook(body: bytes, headers: dict[str, str]) -> None:
    modes = (
        "platform_data_secret",
        "platform_data_key",
        "body_secret",
        "static_token",
        "none",
    )
    keys = {
        "webhook_data_key": "a",
        "webhook_body_secret": "b",
        "webhook_static_token": "c-token",
    }
    news = mart(None, webhook_modes=modes, **keys).read_event(body, headers)
    assert news.verified_by is None
    for value in (news.event, news.order_ref, news.raw_status):
        if value is not None:  # can be written to a text column
            assert "\x00" not in value and len(value) <= 80
            value.encode("utf-8")
