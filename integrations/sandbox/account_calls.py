"""The calls about the reseller himself: account, balance, webhook, statistics.

Decides their bodies and quirks. Sending is left to `webhooks.py`.
"""

from __future__ import annotations

from collections import Counter
from typing import Any
from urllib.parse import urlsplit

from werkzeug.wrappers import Response

from integrations.sandbox import wire
from integrations.sandbox.clock import iso
from integrations.sandbox.state import Call, Sandbox

DECOY_RATE_LIMIT = 100
PERIODS_S = {
    "24hours": 86_400,
    "7days": 7 * 86_400,
    "30days": 30 * 86_400,
}


def account(sandbox: Sandbox, call: Call) -> Response:
    reseller = call.account
    knobs = sandbox.knobs
    forwarding = knobs.generation == "A3"
    payload = {
        "account": {
            "name": reseller.name,
            "email": reseller.email,
            "phone": reseller.phone,
            "role": reseller.role,
            "status": reseller.status,
        },
        "wallet": {"balance": wire.balance(reseller, knobs), "currency": "GHS"},
        "api": {
            "requestCount": reseller.requests,
            "rateLimit": DECOY_RATE_LIMIT,
            "webhookUrl": reseller.webhook_url,
            "webhookSignatureEnabled": knobs.signature_key != "none",
        },
        "supported_networks": ["YELLO"] if forwarding else None,
    }
    return wire.success(
        sandbox.clock, "Account information retrieved", wire.omit(payload, knobs.omit)
    )


def balance(sandbox: Sandbox, call: Call) -> Response:
    amount = wire.balance(call.account, sandbox.knobs)
    payload = {
        "balance": amount,
        "currency": "GHS",
        "formatted": f"GHS {amount:.2f}",
    }
    return wire.success(
        sandbox.clock, "Balance retrieved", wire.omit(payload, sandbox.knobs.omit)
    )


def set_webhook(sandbox: Sandbox, call: Call) -> Response:
    url = call.body.get("webhook_url") if isinstance(call.body, dict) else None
    if not url:
        return wire.failure(
            sandbox.clock, 400, "webhook_url is required", "MISSING_WEBHOOK_URL"
        )
    if not _is_absolute(url):
        return wire.failure(
            sandbox.clock, 400, "Invalid webhook URL", "INVALID_URL", provided=url
        )
    sandbox.store.set_account(call.account.id, webhook_url=url)
    problem = _send_test(sandbox, call.account.id)
    payload: dict[str, Any] = {
        "webhook_url": url,
        "test_status": "failed" if problem else "successful",
    }
    if problem:
        payload |= {
            "test_error": problem,
            "note": "Webhook URL saved, but the test call failed",
        }
    else:
        payload |= {"signature_enabled": sandbox.knobs.signature_key != "none"}
    return wire.success(sandbox.clock, "Webhook URL updated", payload)


def send_test_webhook(sandbox: Sandbox, call: Call) -> Response:
    if not call.account.webhook_url:
        return wire.failure(
            sandbox.clock, 400, "No webhook URL configured", "NO_WEBHOOK"
        )
    _send_test(sandbox, call.account.id)
    payload = {
        "webhook_url": call.account.webhook_url,
        "signature_enabled": sandbox.knobs.signature_key != "none",
        "note": "Check your endpoint for the test event",
    }
    return wire.success(sandbox.clock, "Test webhook sent", payload)


def statistics(sandbox: Sandbox, call: Call) -> Response:
    if sandbox.knobs.statistics == "broken":
        details = "Class constructor ObjectId cannot be invoked without 'new'"
        return wire.failure(
            sandbox.clock,
            500,
            "Failed to retrieve statistics",
            "STATISTICS_ERROR",
            details=details,
        )
    period = call.request.args.get("period") or "7days"
    since = sandbox.clock.now() - PERIODS_S.get(period, PERIODS_S["7days"])
    orders = sandbox.store.rows(
        "SELECT status, amount_pesewas FROM orders WHERE account_id = ? AND created_at >= ?",
        call.account.id,
        since,
    )
    counts = Counter(row["status"] for row in orders)
    done = "completed" if sandbox.knobs.generation == "A3" else "successful"
    transactions: dict[str, int | float] = {
        done: 0,
        "failed": 0,
        "pending": 0,
        **counts,
    }
    transactions["total_amount"] = wire.cedis(
        sum(row["amount_pesewas"] for row in orders)
    )
    reseller = call.account
    api_usage = {
        "total_requests": reseller.requests,
        "successful_requests": reseller.requests_ok,
        "failed_requests": reseller.requests - reseller.requests_ok,
        "avg_response_time": wire.number(
            round(reseller.total_ms / max(reseller.requests, 1), 1)
        ),
    }
    payload = {
        "period": period,
        "statistics": {"api_usage": api_usage, "transactions": transactions},
    }
    return wire.success(sandbox.clock, "Statistics retrieved", payload)


def _send_test(sandbox: Sandbox, account_id: int) -> str | None:
    payload: dict[str, Any] = {
        "message": "This is a test webhook",
        "timestamp": iso(sandbox.clock.now()),
    }
    if sandbox.knobs.generation == "A3":
        payload["supported_network"] = "YELLO"
    return sandbox.webhooks.test(sandbox.store.account(account_id), payload)


def _is_absolute(url: Any) -> bool:
    if not isinstance(url, str):
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return bool(parts.scheme and parts.hostname)
