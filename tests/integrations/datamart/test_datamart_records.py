"""The call log: one record for every call however it ends, and nothing in it that nobody should
read."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx
import pytest
from datamart_wire import (
    KEY,
    NUMBER,
    REF,
    REQUEST,
    SECRET,
    bought,
    mart,
    now,
    ok,
    product,
    raw,
    refusal,
)

from integrations.datamart.client import DataMart
from integrations.masking import Mask
from integrations.ports import CallRecord, Supplier

HOOK_TOKEN = "Zk3vQ8n2Lw7yT1cR5bX0aA"
HOOK = f"https://hooks.makola.test/datamart/{HOOK_TOKEN}"


class JobTimeout(Exception):
    """Stands for the queue's own: an ordinary exception, raised by a signal at any line."""


CALLS: dict[str, Any] = {
    "purchase": lambda client: client.submit(REQUEST),
    "bulk": lambda client: client.submit_bulk([REQUEST], "MKB-1"),
    "status": lambda client: client.status(REF),
    "balance": lambda client: client.balance(),
    "products": lambda client: client.offers(),
    "capacities": lambda client: client.capacities(),
    "account": lambda client: client.account(),
    "transactions": lambda client: client.transactions(),
    "statistics": lambda client: client.statistics(),
    "set_webhook": lambda client: client.set_webhook(HOOK),
    "test_webhook": lambda client: client.test_webhook(),
}


@pytest.mark.parametrize("endpoint", CALLS)
def test_every_call_leaves_one_record(endpoint: str) -> None:
    records: list[CallRecord] = []
    CALLS[endpoint](mart(refusal(500, "X_ERROR"), records))
    (kept,) = records
    assert (kept.supplier, kept.endpoint, kept.http_status) == (
        "datamart",
        endpoint,
        500,
    )
    assert kept.started_at == now() and kept.duration_ms >= 0
    assert json.loads(kept.response_body)["error"] == {"code": "X_ERROR"}


@pytest.mark.parametrize(
    "foreign", [JobTimeout("120 s"), KeyboardInterrupt(), SystemExit(1)]
)
@pytest.mark.parametrize("endpoint", CALLS)
def test_call_cut_short_is_recorded_as_unknown_and_flies_on(
    endpoint: str, foreign: BaseException
) -> None:
    records: list[CallRecord] = []
    with pytest.raises(type(foreign)):
        CALLS[endpoint](mart(foreign, records))
    (kept,) = records
    assert (kept.outcome, kept.http_status, kept.note) == (
        "unknown",
        None,
        "cut short before an answer",
    )


def test_call_cut_short_while_the_answer_is_judged_keeps_the_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def cut(*_: Any) -> Any:
        raise JobTimeout

    monkeypatch.setattr("integrations.datamart.purchases.result", cut)
    records: list[CallRecord] = []
    with pytest.raises(JobTimeout):
        mart(ok(bought(), 201), records).submit(REQUEST)
    (kept,) = records
    assert (kept.outcome, kept.http_status) == ("unknown", 201)
    assert REF in kept.response_body


@pytest.mark.parametrize(
    ("answer", "outcome", "note"),
    [
        (ok(bought(), 201), "ok", ""),
        (refusal(400, "DUPLICATE_REFERENCE"), "refused", ""),
        (httpx.ConnectError("refused"), "not_sent", "connect_error: refused"),
        (httpx.ReadTimeout("slow"), "unknown", "read_timeout"),
        (raw(502, "<html>"), "unknown", ""),
    ],
)
def test_outcome(answer: Any, outcome: str, note: str) -> None:
    records: list[CallRecord] = []
    mart(answer, records).submit(REQUEST)
    assert (records[0].outcome, records[0].note) == (outcome, note)
    assert records[0].order_refs == (REF,)


def test_without_a_listener_nothing_is_missing() -> None:
    assert mart(refusal(500)).balance()


@pytest.mark.parametrize("endpoint", CALLS)
def test_no_secret_in_any_record(
    endpoint: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Not even when the supplier echoes what we sent, in its body or in the words of an error."""

    def echo(request: httpx.Request) -> httpx.Response:
        told = dict(request.headers.items())
        sent = json.loads(request.content) if request.content else None
        data = {
            "you": told,
            "sent": sent,
            "webhookUrl": HOOK,
            "mail": "ama@example.test",
            "n": f"+233{NUMBER[1:]}",
        }
        return ok(data | {"products": [product(name=SECRET)]})

    records: list[CallRecord] = []
    secrets = {
        "webhook_data_key": "hash-$2a$10",
        "webhook_body_secret": 'quo"te\\',
        "webhook_static_token": "tok-77",
    }
    CALLS[endpoint](mart(echo, records, **secrets))
    shown = "\n".join(str(kept) for kept in records) + caplog.text.replace(
        "integrations.datamart", ""
    )
    for secret in (
        KEY,
        SECRET,
        *secrets.values(),
        HOOK_TOKEN,
        "ama@example",
        NUMBER,
        NUMBER[1:],
    ):
        assert secret not in shown, secret


def test_no_secret_in_what_python_shows_of_the_client() -> None:
    client = mart(None)
    shown = (
        repr(client)
        + repr(vars(client))
        + repr(client._caller)
        + repr(client._verifier)
    )
    assert SECRET not in shown and KEY not in shown


MASKED = {
    '"beneficiary_number":"0241234567"': '"beneficiary_number":"*******567"',
    '"beneficiary":"+233241234567"': '"beneficiary":"+*********567"',
    '"phone": "024 123 45 67"': '"phone": "*** *** *5 67"',
    '"provided":"024"': '"provided":"024"',
    '"provided":241234567': '"provided":******567',
    "0241234567": "*******567",
    "233241234567": "*********567",
    "+233241234567": "+*********567",
    "00233241234567": "***********567",
    "241234567": "******567",
    "024 123 4567": "*** *** *567",
    "024-123-4567": "***-***-*567",
    "to 0551234567.": "to *******567.",
    "0241234567,0551234567": "*******567,*******567",
    r'"Number\n0241234567"': r'"Number\n*******567"',
    "phone=%2B233241234567": "phone=%2B*********567",
    "ama.k+x@mail.example.com wrote": "***@*** wrote",
    HOOK: "https://hooks.makola.test/datamart/***",
    f'"webhook_url":"{HOOK}"': '"webhook_url":"https://hooks.makola.test/datamart/***"',
    HOOK.replace("/", "\\/"): "https:\\/\\/hooks.makola.test\\/datamart\\/***",
    # and what a reader needs stays
    "66aa01f3c9d2b84e10f7a5d2": "66aa01f3c9d2b84e10f7a5d2",
    '"reference":"MK-7Q2M4X9RZT"': '"reference":"MK-7Q2M4X9RZT"',
    '"balance_after":4990.000000000001': '"balance_after":4990.000000000001',
    '"amount":9.2': '"amount":9.2',
    "2026-02-03T09:15:27.114Z": "2026-02-03T09:15:27.114Z",
    "API1738574126980abcdef01": "API1738574126980abcdef01",
    "/v1/transactions/MK-7Q2M4X9RZT8PAAAAAAAA": "/v1/transactions/MK-7Q2M4X9RZT8PAAAAAAAA",
    "": "",
}


@pytest.mark.parametrize(("plain", "shown"), MASKED.items())
def test_mask(plain: str, shown: str) -> None:
    assert Mask(())(plain) == shown


def test_mask_takes_bytes_of_any_kind() -> None:
    assert Mask(())(b"\xff\x000241234567") == "\ufffd\ufffd*******567"


@pytest.mark.slow(seconds=0.2)
def test_body_is_cut_to_8_kib_and_stays_text() -> None:
    records: list[CallRecord] = []
    mart(raw(200, "Ɛ" * 100_000), records).balance()
    kept = records[0].response_body
    assert 8 * 1024 - 2 <= len(kept.encode()) <= 8 * 1024 and set(kept) == {"Ɛ"}


def test_cut_never_uncovers_a_secret() -> None:
    """Masked first, cut afterwards: a secret across the edge would otherwise show its first
    half."""
    records: list[CallRecord] = []
    mart(raw(200, "x" * (8 * 1024 - 30) + SECRET), records).balance()
    assert "sk_" not in records[0].response_body


@pytest.mark.slow(seconds=2.4)
def test_masking_a_full_answer_is_quick() -> None:
    """Patterns that backtrack would let one answer hold a worker."""
    for filler in (
        "0",
        "233 ",
        "a@",
        "http://x/",
        "a.",
        "@",
        "/" * 3,
        '"phone":"',
        "1-",
    ):
        whole = (filler * (1024 * 1024 // len(filler)))[: 1024 * 1024]
        records: list[CallRecord] = []
        mart(raw(200, whole), records).balance()
        assert records[0].duration_ms < 3_000


@pytest.mark.parametrize(
    ("key", "secret"),
    [("", "s"), ("k", ""), ("k", "s\n"), ("k\r\nX: y", "s"), ("k", "s t"), ("k", "sé")],
)
def test_credentials_no_header_can_carry_are_refused_at_start(
    key: str, secret: str
) -> None:
    with pytest.raises(ValueError, match="supplier's") as refused:
        DataMart("http://supplier.test/api", key, secret, on_call=None, clock=now)
    assert "s\n" not in str(refused.value)


@pytest.mark.parametrize(
    "address", ["", "supplier.test/api", "ftp://supplier.test", "http://"]
)
def test_address_is_checked_at_start(address: str) -> None:
    with pytest.raises(ValueError):
        DataMart(address, KEY, SECRET, on_call=None, clock=now)


def test_times_go_through_the_scale() -> None:
    seen: list[dict[str, float]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.extensions["timeout"])
        return refusal(500)

    client = mart(answer, scale=lambda seconds: seconds / 10)
    client.submit(REQUEST)
    client.balance()
    assert seen == [
        {"connect": 1.0, "read": 9.0, "write": 1.0, "pool": 1.0},
        {"connect": 1.0, "read": 6.0, "write": 1.0, "pool": 1.0},
    ]


def test_it_is_a_supplier() -> None:
    client: Supplier = mart(None)
    assert client.name == "datamart"
    assert re.fullmatch("[a-z_]+", client.name)
