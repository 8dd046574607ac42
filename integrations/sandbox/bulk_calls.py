"""Buying many bundles in one call: all checked first, then bought one after another.

Decides the batch's own codes and its hazards: the batch reference is never checked, a used order
reference breaks the rest of the batch.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import Any

from werkzeug.wrappers import Response

from integrations.sandbox import (
    catalogue,
    orders,
    product_calls,
    purchase_calls,
    refusals,
    wire,
)
from integrations.sandbox.clock import iso
from integrations.sandbox.orders import Order, Purchase
from integrations.sandbox.state import Call, Crashed, Sandbox, WalletBusy

MAX_ORDERS = 100
BROKEN = "Transaction aborted: duplicate reference"


@dataclass(frozen=True)
class Line:
    """One order of a batch, checked: what to buy, and how often it multiplies the price."""

    purchase: Purchase
    quantity: int


@dataclass(frozen=True)
class Failure:
    line: Line
    error: str


def bulk(sandbox: Sandbox, call: Call) -> Response:
    if isinstance(call.body, dict):
        body = call.body
    else:
        body = {}
    wanted = body.get("orders")
    if not isinstance(wanted, list) or not wanted:
        return wire.failure(
            sandbox.clock, 400, "Orders array is required", "INVALID_ORDERS"
        )
    if len(wanted) > MAX_ORDERS:
        counts = {"max_allowed": MAX_ORDERS, "provided": len(wanted)}
        return wire.failure(
            sandbox.clock, 400, "Too many orders", "EXCEEDS_LIMIT", **counts
        )
    reference = str(
        body.get("reference") or purchase_calls.generated_reference(sandbox, "BULK_API")
    )
    try:
        lines = [
            _read(sandbox, call, index, entry, reference)
            for index, entry in enumerate(wanted)
        ]
        total = sum(line.purchase.amount_pesewas for line in lines)
        held = sandbox.store.account(call.account.id).balance_pesewas
        if held < total:
            return refusals.insufficient_balance(
                sandbox, call, orders.InsufficientBalance(total, held)
            )
        with sandbox.wallet(call.account.id):
            if sandbox.knobs.transaction_s:
                time.sleep(sandbox.knobs.transaction_s)
            bought, failed = _buy(sandbox, call, lines)
    except wire.Refused as refused:
        return refused.response
    except WalletBusy:
        message = "Error processing bulk purchase"
        details = purchase_calls.CONFLICT
        return wire.failure(
            sandbox.clock, 500, message, "BULK_PROCESSING_ERROR", details=details
        )
    return _answer(sandbox, call, reference, bought, failed, body.get("callback_url"))


def _read(sandbox: Sandbox, call: Call, index: int, entry: Any, batch: str) -> Line:
    """Check one entry; the first bad one refuses the whole batch. Raises wire.Refused."""

    def refuse(message: str, code: str, **extra: Any) -> wire.Refused:
        return wire.Refused(
            wire.failure(sandbox.clock, 400, message, code, order_index=index, **extra)
        )

    order = entry if isinstance(entry, dict) else {}
    number = order.get("beneficiary_number")
    if not refusals.is_phone(sandbox, number):
        prefixes = (
            list(catalogue.MTN_PREFIXES) if sandbox.knobs.generation == "A3" else None
        )
        raise refuse(
            "Invalid phone number",
            "INVALID_PHONE_NUMBER",
            beneficiary=number,
            valid_prefixes=prefixes,
        )
    if not order.get("capacity"):
        raise refuse("Capacity is required", "MISSING_CAPACITY")
    if not order.get("product_name"):
        raise refuse("Product name is required", "MISSING_PRODUCT_NAME")
    try:
        product = product_calls.find(
            sandbox, call, order["capacity"], order["product_name"]
        )
    except product_calls.NotSold as why:
        raise refuse(why.message, why.code, **why.extra) from None
    price = product.price_pesewas(call.account.role)
    if price is None:
        raise refuse("Pricing not available for this product", "PRICING_UNAVAILABLE")
    given = order.get("quantity")
    if isinstance(given, int) and not isinstance(given, bool) and given >= 1:
        quantity = given
    else:
        quantity = 1
    own_reference = order.get("reference")
    purchase = Purchase(
        reference=str(own_reference)
        if own_reference
        else _reference(sandbox, batch, index),
        product_name=product.name,
        product_code=product.code,
        capacity=order["capacity"],
        validity=product.validity,
        beneficiary=str(number),
        amount_pesewas=purchase_calls.charged_pesewas(call, price) * quantity,
    )
    return Line(purchase, quantity)


def _reference(sandbox: Sandbox, batch: str, index: int) -> str:
    # Resending a batch makes new references: everything is bought twice, as at the supplier.
    plain = f"{batch}-{index + 1}"
    if orders.is_taken(sandbox.store, plain):
        return f"{plain}-{secrets.token_hex(2)}"
    return plain


def _buy(
    sandbox: Sandbox, call: Call, lines: list[Line]
) -> tuple[list[tuple[Line, Order]], list[Failure]]:
    forwarding = sandbox.knobs.generation == "A3"
    lag = call.fault("lookup_lag")
    lag_s = lag.duration_s if lag else sandbox.knobs.lookup_lag_s
    bought: list[tuple[Line, Order]] = []
    failed: list[Failure] = []
    broken = False
    for line in lines:
        if broken:
            failed.append(Failure(line, BROKEN))
            continue
        try:
            order = orders.buy(
                sandbox.store,
                call.account.id,
                line.purchase,
                dedupe=sandbox.knobs.dedupe,
                lookup_lag_s=lag_s,
            )
            call.note_charge()
        except orders.InsufficientBalance:
            failed.append(Failure(line, "Insufficient wallet balance"))
        except orders.DuplicateReference:
            failed.append(Failure(line, "Duplicate reference"))
            broken = not forwarding
        else:
            _settle(sandbox, line, order, bought, failed)
    return bought, failed


def _settle(
    sandbox: Sandbox,
    line: Line,
    order: Order,
    bought: list[tuple[Line, Order]],
    failed: list[Failure],
) -> None:
    if sandbox.knobs.generation != "A3":
        bought.append((line, order))
    elif sandbox.knobs.upstream == "crash":
        raise Crashed
    elif sandbox.knobs.upstream == "ok":
        bought.append((line, orders.move(sandbox.store, order, "completed").order))
    else:
        reason = purchase_calls.UPSTREAM_ERROR
        orders.move(
            sandbox.store, order, "failed", refund=True, reason=reason, cause="provider"
        )
        failed.append(Failure(line, reason))


def _answer(
    sandbox: Sandbox,
    call: Call,
    reference: str,
    bought: list[tuple[Line, Order]],
    failed: list[Failure],
    url: Any,
) -> Response:
    forwarding = sandbox.knobs.generation == "A3"
    failed_rows = [
        _failed_row(failure, with_reference=forwarding) for failure in failed
    ]
    if not bought and not forwarding:
        return wire.failure(
            sandbox.clock,
            400,
            "All orders failed",
            "ALL_ORDERS_FAILED",
            failed_orders=failed_rows,
            balance_unchanged=True,
        )
    charged = sum(order.amount_pesewas for _, order in bought)
    saved = sum(failure.line.purchase.amount_pesewas for failure in failed)
    counts: dict[str, Any] = {
        "total_orders": len(bought) + len(failed),
        "successful_count": len(bought),
        "failed_count": len(failed),
    }
    requested = wire.cedis(charged + saved)
    paid = wire.cedis(charged)
    money: dict[str, Any] = {
        "amount_charged": paid,
        "amount_refunded" if forwarding else "amount_saved": wire.cedis(saved),
    }
    rows = [_bought_row(line, order, forwarding) for line, order in bought]
    account = sandbox.store.account(call.account.id)
    body: dict[str, Any] = {"successful_orders": rows, "failed_orders": failed_rows}
    body |= {"balance_after": wire.balance(account, sandbox.knobs)}
    event: dict[str, Any] = {"bulk_reference": reference, "status": "completed"}
    event |= {
        "summary": {**counts, "total_requested_amount": requested, **money},
        **body,
    }
    event |= {} if forwarding else {"created_at": iso(sandbox.clock.now())}
    sandbox.webhooks.event(account, "bulk_purchase.completed", event, of_purchase=True)
    if isinstance(url, str) and url:
        short = {
            "total": counts["total_orders"],
            "successful": len(bought),
            "failed": len(failed),
        }
        said = {
            "reference": reference,
            "status": "completed",
            "summary": {**short, "amount_charged": paid},
        }
        sandbox.webhooks.callback(url, said)
    summary = {**counts, "total_requested": requested, **money}
    payload = {
        "bulk_reference": reference,
        "summary": summary,
        **body,
        "webhook_sent": bool(account.webhook_url),
    }
    return wire.success(
        sandbox.clock,
        "Bulk purchase processed",
        wire.omit(payload, sandbox.knobs.omit),
        201,
    )


def _bought_row(line: Line, order: Order, forwarding: bool) -> dict[str, Any]:
    return {
        "reference": order.reference,
        "transaction_id": order.transaction_id,
        "product_name": order.product_name,
        "capacity": order.capacity,
        "beneficiary": order.beneficiary,
        "quantity": line.quantity,
        "amount": wire.cedis(order.amount_pesewas),
        "status": order.status,
        "provider_reference": secrets.token_hex(12) if forwarding else None,
    }


def _failed_row(failure: Failure, *, with_reference: bool) -> dict[str, Any]:
    wanted = failure.line.purchase
    return {
        "reference": wanted.reference if with_reference else None,
        "product_name": wanted.product_name,
        "capacity": wanted.capacity,
        "beneficiary": wanted.beneficiary,
        "amount": wire.cedis(wanted.amount_pesewas),
        "error": failure.error,
        "status": "failed",
    }
