"""What the tests of the Data Mart client share: a client over a scripted wire, and answers in the
contract's shapes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import httpx

from integrations.datamart.client import DataMart
from integrations.ports import CallRecord, PurchaseRequest

KEY = "pk_" + "a1" * 32
SECRET = "sk_" + "b2" * 32
REF = "MK-7Q2M4X9RZT"
OTHER = "XX-0000000000"
NUMBER = "0241234567"
STAMP = "2026-02-03T09:15:27.114Z"
REQUEST = PurchaseRequest(REF, "YELLOW", "2GB", "+233241234567")

HTML = "<!doctype html><html><body><h1>502 Bad Gateway</h1></body></html>"


def mart(
    answer: Any, records: list[CallRecord] | None = None, **options: Any
) -> DataMart:
    """A client whose wire answers with `answer`: a response, an exception, or a function of the
    request."""

    def handler(request: httpx.Request) -> httpx.Response:
        said = answer(request) if callable(answer) else answer
        if isinstance(said, BaseException):
            raise said
        assert isinstance(said, httpx.Response)
        return said

    options.setdefault("transport", httpx.MockTransport(handler))
    on_call = records.append if records is not None else None
    return DataMart(
        "http://supplier.test/api", KEY, SECRET, on_call=on_call, clock=now, **options
    )


def now() -> datetime:
    return datetime(2026, 2, 3, 9, 15, 27, tzinfo=UTC)


def ok(data: Any, status: int = 200, **more: Any) -> httpx.Response:
    body = {"success": True, "message": "fine", "data": data, "timestamp": STAMP} | more
    return raw(status, json.dumps(body), content_type="application/json; charset=utf-8")


def refusal(status: int, code: str | None = None, **error: Any) -> httpx.Response:
    """The long envelope with a code, the short one without."""
    body: dict[str, Any] = {"success": False, "message": f"about {code}"}
    if code is not None:
        body |= {"error": {"code": code} | error, "timestamp": STAMP}
    return httpx.Response(status, json=body)


def raw(status: int, content: str | bytes = "", **headers: str) -> httpx.Response:
    return httpx.Response(
        status,
        content=content,
        headers={name.replace("_", "-"): v for name, v in headers.items()},
    )


def bought(**changes: Any) -> dict[str, Any]:
    """`data` of an accepted purchase; a change to None leaves the member out."""
    data: dict[str, Any] = {
        "reference": REF,
        "transaction_id": "66aa01f3c9d2b84e10f7a5d2",
        "product": {
            "name": "YELLOW",
            "capacity": "2GB",
            "validity": "30 days",
            "product_code": "YELLOW_2GB",
        },
        "beneficiary": NUMBER,
        "amount": 9.2,
        "price_tier": "dealer",
        "currency": "GHS",
        "status": "pending",
        "balance_after": 803.2000000000001,
        "webhook_sent": False,
    } | changes
    return {name: value for name, value in data.items() if value is not None}


def record(**changes: Any) -> dict[str, Any]:
    """`data` of a look-up."""
    data: dict[str, Any] = {
        "reference": REF,
        "transaction_id": "66aa01f3c9d2b84e10f7a5d2",
        "status": "sent",
        "product": {"name": "YELLOW", "capacity": "2GB"},
        "beneficiary": NUMBER,
        "amount": 9.2,
        "currency": "GHS",
        "created_at": "2026-02-03T09:15:26.980Z",
    } | changes
    return {name: value for name, value in data.items() if value is not None}


def product(
    name: str = "YELLOW", capacity: str = "2GB", price: Any = 9.2, **changes: Any
) -> dict[str, Any]:
    data: dict[str, Any] = {
        "product_code": f"{name}_{capacity}",
        "name": name,
        "category": "monthly",
        "capacity": capacity,
        "validity": "30 days",
        "price": price,
        "currency": "GHS",
        "status": "active",
    } | changes
    return {member: value for member, value in data.items() if value is not None}
