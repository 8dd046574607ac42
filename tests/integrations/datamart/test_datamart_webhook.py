"""What a webhook body says and which signature holds. Signatures are computed here, not by the code
under test."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
from typing import Any

import pytest
from datamart_wire import REF, SECRET, mart

from integrations.datamart.webhook import data_text
from integrations.ports import WebhookNews

HASH = "$2a$10$abcdefghijklmnopqrstuuVxYzABCDEFGHIJKLMNOPQRSTUVWXYZ012"
DATA = f'{{"reference":"{REF}","old_status":"pending","new_status":"successful","amount":9.2}}'
TAIL = ',"timestamp":"2026-02-03T09:52:40.551Z"'


def sign(key: str, signed: str | bytes) -> str:
    return hmac.new(
        key.encode(),
        signed if isinstance(signed, bytes) else signed.encode(),
        hashlib.sha256,
    ).hexdigest()


def body_of(
    data: str, event: str = "transaction.status_update", more: str = TAIL
) -> bytes:
    return f'{{"event":"{event}","data":{data}{more}}}'.encode()


def read(
    body: bytes, headers: dict[str, str] | None = None, **options: Any
) -> WebhookNews:
    return mart(AssertionError("a webhook makes no call"), **options).read_event(
        body, headers or {}
    )


def test_signature_vector() -> None:
    """Computed with openssl: printf '%s' '{"a":1}' | openssl dgst -sha256 -hmac key."""
    vector = "88a67f24bbcdaed0e6c997404bb79a743baf44c6bab2f4c27328e3009d22e342"
    assert sign("key", '{"a":1}') == vector
    news = read(
        b'{"data":{"a":1}}', {"X-Platform-Signature": vector}, webhook_data_key="key"
    )
    assert news.verified_by == "platform_data_key"


GOOD = sign(SECRET, DATA)

VERIFIED: dict[str, tuple[bytes, dict[str, str], dict[str, Any], str | None]] = {
    "header": (
        body_of(DATA),
        {"X-Platform-Signature": GOOD},
        {},
        "platform_data_secret",
    ),
    "header in small letters": (
        body_of(DATA),
        {"x-platform-signature": GOOD},
        {},
        "platform_data_secret",
    ),
    "in the body": (
        body_of(DATA, more=f'{TAIL},"signature":"{GOOD}"'),
        {},
        {},
        "platform_data_secret",
    ),
    "data last": (
        f'{{"event":"e","timestamp":"t","data":{DATA}}}'.encode(),
        {"X-Platform-Signature": GOOD},
        {},
        "platform_data_secret",
    ),
    "spaces around data": (
        f' {{ "event" : "e" ,\n "data" :\t{DATA} \n, "timestamp" : 1 }}\n'.encode(),
        {"X-Platform-Signature": GOOD},
        {},
        "platform_data_secret",
    ),
    # the published servers sign with the stored hash of the secret, which we only know if somebody
    # tells us
    "the vendor's hash, disclosed": (
        body_of(DATA),
        {"X-Platform-Signature": sign(HASH, DATA)},
        {"webhook_data_key": HASH},
        "platform_data_key",
    ),
    "the vendor's hash, not disclosed": (
        body_of(DATA),
        {"X-Platform-Signature": sign(HASH, DATA)},
        {},
        None,
    ),
    "whole body": (
        body_of(DATA),
        {"X-DataMart-Signature": sign("whsec", body_of(DATA))},
        {"webhook_modes": ("body_secret",), "webhook_body_secret": "whsec"},
        "body_secret",
    ),
    "token": (
        body_of(DATA),
        {"X-Webhook-Signature": "token-1"},
        {"webhook_modes": ("static_token",), "webhook_static_token": "token-1"},
        "static_token",
    ),
    "token as key": (
        body_of(DATA),
        {"X-API-Key": "token-1"},
        {"webhook_modes": ("static_token",), "webhook_static_token": "token-1"},
        "static_token",
    ),
    "modes are tried in order": (
        body_of(DATA),
        {"X-Platform-Signature": GOOD, "X-API-Key": "token-1"},
        {
            "webhook_modes": ("static_token", "platform_data_secret"),
            "webhook_static_token": "token-1",
        },
        "static_token",
    ),
    "next mode when the first fails": (
        body_of(DATA),
        {"X-Platform-Signature": GOOD, "X-API-Key": "wrong"},
        {
            "webhook_modes": ("static_token", "platform_data_secret"),
            "webhook_static_token": "token-1",
        },
        "platform_data_secret",
    ),
    # nothing of these
    "none": (
        body_of(DATA),
        {"X-Platform-Signature": GOOD},
        {"webhook_modes": ("none",)},
        None,
    ),
    "no modes": (
        body_of(DATA),
        {"X-Platform-Signature": GOOD},
        {"webhook_modes": ()},
        None,
    ),
    "no signature": (body_of(DATA), {}, {}, None),
    "empty signature": (body_of(DATA), {"X-Platform-Signature": ""}, {}, None),
    "in capitals": (body_of(DATA), {"X-Platform-Signature": GOOD.upper()}, {}, None),
    "cut": (body_of(DATA), {"X-Platform-Signature": GOOD[:-1]}, {}, None),
    "with a prefix": (
        body_of(DATA),
        {"X-Platform-Signature": "sha256=" + GOOD},
        {},
        None,
    ),
    "not ASCII": (body_of(DATA), {"X-Platform-Signature": "é" * 64}, {}, None),
    "half characters": (body_of(DATA), {"X-Platform-Signature": "\ud800"}, {}, None),
    "other secret": (
        body_of(DATA),
        {"X-Platform-Signature": sign("sk_other", DATA)},
        {},
        None,
    ),
    "wrong header, right body": (
        body_of(DATA, more=f'{TAIL},"signature":"{GOOD}"'),
        {"X-Platform-Signature": "0" * 64},
        {},
        None,
    ),
    "signed over the whole body": (
        body_of(DATA),
        {"X-Platform-Signature": sign(SECRET, body_of(DATA))},
        {},
        None,
    ),
    "data changed": (
        body_of(DATA.replace("9.2", "9.3")),
        {"X-Platform-Signature": GOOD},
        {},
        None,
    ),
    "data written anew": (
        body_of(DATA.replace(":", ": ")),
        {"X-Platform-Signature": GOOD},
        {},
        None,
    ),
    "number written anew": (
        body_of(DATA.replace("9.2", "9.20")),
        {"X-Platform-Signature": GOOD},
        {},
        None,
    ),
    "a second data member": (
        body_of(DATA, more=',"data":{"reference":"X"}'),
        {"X-Platform-Signature": GOOD},
        {},
        None,
    ),
    "data only inside": (
        f'{{"x":{{"data":{DATA}}}}}'.encode(),
        {"X-Platform-Signature": GOOD},
        {},
        None,
    ),
    "no data": (b'{"event":"e"}', {"X-Platform-Signature": sign(SECRET, "")}, {}, None),
    "an empty key verifies nothing": (
        body_of(DATA),
        {
            "X-Platform-Signature": sign("", DATA),
            "X-DataMart-Signature": sign("", body_of(DATA)),
            "X-API-Key": "",
        },
        {"webhook_modes": ("platform_data_key", "body_secret", "static_token")},
        None,
    ),
    "not JSON, whole body signed": (
        b"status=successful",
        {"X-DataMart-Signature": sign("whsec", b"status=successful")},
        {"webhook_modes": ("body_secret",), "webhook_body_secret": "whsec"},
        "body_secret",
    ),
}


@pytest.mark.parametrize(
    ("body", "headers", "options", "mode"), VERIFIED.values(), ids=VERIFIED
)
def test_verified_by(
    body: bytes, headers: dict[str, str], options: dict[str, Any], mode: str | None
) -> None:
    assert read(body, headers, **options).verified_by == mode


def test_ten_thousand_changed_bodies_and_signatures() -> None:
    """One bit flipped in the signed bytes or in the signature is never accepted."""
    chance = random.Random(20260203)
    client = mart(AssertionError("no call"))
    accepted = 0
    for _ in range(5_000):
        data = bytearray(DATA.encode())
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        body = b'{"event":"e","data":' + bytes(data) + b"}"
        accepted += (
            client.read_event(body, {"X-Platform-Signature": GOOD}).verified_by
            is not None
        )
        signature = bytearray(GOOD.encode())
        signature[chance.randrange(64)] ^= 1 << chance.randrange(7)
        header = {"X-Platform-Signature": signature.decode("latin-1")}
        accepted += client.read_event(body_of(DATA), header).verified_by is not None
    assert accepted == 0


def test_unknown_mode_is_refused_at_start() -> None:
    with pytest.raises(ValueError, match="platform_data_secret"):
        mart(None, webhook_modes=("rot13",))


EXACT: dict[str, tuple[bytes, bytes | None]] = {
    "noise of a float stays": (
        b'{"data":{"b":4990.000000000001,"a":1.0}}',
        b'{"b":4990.000000000001,"a":1.0}',
    ),
    "escapes stay": (rb'{"data":{"m":"a\/b\u0041"}}', rb'{"m":"a\/b\u0041"}'),
    "other alphabets": ('{"data":{"m":"Ɛ–ñ"}}'.encode(), '{"m":"Ɛ–ñ"}'.encode()),
    "inner spaces stay": (b'{"data":{ "a" : 1 } }', b'{ "a" : 1 }'),
    "no object": (b'{"data":"text"}', b'"text"'),
    "null": (b'{"data":null}', b"null"),
    "a word data in another member": (
        b'{"x":"\\"data\\":{}","data":{"a":1}}',
        b'{"a":1}',
    ),
    "of two the last": (b'{"data":{"a":1},"data":{"a":2}}', b'{"a":2}'),
    "escaped name": (rb'{"d\u0061ta":{"a":1}}', b'{"a":1}'),
    "missing": (b'{"event":"e"}', None),
    "empty object": (b"{}", None),
    "list": (b'["data"]', None),
    "cut": (b'{"data":{"a":1}', None),
    "comma at the end": (b'{"data":{"a":1},}', None),
    "no colon": (b'{"data" {"a":1}}', None),
    "not UTF-8": (b'{"data":{"a":"\xff"}}', None),
    "nested without end": (b'{"data":' + b"[" * 60_000, None),
    "empty": (b"", None),
}


@pytest.mark.parametrize(("body", "exact"), EXACT.values(), ids=EXACT)
def test_exact_bytes_of_data(body: bytes, exact: bytes | None) -> None:
    assert data_text(body) == exact


def news(**members: Any) -> WebhookNews:
    return read(json.dumps(members).encode())


SAYS: dict[
    str, tuple[dict[str, Any], tuple[str, str | None, str | None, str | None]]
] = {
    "status update": (
        {
            "event": "transaction.status_update",
            "data": {"reference": REF, "old_status": "pending", "new_status": "sent"},
        },
        ("transaction.status_update", REF, "processing", "sent"),
    ),
    "new status before status": (
        {
            "event": "e",
            "data": {"reference": REF, "status": "pending", "new_status": "successful"},
        },
        ("e", REF, "completed", "successful"),
    ),
    "created": (
        {
            "event": "transaction.created",
            "data": {"reference": REF, "status": "pending"},
        },
        ("transaction.created", REF, "pending", "pending"),
    ),
    "created without a status": (
        {"event": "transaction.created", "data": {"reference": REF}},
        ("transaction.created", REF, "pending", "created"),
    ),
    "completed (forwarding)": (
        {
            "event": "transaction.completed",
            "data": {"reference": REF, "status": "completed"},
        },
        ("transaction.completed", REF, "completed", "completed"),
    ),
    "failed (forwarding)": (
        {
            "event": "transaction.failed",
            "data": {"reference": REF, "status": "failed", "error": "x"},
        },
        ("transaction.failed", REF, "failed", "failed"),
    ),
    "first generation": (
        {
            "event": "purchase.successful",
            "data": {"reference": REF, "product": "YELLOW"},
        },
        ("purchase.successful", REF, "completed", "successful"),
    ),
    "suffix that is no status": (
        {"event": "transaction.status_update", "data": {"reference": REF}},
        ("transaction.status_update", REF, None, None),
    ),
    "word nobody knows": (
        {"event": "e", "data": {"reference": REF, "status": "teleported"}},
        ("e", REF, None, "teleported"),
    ),
    "test event": (
        {"event": "webhook.test", "data": {"message": "hi", "status": "successful"}},
        ("webhook.test", None, None, None),
    ),
    "bulk accepted, which completes nothing": (
        {
            "event": "bulk_purchase.completed",
            "data": {"bulk_reference": "MKB-1", "status": "completed"},
        },
        ("bulk_purchase.completed", "MKB-1", None, None),
    ),
    "other API's names": (
        {
            "event": "order.completed",
            "data": {
                "orderReference": REF,
                "transactionId": "TRX-1",
                "orderStatus": "on",
            },
        },
        ("order.completed", REF, "processing", "on"),
    ),
    "ref": ({"event": "e", "data": {"ref": REF}}, ("e", REF, None, None)),
    "transactionId last": (
        {"event": "e", "data": {"transactionId": REF}},
        ("e", REF, None, None),
    ),
    "flat body": (
        {"event": "e", "reference": REF, "status": "done"},
        ("e", REF, "completed", "done"),
    ),
    "data before top level": (
        {"event": "e", "reference": "TOP-1", "data": {"ref": REF}},
        ("e", REF, None, None),
    ),
    "empty names are skipped": (
        {
            "event": "e",
            "data": {
                "reference": " ",
                "orderReference": None,
                "ref": 7,
                "bulk_reference": REF,
            },
        },
        ("e", REF, None, None),
    ),
    "no event": (
        {"data": {"reference": REF, "status": "failed"}},
        ("", REF, "failed", "failed"),
    ),
    "event is a list": (
        {"event": ["e"], "data": {"reference": REF}},
        ("", REF, None, None),
    ),
    "data is text": (
        {"event": "e", "data": "x", "reference": REF},
        ("e", REF, None, None),
    ),
    "reference with a zero byte": (
        {"event": "a\x00b", "data": {"reference": "MK\x00"}},
        ("a\ufffdb", None, None, None),
    ),
    "reference with half a character": (
        {"event": "e", "data": {"reference": "MK\ud800"}},
        ("e", None, None, None),
    ),
    "reference with a space": (
        {"event": "e", "data": {"reference": "MK 1"}},
        ("e", None, None, None),
    ),
    "reference without end": (
        {"event": "e", "data": {"reference": "M" * 65}},
        ("e", None, None, None),
    ),
}


@pytest.mark.parametrize(("members", "says"), SAYS.values(), ids=SAYS)
def test_says(members: dict[str, Any], says: tuple[Any, ...]) -> None:
    said = news(**members)
    assert (said.event, said.order_ref, said.status, said.raw_status) == says


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"x"',
        b"7",
        b"{",
        b"\xff\xfe",
        b"a=b",
        b"{" * 60_000,
        b'{"a":' * 20_000,
        b'{"a":NaN}',
    ],
)
def test_body_that_says_nothing(body: bytes) -> None:
    assert read(body) == WebhookNews("", None, None, None, None)


@pytest.mark.parametrize(
    ("data", "beside"),
    [
        ('{"message":"Test webhook"}', f',"reference":"{REF}","status":"successful"'),
        (f'{{"reference":"{REF}"}}', ',"status":"successful"'),
        (f'{{"reference":"{REF}"}}', ""),  # then the event's name is read as the status
        ('{"status":"successful"}', f',"reference":"{REF}"'),
    ],
)
def test_a_signature_vouches_for_nothing_written_beside_the_data(
    data: str, beside: str
) -> None:
    headers = {"X-Platform-Signature": sign(SECRET, data)}
    news = read(body_of(data, "transaction.completed", beside), headers)
    assert (news.order_ref, news.status, news.verified_by) == (REF, "completed", None)
    assert (
        read(body_of(DATA), {"X-Platform-Signature": sign(SECRET, DATA)}).verified_by
        == "platform_data_secret"
    )
