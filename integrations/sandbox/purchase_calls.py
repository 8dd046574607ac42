"""Buying one bundle: the checks in the supplier's order, the debit, and what is said afterwards.

Decides codes and order of refusals. Money is moved by `orders.py`; many bundles at once are
`bulk_calls.py`.
"""

from __future__ import annotations

import secrets
import time
from typing import Any

from werkzeug.wrappers import Response

from integrations.sandbox import orders, product_calls, refusals, wire
from integrations.sandbox.clock import iso
from integrations.sandbox.orders import Order, Purchase
from integrations.sandbox.state import Call, Crashed, Sandbox, WalletBusy

CONFLICT = (
    "WriteConflict error: this operation conflicted with another operation. Please retry your"
    " operation."
)
UPSTREAM_ERROR = "Upstream provider could not process the order"


def purchase(sandbox: Sandbox, call: Call) -> Response:
    if isinstance(call.body, dict):
        body = call.body
    else:
        body = {}
    refusal = refusals.missing(sandbox, body) or refusals.bad_phone(
        sandbox, body["beneficiary_number"]
    )
    if refusal is not None:
        return refusal
    try:
        product = product_calls.find(
            sandbox, call, body["capacity"], body["product_name"]
        )
    except product_calls.NotSold as why:
        return wire.failure(
            sandbox.clock,
            404,
            why.message,
            why.code,
            **why.extra,
        )
    price = product.price_pesewas(call.account.role)
    if price is None:
        return wire.failure(
            sandbox.clock,
            400,
            "Pricing not available for this product",
            "PRICING_UNAVAILABLE",
        )
    if isinstance(body.get("reference"), (dict, list)):
        return refusals.processing_error(
            sandbox, "Cast to string failed for value at path reference"
        )
    wanted = Purchase(
        reference=str(body.get("reference") or generated_reference(sandbox, "API")),
        product_name=product.name,
        product_code=product.code,
        capacity=body["capacity"],
        validity=product.validity,
        beneficiary=body["beneficiary_number"],
        amount_pesewas=charged_pesewas(call, price),
    )
    return _settle(sandbox, call, wanted, body.get("callback_url"))


def _settle(
    sandbox: Sandbox, call: Call, wanted: Purchase, callback_url: Any
) -> Response:
    knobs = sandbox.knobs
    store = sandbox.store
    lag = call.fault("lookup_lag")
    lag_s = lag.duration_s if lag else knobs.lookup_lag_s
    try:
        orders.check(
            store,
            call.account.id,
            wanted,
            dedupe=knobs.dedupe,
        )
        with sandbox.wallet(call.account.id):
            if knobs.transaction_s:
                time.sleep(knobs.transaction_s)
            order = orders.buy(
                store, call.account.id, wanted, dedupe=knobs.dedupe, lookup_lag_s=lag_s
            )
            call.note_charge()
    except orders.InsufficientBalance as short:
        return refusals.insufficient_balance(sandbox, call, short)
    except orders.DuplicateReference:
        return wire.failure(
            sandbox.clock,
            400,
            "Duplicate reference",
            "DUPLICATE_REFERENCE",
            reference=wanted.reference,
        )
    except WalletBusy:
        return refusals.processing_error(sandbox, CONFLICT)
    if knobs.generation == "A3" or call.fault("provider_error"):
        return _forward(sandbox, call, order, callback_url)
    return _accept(sandbox, call, order, callback_url)


def _accept(
    sandbox: Sandbox,
    call: Call,
    order: Order,
    callback_url: Any,
) -> Response:
    """A2: the order waits for a person."""
    account = sandbox.store.account(call.account.id)
    balance_after = wire.balance(account, sandbox.knobs)
    if sandbox.knobs.webhook_created:
        event = {
            "reference": order.reference,
            "transaction_id": order.transaction_id,
            "status": order.status,
            "product": {"name": order.product_name, "capacity": order.capacity},
            "beneficiary": order.beneficiary,
            "amount": wire.cedis(order.amount_pesewas),
            "balance_after": balance_after,
            "created_at": iso(order.created_at),
        }
        sandbox.webhooks.event(account, "transaction.created", event, of_purchase=True)
    _call_back(sandbox, order, callback_url, "Order received and pending processing")
    payload = _answer(call, order) | {
        "balance_after": balance_after,
        "webhook_sent": bool(account.webhook_url),
    }
    message = "Purchase successful - pending manual processing"
    return wire.success(
        sandbox.clock, message, wire.omit(payload, sandbox.knobs.omit), 201
    )


def _forward(
    sandbox: Sandbox,
    call: Call,
    order: Order,
    callback_url: Any,
) -> Response:
    """A3: the order goes upstream inside this very request."""
    if sandbox.knobs.upstream == "crash":
        raise Crashed
    failed = (
        sandbox.knobs.upstream == "fail" or call.fault("provider_error") is not None
    )
    if failed:
        return _fail_upstream(sandbox, call, order, callback_url)
    order = orders.move(sandbox.store, order, "completed").order
    account = sandbox.store.account(call.account.id)
    balance_after = wire.balance(account, sandbox.knobs)
    provider_reference = secrets.token_hex(12)
    event = {
        "reference": order.reference,
        "transaction_id": order.transaction_id,
        "status": order.status,
        "product": {"name": order.product_name, "capacity": order.capacity},
        "beneficiary": order.beneficiary,
        "amount": wire.cedis(order.amount_pesewas),
        "balance_after": balance_after,
        "provider_reference": provider_reference,
        "completed_at": iso(order.completed_at or order.changed_at),
    }
    sandbox.webhooks.event(account, "transaction.completed", event, of_purchase=True)
    _call_back(sandbox, order, callback_url, "Order completed", provider_reference)
    payload = _answer(call, order) | {
        "network": "YELLO",
        "provider_reference": provider_reference,
        "balance_after": balance_after,
        "webhook_sent": bool(account.webhook_url),
    }
    return wire.success(
        sandbox.clock,
        "Purchase successful",
        wire.omit(payload, sandbox.knobs.omit),
        201,
    )


def _fail_upstream(
    sandbox: Sandbox, call: Call, order: Order, callback_url: Any
) -> Response:
    order = orders.move(
        sandbox.store,
        order,
        "failed",
        refund=True,
        reason=UPSTREAM_ERROR,
        cause="provider",
    ).order
    account = sandbox.store.account(call.account.id)
    said = {
        "error": UPSTREAM_ERROR,
        "amount_refunded": wire.cedis(order.amount_pesewas),
        "balance_after": wire.balance(account, sandbox.knobs),
    }
    event = {
        "reference": order.reference,
        "transaction_id": order.transaction_id,
        "status": order.status,
        **said,
    }
    sandbox.webhooks.event(account, "transaction.failed", event, of_purchase=True)
    _call_back(sandbox, order, callback_url, UPSTREAM_ERROR)
    message = "Purchase failed - amount refunded"
    return wire.failure(
        sandbox.clock, 500, message, "PROVIDER_ERROR", reference=order.reference, **said
    )


def _answer(call: Call, order: Order) -> dict[str, Any]:
    return {
        "reference": order.reference,
        "transaction_id": order.transaction_id,
        "product": {
            "name": order.product_name,
            "capacity": order.capacity,
            "validity": order.validity,
            "product_code": order.product_code,
        },
        "beneficiary": order.beneficiary,
        "amount": wire.cedis(order.amount_pesewas),
        "price_tier": call.account.role,
        "currency": "GHS",
        "status": order.status,
    }


def _call_back(
    sandbox: Sandbox,
    order: Order,
    url: Any,
    message: str,
    provider_reference: str | None = None,
) -> None:
    if not isinstance(url, str) or not url:
        return
    payload = {
        "reference": order.reference,
        "status": order.status,
        "message": message,
    }
    ids = {
        "transaction_id": order.transaction_id,
        "provider_reference": provider_reference,
    }
    sandbox.webhooks.callback(url, payload | ids)


def charged_pesewas(call: Call, price_pesewas: int) -> int:
    """What a purchase costs: its price, unless a fault charges another amount."""
    other = call.fault("other_amount")
    if other is None or other.cedis is None:
        return price_pesewas
    return round(other.cedis * 100)


def generated_reference(sandbox: Sandbox, prefix: str) -> str:
    return f"{prefix}{int(sandbox.clock.now() * 1000)}{secrets.token_hex(4)}"
