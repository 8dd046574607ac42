"""Several purchases in one envelope: what each line may believe."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from datamart_wire import HTML, OTHER, mart, ok, raw, refusal

from integrations.ports import (
    Accepted,
    CallRecord,
    NotSent,
    PurchaseRequest,
    Rejected,
    SubmitResult,
    Unknown,
)

A = PurchaseRequest("MK-AAAAAAAAAA", "YELLOW", "1GB", "+233241234567")
B = PurchaseRequest("MK-BBBBBBBBBB", "YELLOW", "2GB", "+233551234567")
# number and size of B
C = PurchaseRequest("MK-CCCCCCCCCC", "YELLOW", "2GB", "+233551234567")
BATCH = "MKB-19"


def done(request: PurchaseRequest, **changes: Any) -> dict[str, Any]:
    row = {
        "reference": request.order_ref,
        "transaction_id": "66aa01f3c9d2b84e10f7a5e1",
        "product_name": "YELLOW",
        "capacity": request.capacity,
        "beneficiary": "0" + request.recipient_msisdn[4:],
        "quantity": 1,
        "amount": 4.6,
        "status": "pending",
    } | changes
    return {name: value for name, value in row.items() if value is not None}


def failed(request: PurchaseRequest, error: Any, **changes: Any) -> dict[str, Any]:
    """A failed line as the manual generation writes it: without a reference."""
    return (
        done(request, reference=None, transaction_id=None, status="failed", error=error)
        | changes
    )


def batch(good: Any, bad: Any = (), **changes: Any) -> httpx.Response:
    data = {
        "bulk_reference": BATCH,
        "successful_orders": good,
        "failed_orders": bad,
        "balance_after": 789.4,
    } | changes
    return ok({name: value for name, value in data.items() if value is not None}, 201)


def took(
    request: PurchaseRequest,
    status: Any = "pending",
    raw_status: str = "pending",
    person: bool = False,
) -> Accepted:
    return Accepted(
        status=status,
        raw_status=raw_status,
        supplier_ref="66aa01f3c9d2b84e10f7a5e1",
        amount_pesewas=460,
        recipient="0" + request.recipient_msisdn[4:],
        order_ref=request.order_ref,
        needs_person=person,
    )


UNNAMED = Unknown("line_not_named")
INNOCENT = NotSent("batch_refused")
DUPLICATE = Rejected("duplicate_reference", "LINE_FAILED", "Duplicate reference")


def invalid(code: str) -> Rejected:
    return Rejected(
        "catalogue" if code == "PRODUCT_NOT_FOUND" else "invalid", code, f"about {code}"
    )


ROWS: dict[str, tuple[Any, list[PurchaseRequest], list[SubmitResult]]] = {
    "all bought": (batch([done(A), done(B)]), [A, B], [took(A), took(B)]),
    "in another order": (batch([done(B), done(A)]), [A, B], [took(A), took(B)]),
    "completed is not delivered": (
        batch([done(A, status="completed", provider_reference="p")]),
        [A],
        [took(A, "processing", "completed")],
    ),
    "a line is missing": (batch([done(A)]), [A, B], [took(A), UNNAMED]),
    "nothing named": (batch([]), [A, B], [UNNAMED, UNNAMED]),
    "lists missing": (batch(None, None), [A], [UNNAMED]),
    "lists of nonsense": (batch("all", [1, None, "x"]), [A], [UNNAMED]),
    "a stranger's reference": (batch([done(A, reference=OTHER)]), [A], [UNNAMED]),
    "bought without a reference": (batch([done(A, reference=None)]), [A], [UNNAMED]),
    "named twice": (batch([done(A), done(A)]), [A], [Unknown("line_named_twice")]),
    "bought and failed": (
        batch([done(A)], [failed(A, "Duplicate reference", reference=A.order_ref)]),
        [A],
        [Unknown("line_named_twice")],
    ),
    # failed lines
    "failed by reference": (
        batch([done(A)], [failed(B, "Duplicate reference", reference=B.order_ref)]),
        [A, B],
        [took(A), DUPLICATE],
    ),
    "failed by number and size": (
        batch([done(A)], [failed(B, "Duplicate reference")]),
        [A, B],
        [took(A), DUPLICATE],
    ),
    "failed, number spelled otherwise": (
        batch(
            [],
            [
                failed(
                    A,
                    "Duplicate reference",
                    beneficiary="+233 24 123 4567",
                    capacity="1gb",
                )
            ],
        ),
        [A],
        [DUPLICATE],
    ),
    "two of one number and size failed": (
        batch([], [failed(B, "Duplicate reference")]),
        [B, C],
        [UNNAMED, UNNAMED],
    ),
    "of two alike one was bought": (
        batch([done(B)], [failed(C, "Duplicate reference")]),
        [B, C],
        [took(B), DUPLICATE],
    ),
    "two failed rows for one line": (
        batch([], [failed(A, "Duplicate reference"), failed(A, "Duplicate reference")]),
        [A],
        [UNNAMED],
    ),
    "failed with an empty row": (batch([], [{}]), [A], [UNNAMED]),
    "failed for want of money": (
        batch([], [failed(A, "Insufficient balance")]),
        [A],
        [Rejected("insufficient_balance", "LINE_FAILED", "Insufficient balance")],
    ),
    # by then all checks had passed: the order may be good, and even bought
    "failed for the network": (
        batch([], [failed(A, "Upstream timeout", reference=A.order_ref)]),
        [A],
        [Unknown("line_failed: Upstream timeout")],
    ),
    "failed because of another line": (
        batch([], [failed(A, "Transaction aborted: duplicate reference")]),
        [A],
        [Unknown("line_failed: Transaction aborted: duplicate reference")],
    ),
    "failed without a reason": (
        batch([], [failed(A, None)]),
        [A],
        [Unknown("line_failed: ")],
    ),
    "all failed": (
        refusal(
            400,
            "ALL_ORDERS_FAILED",
            failed_orders=[failed(A, "Duplicate reference")],
            balance_unchanged=True,
        ),
        [A, B],
        [DUPLICATE, UNNAMED],
    ),
    "all failed, no list": (refusal(400, "ALL_ORDERS_FAILED"), [A], [UNNAMED]),
    # the whole batch refused
    "one bad number": (
        refusal(400, "INVALID_PHONE_NUMBER", order_index=1),
        [A, B],
        [INNOCENT, invalid("INVALID_PHONE_NUMBER")],
    ),
    "one unknown product": (
        refusal(400, "PRODUCT_NOT_FOUND", order_index=0),
        [A, B],
        [invalid("PRODUCT_NOT_FOUND"), INNOCENT],
    ),
    "refused, no index": (
        refusal(400, "INVALID_PHONE_NUMBER"),
        [A, B],
        [INNOCENT, INNOCENT],
    ),
    "refused, no index, one line": (
        refusal(400, "INVALID_PHONE_NUMBER"),
        [A],
        [invalid("INVALID_PHONE_NUMBER")],
    ),
    "refused, index beyond": (
        refusal(400, "INVALID_PHONE_NUMBER", order_index=9),
        [A, B],
        [INNOCENT, INNOCENT],
    ),
    "refused, index negative": (
        refusal(400, "INVALID_PHONE_NUMBER", order_index=-1),
        [A, B],
        [INNOCENT, INNOCENT],
    ),
    "refused, index true": (
        refusal(400, "INVALID_PHONE_NUMBER", order_index=True),
        [A, B],
        [INNOCENT, INNOCENT],
    ),
    "not enough money": (
        refusal(400, "INSUFFICIENT_BALANCE", required_amount=9.2, current_balance=1),
        [A, B],
        [
            Rejected(
                "insufficient_balance",
                "INSUFFICIENT_BALANCE",
                "about INSUFFICIENT_BALANCE",
                920,
                100,
            )
        ]
        * 2,
    ),
    "401": (
        refusal(401),
        [A, B],
        [Rejected("credentials", "HTTP_401", "about None")] * 2,
    ),
    "429": (
        raw(429, "API rate limit exceeded", retry_after="7"),
        [A, B],
        [NotSent("http_429", 7.0, True)] * 2,
    ),
    "path gone": (
        refusal(404, "ENDPOINT_NOT_FOUND"),
        [A, B],
        [NotSent("bulk_moved")] * 2,
    ),
    "not connected": (
        httpx.ConnectError("no"),
        [A, B],
        [NotSent("connect_error: no")] * 2,
    ),
    # unclear: each line is looked up
    "other batch": (
        batch([done(A)], bulk_reference=OTHER),
        [A],
        [Unknown("other_reference")],
    ),
    "batch not named": (batch([done(A)], bulk_reference=None), [A], [took(A)]),
    "500": (
        refusal(500, "BULK_PROCESSING_ERROR"),
        [A, B],
        [Unknown("http_500_BULK_PROCESSING_ERROR")] * 2,
    ),
    "500 bad number": (
        refusal(500, "INVALID_PHONE_NUMBER", order_index=0),
        [A, B],
        [Unknown("http_500_INVALID_PHONE_NUMBER")] * 2,
    ),
    "refused in other words, named": (
        refusal(400, "OUT_OF_STOCK", order_index=1),
        [A, B],
        [
            Unknown("http_400_OUT_OF_STOCK"),
            Unknown("http_400_OUT_OF_STOCK", about_catalogue=True),
        ],
    ),
    "refused in other words, not named": (
        refusal(400, "OUT_OF_STOCK"),
        [A, B],
        [Unknown("http_400_OUT_OF_STOCK")] * 2,
    ),
    "refused in other words, one line": (
        refusal(400, "OUT_OF_STOCK"),
        [A],
        [Unknown("http_400_OUT_OF_STOCK", about_catalogue=True)],
    ),
    "502": (raw(502, HTML), [A, B], [Unknown("http_502_not_json")] * 2),
    "cut": (
        raw(201, batch([done(A)]).content[:-9]),
        [A],
        [Unknown("http_201_not_json")],
    ),
    "without data": (
        raw(201, '{"success":true}'),
        [A],
        [Unknown("success_without_data")],
    ),
    "timeout": (httpx.ReadTimeout("slow"), [A, B], [Unknown("read_timeout")] * 2),
    "404 of the host": (
        raw(404, '{"success":false,"message":"x","path":"/"}'),
        [A],
        [Unknown("http_404_no_code")],
    ),
}


@pytest.mark.parametrize(("answer", "requests", "results"), ROWS.values(), ids=ROWS)
def test_bulk(
    answer: Any, requests: list[PurchaseRequest], results: list[SubmitResult]
) -> None:
    said = mart(answer).submit_bulk(requests, BATCH)
    assert [line.order_ref for line in said.lines] == [
        request.order_ref for request in requests
    ]
    assert [line.result for line in said.lines] == results


def test_what_goes_out() -> None:
    seen: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(json.loads(request.content))
        return batch([done(A), done(B)])

    assert mart(answer).submit_bulk([A, B], BATCH).balance_after_pesewas == 78940
    assert seen == [
        {
            "orders": [
                {
                    "capacity": "1GB",
                    "product_name": "YELLOW",
                    "beneficiary_number": "0241234567",
                    "reference": A.order_ref,
                },
                {
                    "capacity": "2GB",
                    "product_name": "YELLOW",
                    "beneficiary_number": "0551234567",
                    "reference": B.order_ref,
                },
            ],
            "reference": BATCH,
        }
    ]


def paths_of(existing: set[str]) -> tuple[list[str], Any]:
    """A supplier that knows the paths `existing`; the list fills with the paths asked for."""
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/api")
        asked.append(path)
        return (
            batch([done(A)])
            if path in existing
            else refusal(404, "ENDPOINT_NOT_FOUND", endpoint=path)
        )

    return asked, answer


@pytest.mark.parametrize(
    ("existing", "asked_for"),
    [
        ({"/v1/bulk"}, ["/v1/bulk", "/v1/bulk"]),
        ({"/v1/purchase/bulk"}, ["/v1/bulk", "/v1/purchase/bulk", "/v1/purchase/bulk"]),
        ({"/v1/bulk", "/v1/purchase/bulk"}, ["/v1/bulk", "/v1/bulk"]),
        (set(), ["/v1/bulk", "/v1/purchase/bulk", "/v1/bulk"]),
    ],
)
def test_path_that_works_is_remembered(
    existing: set[str], asked_for: list[str]
) -> None:
    asked, answer = paths_of(existing)
    client = mart(answer)
    said = [client.submit_bulk([A], BATCH).lines[0].result for _ in range(3)]
    assert asked == asked_for + asked_for[-1:] * (3 - len(asked_for))
    moved, gone = NotSent("bulk_moved"), NotSent("no_bulk")
    if not existing:
        assert said == [moved, gone, gone]
    else:
        assert [one == moved for one in said] == [
            "/v1/bulk" not in existing,
            False,
            False,
        ]


def test_path_is_found_again_after_the_supplier_moved_back() -> None:
    existing = {"/v1/purchase/bulk"}
    asked, answer = paths_of(existing)
    client = mart(answer)
    for _ in range(2):
        client.submit_bulk([A], BATCH)
    existing.clear()
    existing.add("/v1/bulk")
    for _ in range(2):
        client.submit_bulk([A], BATCH)
    assert asked == ["/v1/bulk", "/v1/purchase/bulk", "/v1/purchase/bulk", "/v1/bulk"]


@pytest.mark.parametrize(
    "answer",
    [
        refusal(404),
        refusal(404, "ENDPOINT_NOT_FOUND"),
        raw(404, HTML),
        raw(404),
        refusal(400, "ENDPOINT_NOT_FOUND"),
        raw(502),
    ],
)
def test_an_envelope_is_never_sent_twice(answer: httpx.Response) -> None:
    calls: list[str] = []

    def count(request: httpx.Request) -> httpx.Response:
        calls.append(request.url.path)
        return answer

    mart(count).submit_bulk([A], BATCH)
    assert calls == ["/api/v1/bulk"]


def test_a_line_no_supplier_could_take_stays_here() -> None:
    seen: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(
            [order["reference"] for order in json.loads(request.content)["orders"]]
        )
        return batch([done(B)])

    bad = PurchaseRequest(A.order_ref, "YELLOW", "1", "+233241234567")
    said = mart(answer).submit_bulk([bad, B], BATCH)
    assert seen == [[B.order_ref]]
    assert said.lines[0].result == Rejected(
        "catalogue", "BAD_CAPACITY", "The size must be text such as 5GB."
    )
    assert said.lines[1].result == took(B)
    assert (
        mart(AssertionError("sent")).submit_bulk([bad], BATCH).lines[0].result
        == said.lines[0].result
    )


def line(number: int) -> PurchaseRequest:
    return PurchaseRequest(f"MK-{number:010}", "YELLOW", "1GB", "+233241234567")


@pytest.mark.parametrize(
    "requests",
    [[], [line(n) for n in range(11)], [A, A]],
    ids=["none", "eleven", "twice"],
)
def test_refused_before_the_wire(requests: list[PurchaseRequest]) -> None:
    with pytest.raises(ValueError, match="1 to 10 lines"):
        mart(AssertionError("sent")).submit_bulk(requests, BATCH)


def test_ten_lines_are_taken() -> None:
    lines = [line(number) for number in range(10)]
    said = mart(batch([done(request) for request in lines])).submit_bulk(lines, BATCH)
    assert all(isinstance(answered.result, Accepted) for answered in said.lines)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (batch([done(A), done(B)]), "ok"),
        (batch([done(A)]), "unknown"),
        (refusal(400, "INVALID_PHONE_NUMBER", order_index=0), "not_sent"),
        (refusal(401), "refused"),
    ],
)
def test_record_tells_the_worst(answer: httpx.Response, outcome: str) -> None:
    records: list[CallRecord] = []
    mart(answer, records).submit_bulk([A, B], BATCH)
    assert [(kept.outcome, kept.order_refs) for kept in records] == [
        (outcome, (A.order_ref, B.order_ref))
    ]
