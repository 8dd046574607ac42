"""The calls about orders already placed: one by reference, and the list.

Decides which members are present and which are left out. Only one's own orders are ever shown.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from werkzeug.wrappers import Response

from integrations.sandbox import orders, wire
from integrations.sandbox.clock import iso
from integrations.sandbox.orders import Order
from integrations.sandbox.state import Call, Sandbox


def status(sandbox: Sandbox, call: Call) -> Response:
    order = orders.find(sandbox.store, call.account.id, call.path_argument)
    if order is None or call.fault("lookup_lag"):
        return wire.failure(
            sandbox.clock,
            404,
            "Transaction not found",
            "TRANSACTION_NOT_FOUND",
            reference=call.path_argument,
        )
    payload = {
        "reference": order.reference,
        "transaction_id": order.transaction_id,
        "status": order.status,
        "product": {"name": order.product_name, "capacity": order.capacity},
        "beneficiary": order.beneficiary,
        "amount": wire.cedis(order.amount_pesewas),
        "currency": "GHS",
        "created_at": iso(order.created_at),
        "completed_at": None if order.completed_at is None else iso(order.completed_at),
        "failure_reason": order.failure_reason,
        "network": "YELLO" if sandbox.knobs.generation == "A3" else None,
    }
    return wire.success(
        sandbox.clock, "Transaction retrieved", wire.omit(payload, sandbox.knobs.omit)
    )


def transactions(sandbox: Sandbox, call: Call) -> Response:
    wanted = call.request.args
    try:
        page = int(wanted.get("page") or 1)
        limit = int(wanted.get("limit") or 20)
        since = _instant(wanted.get("start_date"))
        until = _instant(wanted.get("end_date"))
        if page < 1 or limit < 1:
            raise ValueError("page and limit start at 1")
    except ValueError as problem:
        message = "Failed to retrieve transactions"
        return wire.failure(
            sandbox.clock, 500, message, "TRANSACTION_ERROR", details=str(problem)
        )
    rows: list[dict[str, Any]] = []
    total = 0
    if sandbox.knobs.list_transactions == "full":
        found = _search(
            sandbox,
            call,
            wanted.get("status"),
            since,
            until,
        )
        total = len(found)
        rows = [
            _row(sandbox, order) for order in found[(page - 1) * limit : page * limit]
        ]
    pagination = {
        "page": page,
        "limit": limit,
        "total": total,
        "pages": math.ceil(total / limit),
    }
    return wire.success(
        sandbox.clock,
        "Transactions retrieved",
        {"transactions": rows, "pagination": pagination},
    )


def _search(
    sandbox: Sandbox,
    call: Call,
    word: str | None,
    since: float | None,
    until: float | None,
) -> list[Order]:
    found = sandbox.store.rows(
        "SELECT * FROM orders WHERE account_id = ? AND visible_at <= ? AND (? IS NULL OR status ="
        " ?) AND created_at >= ? AND created_at <= ? ORDER BY created_at DESC, id DESC",
        call.account.id,
        sandbox.clock.now(),
        word or None,
        word or None,
        since if since is not None else 0.0,
        until if until is not None else 1e18,
    )
    return [Order(**row) for row in found]


def _row(sandbox: Sandbox, order: Order) -> dict[str, Any]:
    row = {
        "reference": order.reference,
        "transaction_id": order.transaction_id,
        "product_name": order.product_name,
        "capacity": order.capacity,
        "beneficiary": order.beneficiary,
        "amount": wire.cedis(order.amount_pesewas),
        "status": order.status,
        "created_at": iso(order.created_at),
        "completed_at": None if order.completed_at is None else iso(order.completed_at),
        "network": "YELLO" if sandbox.knobs.generation == "A3" else None,
    }
    return wire.omit(row, sandbox.knobs.omit)


def _instant(text: str | None) -> float | None:
    if not text:
        return None
    read = datetime.fromisoformat(text)
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
