"""Every answer the look-up of a reference can meet: found, a true "not found", or no
information."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from datamart_wire import HTML, OTHER, REF, mart, ok, raw, record, refusal

from integrations.ports import Absent, CallRecord, Found, NoAnswer, Unnamed

SENT = Found(
    order_ref=REF,
    status="processing",
    raw_status="sent",
    supplier_ref="66aa01f3c9d2b84e10f7a5d2",
    amount_pesewas=920,
    recipient="0241234567",
    capacity="2GB",
)

NAMELESS = Unnamed("YELLOW", datetime(2026, 2, 3, 9, 15, 26, 980_000, UTC))

ROWS: dict[str, tuple[Any, Any]] = {
    "sent": (ok(record()), SENT),
    "successful": (
        ok(record(status="successful", completed_at="2026-02-03T10:00:00.000Z")),
        replace(SENT, status="completed", raw_status="successful"),
    ),
    "completed": (
        ok(record(status="completed")),
        replace(SENT, status="completed", raw_status="completed"),
    ),
    "pending": (
        ok(record(status="pending")),
        replace(SENT, status="pending", raw_status="pending"),
    ),
    "failed with reason": (
        ok(record(status="failed", failure_reason="Network down")),
        replace(
            SENT, status="failed", raw_status="failed", failure_reason="Network down"
        ),
    ),
    "failed without reason": (
        ok(record(status="failed")),
        replace(SENT, status="failed", raw_status="failed"),
    ),
    "queued again, the old reason lingers": (
        ok(record(failure_reason="Network down")),
        SENT,
    ),
    "reversed": (
        ok(record(status="reversed")),
        replace(SENT, status="refunded", raw_status="reversed"),
    ),
    "partial": (
        ok(record(status="partial")),
        replace(SENT, raw_status="partial", needs_person=True),
    ),
    "unknown word is never failed": (
        ok(record(status="lost")),
        replace(SENT, raw_status="lost", needs_person=True),
    ),
    "word missing": (
        ok(record(status=None)),
        replace(SENT, raw_status="", needs_person=True),
    ),
    "product name missing": (ok(record(product={"capacity": "2GB"})), SENT),
    "product missing": (ok(record(product=None)), replace(SENT, capacity=None)),
    "product as text": (ok(record(product="YELLOW")), replace(SENT, capacity=None)),
    "amount noise": (ok(record(amount=9.200000000000001)), SENT),
    "only the reference": (
        ok({"reference": REF, "status": "sent"}),
        Found(REF, "processing", "sent"),
    ),
    # the supplier's own "not found"
    "not found": (refusal(404, "TRANSACTION_NOT_FOUND", reference=REF), Absent(REF)),
    "not found, reference omitted": (
        refusal(404, "TRANSACTION_NOT_FOUND"),
        Absent(REF),
    ),
    # no information
    "not found of another": (
        refusal(404, "TRANSACTION_NOT_FOUND", reference=OTHER),
        NoAnswer("unclear", "not_found_of_other_reference"),
    ),
    "not found with 200": (
        refusal(200, "TRANSACTION_NOT_FOUND", reference=REF),
        NoAnswer("unclear", "http_200_TRANSACTION_NOT_FOUND"),
    ),
    "not found with 500": (
        refusal(500, "TRANSACTION_NOT_FOUND", reference=REF),
        NoAnswer("broken", "http_500_TRANSACTION_NOT_FOUND"),
    ),
    "not found called success": (
        httpx.Response(
            404, json={"success": True, "error": {"code": "TRANSACTION_NOT_FOUND"}}
        ),
        NoAnswer("unclear", "http_404_success_without_data"),
    ),
    "somebody else's order": (
        ok(record(reference=OTHER)),
        NoAnswer("unclear", "other_reference"),
    ),
    "no reference": (ok(record(reference=None)), replace(SENT, unnamed=NAMELESS)),
    "a reference for nothing": (
        ok(record(reference=" n/a ")),
        replace(SENT, unnamed=NAMELESS),
    ),
    "our reference, its middle hidden": (
        ok(record(reference=f"{REF[:3]}****{REF[-4:]}")),
        replace(SENT, unnamed=NAMELESS),
    ),
    "our reference, all hidden": (
        ok(record(reference="••••")),
        replace(SENT, unnamed=NAMELESS),
    ),
    "another's reference, its middle hidden": (
        ok(record(reference=f"{REF[:3]}****!{REF[-4:]}")),
        NoAnswer("unclear", "other_reference"),
    ),
    "no reference and little else": (
        ok({"status": "sent"}),
        Found(REF, "processing", "sent", unnamed=Unnamed()),
    ),
    "not found, reference empty": (
        refusal(404, "TRANSACTION_NOT_FOUND", reference=""),
        Absent(REF),
    ),
    "not found, reference hidden": (
        refusal(404, "TRANSACTION_NOT_FOUND", reference=f"{REF[:3]}****{REF[-4:]}"),
        NoAnswer("unclear", "no_reference"),
    ),
    "reference as number": (
        ok(record(reference=7)),
        NoAnswer("unclear", "other_reference"),
    ),
    "the list instead": (ok({"transactions": []}), NoAnswer("unclear", "no_reference")),
    "endpoint gone": (
        refusal(404, "ENDPOINT_NOT_FOUND"),
        NoAnswer("endpoint_gone", "ENDPOINT_NOT_FOUND"),
    ),
    "404 of the host": (
        httpx.Response(
            404, json={"success": False, "message": "Not found", "path": "/x"}
        ),
        NoAnswer("broken", "http_404_Not found"),
    ),
    "404 HTML": (raw(404, HTML), NoAnswer("unclear", "http_404_not_json")),
    "404 empty": (raw(404), NoAnswer("unclear", "http_404_empty")),
    "404 other code": (
        refusal(404, "PRODUCT_NOT_FOUND"),
        NoAnswer("broken", "http_404_PRODUCT_NOT_FOUND"),
    ),
    "401": (refusal(401), NoAnswer("credentials", "http_401: about None")),
    "401 HTML": (raw(401, HTML), NoAnswer("unclear", "http_401_not_json")),
    "403": (refusal(403), NoAnswer("credentials", "http_403: about None")),
    "403 rule": (
        refusal(403, "API_RULE_VIOLATION"),
        NoAnswer("broken", "http_403_API_RULE_VIOLATION"),
    ),
    "429": (
        raw(429, "API rate limit exceeded", retry_after="9"),
        NoAnswer("rate_limited", "http_429", 9.0),
    ),
    "500": (
        refusal(500, "TRANSACTION_ERROR"),
        NoAnswer("broken", "http_500_TRANSACTION_ERROR"),
    ),
    "502 HTML": (raw(502, HTML), NoAnswer("broken", "http_502_not_json")),
    "503 empty": (raw(503), NoAnswer("broken", "http_503_empty")),
    "200 cut": (
        raw(200, ok(record()).content[:-9]),
        NoAnswer("unclear", "http_200_not_json"),
    ),
    "200 HTML": (raw(200, HTML), NoAnswer("unclear", "http_200_not_json")),
    "200 empty": (raw(200), NoAnswer("unclear", "http_200_empty")),
    "200 without data": (
        raw(200, '{"success":true}'),
        NoAnswer("unclear", "http_200_success_without_data"),
    ),
    "307": (raw(307, location="/x"), NoAnswer("unclear", "http_307_empty")),
    "refused": (httpx.ConnectError("no"), NoAnswer("unreachable", "connect_error: no")),
    "timeout": (httpx.ReadTimeout("no"), NoAnswer("unreachable", "read_timeout")),
    "reset": (httpx.ReadError("no"), NoAnswer("unreachable", "read_error")),
}


@pytest.mark.parametrize(("answer", "result"), ROWS.values(), ids=ROWS)
def test_lookup(answer: Any, result: Any) -> None:
    records: list[CallRecord] = []
    assert mart(answer, records).status(REF) == result
    (kept,) = records
    assert (kept.outcome, kept.order_refs) == (
        "no_answer" if isinstance(result, NoAnswer) else "ok",
        (REF,),
    )


@pytest.mark.parametrize(
    ("order_ref", "path"),
    [
        (REF, f"/api/v1/transactions/{REF}"),
        ("A/B?c#d e%", "/api/v1/transactions/A%2FB%3Fc%23d%20e%25"),
        ("\ud800", "/api/v1/transactions/%3F"),
    ],
)
def test_reference_is_encoded(order_ref: str, path: str) -> None:
    seen: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.raw_path)
        return refusal(404, "TRANSACTION_NOT_FOUND")

    assert mart(answer).status(order_ref) == Absent(order_ref)
    assert seen == [path.encode()]


ENTRY = {
    "reference": REF,
    "transaction_id": "66aa01f3c9d2b84e10f7a5d2",
    "product_name": "YELLOW",
    "capacity": "2GB",
    "beneficiary": "0241234567",
    "amount": 9.2,
    "status": "successful",
    "created_at": "2026-02-03T09:15:26.980Z",
}


def test_list() -> None:
    (row,) = expect_rows(
        mart(ok({"transactions": [ENTRY], "pagination": {"page": 1}})).transactions()
    )
    assert (row.order_ref, row.status, row.raw_status) == (
        REF,
        "completed",
        "successful",
    )
    assert (row.amount_pesewas, row.recipient, row.capacity) == (
        920,
        "0241234567",
        "2GB",
    )
    assert row.created_at == datetime(2026, 2, 3, 9, 15, 26, 980_000, tzinfo=UTC)


def test_list_leaves_out_and_names_what_has_no_reference() -> None:
    records: list[CallRecord] = []
    listed = [
        ENTRY,
        {"status": "pending"},
        7,
        {"reference": OTHER, "created_at": "yesterday"},
    ]
    rows = expect_rows(mart(ok({"transactions": listed}), records).transactions())
    assert [row.order_ref for row in rows] == [REF, OTHER]
    assert rows[1].created_at is None and rows[1].status == "processing"
    assert records[0].note == "2 rows without a reference left out"


def test_empty_list_is_no_information() -> None:
    assert (
        mart(ok({"transactions": [], "pagination": {"total": 0}})).transactions() == ()
    )


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (ok({"transactions": None}), "unclear"),
        (ok({}), "unclear"),
        (refusal(500, "TRANSACTION_ERROR"), "broken"),
        (refusal(404, "ENDPOINT_NOT_FOUND"), "endpoint_gone"),
        (raw(429, "API rate limit exceeded"), "rate_limited"),
    ],
)
def test_no_list(answer: httpx.Response, kind: str) -> None:
    said = mart(answer).transactions()
    assert isinstance(said, NoAnswer) and said.kind == kind


@pytest.mark.parametrize(
    ("page", "limit", "query"),
    [
        (1, 20, "page=1&limit=20"),
        (0, 0, "page=1&limit=1"),
        (3, 5000, "page=3&limit=100"),
    ],
)
def test_list_asks_for_one_page(page: int, limit: int, query: str) -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.query.decode())
        return ok({"transactions": []})

    mart(answer).transactions(page, limit)
    assert seen == [query]


def expect_rows(said: Any) -> Any:
    assert isinstance(said, tuple), said
    return said
