"""The supplier as a plain WSGI application.

Decides the way of a request: body, faults, door, rate limit, endpoint, faults again. What endpoints
answer is in the `*_calls.py` files; the pages and the admin API for tests are in `pages.py` and
`admin API.py`.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from integrations.sandbox import (
    account_calls,
    admin_api,
    bulk_calls,
    faults,
    misbehaviour,
    pages,
    processing,
    product_calls,
    profiles,
    purchase_calls,
    transaction_calls,
    wire,
)
from integrations.sandbox.clock import iso
from integrations.sandbox.limits import RateLimiter
from integrations.sandbox.state import Call, Crashed, Endpoint, Sandbox
from integrations.sandbox.store import Store
from integrations.sandbox.webhooks import Webhooks

API_PREFIX = "/api"
_V1 = "/api/v1"

ENDPOINTS: dict[str, Endpoint] = {
    "account": account_calls.account,
    "balance": account_calls.balance,
    "products": product_calls.products,
    "product": product_calls.product,
    "capacities": product_calls.capacities,
    "purchase": purchase_calls.purchase,
    "bulk": bulk_calls.bulk,
    "bulk_alias": bulk_calls.bulk,
    "status": transaction_calls.status,
    "transactions": transaction_calls.transactions,
    "webhook": account_calls.set_webhook,
    "webhook_test": account_calls.send_test_webhook,
    "statistics": account_calls.statistics,
}

_ROUTES = Map(
    [
        Rule(f"{_V1}/account", endpoint="account", methods=["GET"]),
        Rule(f"{_V1}/balance", endpoint="balance", methods=["GET"]),
        Rule(f"{_V1}/products", endpoint="products", methods=["GET"]),
        Rule(f"{_V1}/products/<argument>", endpoint="product", methods=["GET"]),
        Rule(f"{_V1}/capacities", endpoint="capacities", methods=["GET"]),
        Rule(f"{_V1}/purchase", endpoint="purchase", methods=["POST"]),
        Rule(f"{_V1}/purchase/bulk", endpoint="bulk", methods=["POST"]),
        Rule(f"{_V1}/bulk", endpoint="bulk_alias", methods=["POST"]),
        Rule(f"{_V1}/transactions/<path:argument>", endpoint="status", methods=["GET"]),
        Rule(f"{_V1}/transactions", endpoint="transactions", methods=["GET"]),
        Rule(f"{_V1}/webhook", endpoint="webhook", methods=["PUT"]),
        Rule(f"{_V1}/webhook/test", endpoint="webhook_test", methods=["POST"]),
        Rule(f"{_V1}/statistics", endpoint="statistics", methods=["GET"]),
    ],
    strict_slashes=False,
    merge_slashes=False,
)

# Which knob takes which endpoint away.
_GONE_KNOB = {
    "capacities": "capacities",
    "product": "capacities",
    "bulk": "bulk",
    "bulk_alias": "bulk_alias",
}


class Supplier:
    """The WSGI application. `sandbox` is open to tests that turn knobs or read the store
    directly."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        request = Request(environ)
        response = self._respond(request)
        return response(environ, start_response)

    def tick(self) -> int:
        """Let the timer act once; returns how many orders moved."""
        return processing.tick(self.sandbox)

    def close(self) -> None:
        """Stop senders, let nobody wait, close the store."""
        self.sandbox.holds.stop()
        self.sandbox.webhooks.close()
        self.sandbox.store.close()

    def _respond(self, request: Request) -> Response:
        path = request.path
        if path == API_PREFIX or path.startswith(f"{API_PREFIX}/"):
            return self._api(request)
        if path == "/health":
            now = iso(self.sandbox.clock.now())
            return wire.as_json(
                200, {"status": "ok", "timestamp": now, "environment": "sandbox"}
            )
        if path == "/" and "text/html" not in request.headers.get("Accept", ""):
            now = iso(self.sandbox.clock.now())
            return wire.as_json(
                200,
                {"message": "Sandbox supplier", "version": "1.0.0", "timestamp": now},
            )
        if path == "/" or path == "/sandbox" or path.startswith("/sandbox/"):
            return admin_api.respond(self.sandbox, request) or pages.respond(
                self.sandbox, request
            )
        return wire.as_json(
            404, {"success": False, "message": "Route not found", "path": path}
        )

    def _api(self, request: Request) -> Response:
        try:
            body = wire.read_body(request)
        except wire.Refused as refused:
            return refused.response
        endpoint, argument = _route(self.sandbox, request)
        # The alias is the same endpoint to a plan of faults.
        met = self.sandbox.faults.draw(
            "bulk" if endpoint == "bulk_alias" else endpoint,
            _references(body, argument),
        )
        misconduct = misbehaviour.Misconduct(
            self.sandbox, request, endpoint, _first(_references(body, argument)), met
        )
        with misconduct.on_record():
            early = misconduct.at_the_gate()
            if early is not None:
                return early
            return misconduct.after(
                lambda: self._answer(request, endpoint, argument, body, misconduct)
            )

    def _answer(
        self,
        request: Request,
        endpoint: str,
        argument: str,
        body: Any,
        misconduct: misbehaviour.Misconduct,
    ) -> Response:
        knobs = self.sandbox.knobs
        started = time.monotonic()
        if knobs.latency_s:
            time.sleep(knobs.latency_s)
        try:
            account = wire.authenticate(self.sandbox.store, request, body)
        except wire.Refused as refused:
            return refused.response
        quota = self.sandbox.limiter.hit(
            account.api_key, knobs.rate_limit, knobs.rate_window, endpoint or "unknown"
        )
        if quota.exceeded:
            return wire.plain(429, "API rate limit exceeded", **quota.headers())
        misconduct.before()
        call = Call(
            request,
            endpoint,
            body,
            account,
            argument,
            misconduct.faults,
            misconduct.note_charge,
        )
        response = self._run(call, misconduct)
        response.headers.extend(quota.headers())
        took_ms = (time.monotonic() - started) * 1000
        self.sandbox.store.count_request(
            account.id, ok=response.status_code < 400, duration_ms=took_ms
        )
        return response

    def _run(self, call: Call, misconduct: misbehaviour.Misconduct) -> Response:
        endpoint = ENDPOINTS.get(call.endpoint)
        if endpoint is None:
            return _not_found(self.sandbox, call.request)
        try:
            return endpoint(self.sandbox, call)
        except Crashed:
            return misconduct.lose("close")
        except Exception:  # noqa: BLE001 - nothing may leave a caller without an envelope
            # The supplier's own last resort; whoever runs the sandbox sees the reason in its log.
            traceback.print_exc()
            return wire.failure(
                self.sandbox.clock, 500, "Internal server error", "INTERNAL_ERROR"
            )


def create_sandbox(
    store: Store | str | Path,
    profile: str = "documented",
    *,
    dropped: Callable[[str], Exception] = faults.ConnectionDropped,
    seed: int = 0,
    **knobs: Any,
) -> Supplier:
    """A supplier on that store (or file). Further arguments are knobs, see `profiles.Knobs`; raises
    BadKnob.

    Without a socket below it, a lost connection is raised as `dropped("close" | "reset" |
    "short_body")`; give `httpx.ReadError` when the application is mounted under
    `httpx.WSGITransport`.
    """
    turned = profiles.preset(profile, **knobs)
    if isinstance(store, Store):
        opened = store
    else:
        opened = Store(store)
    webhooks = Webhooks(opened, turned, seed=seed)
    return Supplier(
        Sandbox(opened, turned, webhooks, RateLimiter(opened.clock), dropped=dropped)
    )


def available_endpoints(sandbox: Sandbox) -> list[str]:
    """What a lost caller is told exists."""
    shown = [
        rule for rule in _ROUTES.iter_rules() if not _is_gone(sandbox, rule.endpoint)
    ]
    verbs = [
        (next(iter(sorted((rule.methods or set()) - {"HEAD"}))), rule.rule)
        for rule in shown
    ]
    return [
        f"{verb} {path.removeprefix(API_PREFIX)}"
        for verb, path in verbs
        if "products/" not in path
    ]


def _route(sandbox: Sandbox, request: Request) -> tuple[str, str]:
    """The endpoint's name and its path argument; the name is empty when there is none."""
    try:
        endpoint, arguments = _ROUTES.bind_to_environ(request.environ).match()
    except HTTPException:
        return "", ""
    if _is_gone(sandbox, endpoint):
        return ("", "")
    return (endpoint, arguments.get("argument", ""))


def _is_gone(sandbox: Sandbox, endpoint: str) -> bool:
    knob = _GONE_KNOB.get(endpoint)
    return knob is not None and getattr(sandbox.knobs, knob) == "gone"


def _not_found(sandbox: Sandbox, request: Request) -> Response:
    return wire.failure(
        sandbox.clock,
        404,
        "Endpoint not found",
        "ENDPOINT_NOT_FOUND",
        endpoint=request.path,
        method=request.method,
        available_endpoints=available_endpoints(sandbox),
    )


def _references(body: Any, argument: str) -> list[str]:
    """Every reference the request names, so that a fault can be aimed at one."""
    found = [argument] if argument else []
    if isinstance(body, dict):
        lines = body.get("orders")
        if isinstance(lines, list):
            parts = [body, *(line for line in lines if isinstance(line, dict))]
        else:
            parts = [body]
        found += [str(part["reference"]) for part in parts if part.get("reference")]
    return found


def _first(references: list[str]) -> str | None:
    return references[0] if references else None
