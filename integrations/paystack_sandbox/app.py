"""The gateway as a plain WSGI application.

Decides the way of a request: body, faults, door, rate limit, call, webhooks that go first, faults
again. What calls answer is in their files; people's pages are in `checkout` and `pages`, the API
for tests in `admin`.
"""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from integrations.paystack_sandbox import (
    admin,
    checkout,
    disputes,
    faults,
    keyring,
    knobs,
    money_calls,
    pages,
    payment_calls,
    refunds,
    timer,
    transfers,
    wire,
)
from integrations.paystack_sandbox.limits import Limits
from integrations.paystack_sandbox.state import Gateway
from integrations.paystack_sandbox.store import Store
from integrations.paystack_sandbox.webhooks import Webhooks
from integrations.paystack_sandbox.wire import Call
from integrations.sandbox.admin_api import guard
from integrations.sandbox.clock import Clock
from integrations.sandbox.misbehaviour import LOG, SOCKET

_CALLS: dict[str, tuple[str, str, Callable[[Gateway, Call], Response]]] = {
    "initialize": ("POST", "/transaction/initialize", payment_calls.initialize),
    "verify": ("GET", "/transaction/verify/<path:argument>", payment_calls.verify),
    "timeline": ("GET", "/transaction/timeline/<argument>", payment_calls.timeline),
    "transactions": ("GET", "/transaction", payment_calls.listed),
    "transaction": ("GET", "/transaction/<int:argument>", payment_calls.fetch),
    "charge": ("POST", "/charge", payment_calls.charge),
    "submit_otp": ("POST", "/charge/submit_otp", payment_calls.submit_otp),
    "pending": ("GET", "/charge/<argument>", payment_calls.pending),
    "session_timeout": (
        "GET",
        "/integration/payment_session_timeout",
        payment_calls.session_timeout,
    ),
    "refund": ("POST", "/refund", refunds.create),
    "refunds": ("GET", "/refund", refunds.listed),
    "refund_record": ("GET", "/refund/<argument>", refunds.fetch),
    "refund_retry": (
        "POST",
        "/refund/retry_with_customer_details/<argument>",
        refunds.retry,
    ),
    "recipient": ("POST", "/transferrecipient", transfers.recipient),
    "transfer": ("POST", "/transfer", transfers.transfer),
    "verify_transfer": ("GET", "/transfer/verify/<argument>", transfers.verify),
    "finalize": ("POST", "/transfer/finalize_transfer", transfers.finalize),
    "resend_otp": ("POST", "/transfer/resend_otp", transfers.resend_otp),
    "balance": ("GET", "/balance", money_calls.balance),
    "ledger": ("GET", "/balance/ledger", money_calls.ledger),
    "banks": ("GET", "/bank", money_calls.banks),
    "resolve": ("GET", "/bank/resolve", money_calls.resolve),
    "settlements": ("GET", "/settlement", money_calls.settlements),
    "settled": ("GET", "/settlement/<argument>/transactions", money_calls.settled),
    "disputes": ("GET", "/dispute", disputes.listed),
    "dispute": ("GET", "/dispute/<int:argument>", disputes.fetch),
    "dispute_of": ("GET", "/dispute/transaction/<argument>", disputes.of_payment),
    "dispute_update": ("PUT", "/dispute/<int:argument>", disputes.update),
    "upload_url": ("GET", "/dispute/<argument>/upload_url", disputes.upload_url),
    "evidence": ("POST", "/dispute/<argument>/evidence", disputes.evidence),
    "dispute_resolve": ("PUT", "/dispute/<argument>/resolve", disputes.resolve),
}
CALLS = frozenset(_CALLS)
_ROUTES = Map(
    [
        Rule(path, endpoint=name, methods=[method])
        for name, (method, path, _) in _CALLS.items()
    ],
    merge_slashes=False,
)
_OWN = ("/sandbox", "/checkout/", "/upload/")
_LOST = {"lost": "close", "reset": "reset"}
_HTML = (
    "<html><head><title>502 Bad Gateway</title></head><body>Bad Gateway</body></html>"
)


class Paystack:
    """The WSGI application. `gateway` is open to tests that turn knobs or read the books."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self._limits = Limits(gateway.clock)

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        request = Request(environ)
        return self._respond(request)(environ, start_response)

    def tick(self) -> int:
        """Let the timer act once; returns how much happened."""
        return timer.tick(self.gateway)

    def close(self) -> None:
        self.gateway.webhooks.close()
        self.gateway.store.close()

    def _respond(self, request: Request) -> Response:
        path = request.path
        if path == "/health":
            return wire.answer(200, {"status": "ok"})
        if path != "/" and not path.startswith(_OWN):
            return self._api(request)
        refusal = guard(request)
        if refusal is not None:
            return refusal
        with self.gateway.store.change():
            self.gateway.address = request.host_url.rstrip("/")
            if path.startswith("/checkout/"):
                response = checkout.respond(self.gateway, request)
            elif path.startswith("/upload/"):
                response = admin.upload(self.gateway, request)
            else:
                done = admin.respond(self.gateway, request, CALLS)
                response = done or pages.respond(self.gateway, request)
        self.gateway.webhooks.tick()
        return response

    def _api(self, request: Request) -> Response:
        try:
            name, argument = _route(request)
            body = wire.read_body(request)
        except wire.Refused as refused:
            return refused.response
        self.gateway.calls[name] += 1
        reference = str(body.get("reference") or body.get("transaction") or argument)
        met = self.gateway.faults.draw(name, reference)
        words = request.environ.setdefault(LOG, {})
        words.update({"reference": reference, "faults": [fault.fault for fault in met]})
        for fault in met:
            if fault.fault == "delay":
                time.sleep(fault.seconds)
        chosen = next((fault for fault in met if fault.fault != "delay"), None)
        if chosen is not None and chosen.fault in faults.BEFORE:
            return self._in_place(request, chosen)
        response = self._answer(request, name, argument, body)
        if chosen is None:
            return response
        return self._spoil(request, response, chosen)

    def _answer(
        self, request: Request, name: str, argument: str, body: Any
    ) -> Response:
        time.sleep(self.gateway.knobs.latency_s)
        try:
            world = wire.world_of(request, keyring.current(self.gateway.store))
            call = Call(request, world, body, argument)
            over = self._limits.over(self.gateway.knobs, world, name)
            if over is not None:
                return self._too_many(over)
            with self.gateway.store.change():
                self.gateway.address = request.host_url.rstrip("/")
                response = _CALLS[name][2](self.gateway, call)
        except wire.Refused as refused:
            return refused.response
        except Exception:  # noqa: BLE001 - nothing may leave a caller without an envelope
            traceback.print_exc()
            return wire.refusal(500, "An error occurred", "unknown")
        for number in call.deliver:
            self.gateway.webhooks.deliver(number)
        self.gateway.webhooks.tick()
        return response

    def _in_place(self, request: Request, fault: faults.Fault) -> Response:
        """What comes instead of an answer."""
        kind = fault.fault.removesuffix("_before").removesuffix("_after")
        if kind in _LOST:
            return _lose(request, _LOST[kind])
        if kind == "http_429":
            return self._too_many(fault.seconds)
        if kind == "http_401":
            return wire.refusal(401, "Invalid key", "invalid_Key")
        if kind == "http_503":
            return Response(status=503)
        if kind == "html":
            return Response(_HTML, 502, content_type="text/html")
        return wire.refusal(500, "An error occurred", "unknown")

    def _spoil(
        self, request: Request, response: Response, fault: faults.Fault
    ) -> Response:
        """The answer that was earned, as the caller gets to see it."""
        if fault.fault == "truncated":
            whole = response.get_data()
            response.set_data(whole[: max(len(whole) // 2, 1)])
            return response
        if fault.fault == "short_body":
            handle = request.environ.get(SOCKET)
            if handle is not None:
                handle.misuse("short_body")
            return response
        return self._in_place(request, fault)

    def _too_many(self, wait_s: float) -> Response:
        reset = math.ceil(wait_s)
        if self.gateway.knobs.reset_as == "epoch":
            reset += math.ceil(self.gateway.clock.now())
        response = wire.refusal(429, "Too many requests", "rate_limited")
        response.headers["x-ratelimit-remaining"] = "0"
        response.headers["x-ratelimit-reset"] = str(reset)
        return response


def create(
    store: Store | str | Path,
    *,
    seed: int = 0,
    clock: Clock | None = None,
    **turned: Any,
) -> Paystack:
    """A gateway on that store, or file. Further arguments are knobs; raises `BadKnob`."""
    chosen = knobs.Knobs()
    knobs.turn(chosen, turned)
    opened = store if isinstance(store, Store) else Store(store)
    clock = clock or Clock()
    hooks = Webhooks(
        opened, chosen, clock.now, lambda world: keyring.pair(opened, world), seed
    )
    return Paystack(Gateway(opened, chosen, clock, hooks))


def _route(request: Request) -> tuple[str, str]:
    """The call's name and its path argument. Raises `Refused`."""
    try:
        name, arguments = _ROUTES.bind_to_environ(request.environ).match()
    except HTTPException:
        said = wire.refusal(404, "Not found. Check the address of the endpoint.")
        raise wire.Refused(said) from None
    return name, str(arguments.get("argument", ""))


def _lose(request: Request, kind: str) -> Response:
    """Close the connection without an answer."""
    handle = request.environ.get(SOCKET)
    if handle is None:
        raise ConnectionError(kind)
    handle.misuse(kind)
    return Response(status=500)
