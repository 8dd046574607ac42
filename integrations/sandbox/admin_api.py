"""The admin API for tests and tools, in JSON: read the state, plan faults, hold and release, turn
knobs, move time.

Decides what outsiders may see and set. It is no part of the supplier's wire; people use `pages.py`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from werkzeug.wrappers import Request, Response

from integrations.sandbox import faults, orders, processing, profiles, wire
from integrations.sandbox.clock import iso
from integrations.sandbox.orders import Order
from integrations.sandbox.state import Sandbox
from integrations.sandbox.store import FIRST_ID, SECOND_ID

ORDERS_SHOWN = 2_000
BODY_LIMIT_BYTES = 1024 * 1024
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class BadRequest(ValueError):
    """The text says what is wrong with the request."""


def respond(sandbox: Sandbox, request: Request) -> Response | None:
    """The answer of The admin API, or None when the path belongs to the pages."""
    refusal = guard(request)
    if refusal is not None:
        return refusal
    handler = _HANDLERS.get((request.method, request.path.removeprefix("/sandbox")))
    if handler is None:
        return None
    try:
        return wire.as_json(200, handler(sandbox, request))
    except (BadRequest, faults.BadPlan, profiles.BadKnob) as problem:
        return wire.as_json(400, {"error": str(problem)})


def guard(request: Request) -> Response | None:
    """Only this machine's names for itself, and no posts from other sites' pages."""
    try:
        host = urlsplit(f"//{request.host}").hostname or ""
    except ValueError:
        host = ""
    if host not in _LOOPBACK and not host.endswith(".localhost"):
        return wire.as_json(
            403, {"error": "the sandbox answers to this machine's own names only"}
        )
    origin = request.headers.get("Origin")
    if (
        request.method == "POST"
        and origin is not None
        and origin != f"{request.scheme}://{request.host}"
    ):
        return wire.as_json(403, {"error": "a page of another site may not post here"})
    return None


def state(sandbox: Sandbox, request: Request) -> dict[str, Any]:
    """Everything worth asserting on. Money in pesewas unless the name says otherwise."""
    account = sandbox.store.account()
    recent = orders.newest(sandbox.store, FIRST_ID, limit=ORDERS_SHOWN)
    counted = sandbox.store.rows(
        "SELECT count(*) AS n FROM orders WHERE account_id = ?", FIRST_ID
    )
    return {
        "profile": sandbox.knobs.profile,
        "now": iso(sandbox.clock.now()),
        "balance": wire.balance(account, sandbox.knobs),
        "balance_pesewas": account.balance_pesewas,
        "account_status": account.status,
        "webhook_url": account.webhook_url,
        "request_count": account.requests,
        "other_account": {
            "balance_pesewas": sandbox.store.account(SECOND_ID).balance_pesewas
        },
        "orders": [order_row(order) for order in recent],
        "orders_total": counted[0]["n"],
        "charges": sandbox.store.charge_counts("charge"),
        "purchases": sandbox.store.charge_counts("charge", "purchase"),
        "refunds": sandbox.store.charge_counts("refund"),
        "charges_file": str(sandbox.store.charge_file.path),
        "inflight": _inflight(sandbox),
        "faults": sandbox.faults.entries(),
        "fired": dict(sandbox.faults.fired),
        "webhooks": sandbox.store.webhook_log(),
        "webhooks_bent": dict(sandbox.webhooks.bent),
        "abandoned": list(sandbox.abandoned),
        "knobs": profiles.as_dict(sandbox.knobs),
    }


def inflight(sandbox: Sandbox, request: Request) -> dict[str, Any]:
    return {"inflight": _inflight(sandbox)}


def abandoned(sandbox: Sandbox, request: Request) -> dict[str, Any]:
    """Purchases whose client was gone when the answer was ready: from which port, and whether it
    left before the charge, after it, or nothing was charged."""
    return {"abandoned": list(sandbox.abandoned)}


def buying(sandbox: Sandbox, request: Request) -> dict[str, Any]:
    """Purchases being worked on at this moment, by the ports of their clients."""
    return {"buying": list(sandbox.buying.values())}


def counts(sandbox: Sandbox, request: Request) -> dict[str, Any]:
    """How often each fault struck, how many orders, and what became of the webhooks, without the
    weight of the whole state."""
    faults = sandbox.faults
    return {
        "fired_at": dict(faults.fired_at),
        "struck_at": dict(faults.struck_at),
        "webhooks_bent": dict(sandbox.webhooks.bent),
    }


def requests(sandbox: Sandbox, request: Request) -> dict[str, Any]:
    """When each counted request of the reseller came, by the supplier's clock, to which endpoint,
    in which of its windows, and whether it was refused with a 429. `?since=` leaves out what came
    before that moment."""
    try:
        since = float(request.args.get("since", "0"))
    except ValueError:
        raise BadRequest("since is in seconds since the epoch") from None
    counted = sandbox.limiter.counted(sandbox.store.account().api_key, since)
    shown = ("at", "endpoint", "window", "exceeded")
    return {
        "now": sandbox.clock.now(),
        "requests": [{name: getattr(one, name) for name in shown} for one in counted],
    }


def plan_faults(sandbox: Sandbox, request: Request) -> dict[str, Any]:
    """A list replaces the plan; an object may carry `plan`, `seed` and `keep`."""
    body = read_json(request)
    if isinstance(body, dict):
        options = body
    else:
        options = {"plan": body}
    seed = options.get("seed", 0)
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise BadRequest("seed is a whole number")
    sandbox.faults.install(
        faults.read_plan(options.get("plan")), seed=seed, keep=bool(options.get("keep"))
    )
    return {"faults": sandbox.faults.entries()}


def release(sandbox: Sandbox, request: Request) -> dict[str, Any]:
    body = read_json(request)
    reference = body.get("reference") if isinstance(body, dict) else None
    return {"released": sandbox.holds.release(reference)}


def show_knobs(sandbox: Sandbox, request: Request) -> dict[str, Any]:
    return {"knobs": profiles.as_dict(sandbox.knobs)}


def turn_knobs(sandbox: Sandbox, request: Request) -> dict[str, Any]:
    body = read_json(request)
    if not isinstance(body, dict):
        raise BadRequest("send an object of knobs")
    profiles.turn(sandbox.knobs, body)
    return show_knobs(sandbox, request)


def advance_clock(sandbox: Sandbox, request: Request) -> dict[str, Any]:
    """Move the clock by `seconds` and let the timer act."""
    body = read_json(request)
    seconds = body.get("seconds") if isinstance(body, dict) else None
    if (
        isinstance(seconds, bool)
        or not isinstance(seconds, (int, float))
        or not 0 <= seconds < 1e9
    ):
        raise BadRequest("seconds is a number from 0 up")
    offset_s = sandbox.clock.advance(seconds)
    moved = processing.tick(sandbox)
    return {
        "offset_s": offset_s,
        "now": iso(sandbox.clock.now()),
        "orders_moved": moved,
    }


def order_row(order: Order) -> dict[str, Any]:
    times = {"created_at": iso(order.created_at), "changed_at": iso(order.changed_at)}
    return {
        **vars(order),
        **times,
        "completed_at": None if order.completed_at is None else iso(order.completed_at),
    }


def read_json(request: Request) -> Any:
    """The JSON body; an empty object for an empty one. Raises BadRequest."""
    if (request.content_length or 0) > BODY_LIMIT_BYTES:
        raise BadRequest("that is too much")
    raw = request.get_data()
    try:
        if raw:
            return json.loads(raw)
        return {}
    except (ValueError, RecursionError):
        raise BadRequest("that is not JSON") from None


def _inflight(sandbox: Sandbox) -> list[dict[str, Any]]:
    now = time.time()
    charged = sandbox.store.charge_counts("charge")
    return [
        {
            "reference": held.reference,
            "endpoint": held.endpoint,
            "stage": held.stage,
            "fault": held.fault,
            "held_s": round(now - held.since, 3),
            "charged": charged.get(held.reference or "", 0),
            "client_gone": held.client_gone(),
        }
        for held in sandbox.holds.list()
    ]


_HANDLERS: dict[tuple[str, str], Callable[[Sandbox, Request], dict[str, Any]]] = {
    ("GET", "/state"): state,
    ("GET", "/inflight"): inflight,
    ("GET", "/abandoned"): abandoned,
    ("GET", "/buying"): buying,
    ("GET", "/counts"): counts,
    ("GET", "/requests"): requests,
    ("GET", "/knobs"): show_knobs,
    ("POST", "/faults"): plan_faults,
    ("POST", "/release"): release,
    ("POST", "/knobs"): turn_knobs,
    ("POST", "/clock"): advance_clock,
}
