"""The API for tests and tools, in JSON: ask the books, act as customer, network or bank, plan
faults, turn knobs, move time.

It is no part of the gateway's wire; people use `checkout` and `pages`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from werkzeug.wrappers import Request, Response

from integrations.paystack_sandbox import (
    disputes,
    faults,
    keyring,
    knobs,
    payments,
    settling,
    timer,
    wire,
)
from integrations.paystack_sandbox.state import Gateway
from integrations.paystack_sandbox.store import WORLDS, Thing
from integrations.sandbox.webhooks import is_loopback

ACTS = {
    "payment": ("approve", "approve_raised", "approve_silently", "decline", "leave"),
    "refund": ("process", "processed", "failed", "needs-attention"),
    "transfer": ("success", "failed", "reversed", "abandon"),
    "dispute": ("remind", "expire", "verdict"),
}
SHOWN = 1000
BODY_LIMIT_BYTES = 1024 * 1024
MOST_SECONDS = 1e8
_KEY = re.compile(r"sk_(test|live)_[!-~]{4,100}", re.ASCII)


class BadRequest(ValueError):
    """The text says what is wrong with the request."""


def respond(
    gateway: Gateway, request: Request, calls: frozenset[str]
) -> Response | None:
    """The answer of the API for tests, or None when the path belongs to the pages."""
    path = request.path.removeprefix("/sandbox")
    handler = _HANDLERS.get((request.method, path))
    if handler is None:
        return None
    try:
        body = _body(request)
        if path == "/faults":
            return wire.answer(200, _plan(gateway, body, calls))
        return wire.answer(200, handler(gateway, request, body))
    except (BadRequest, faults.BadPlan, knobs.BadKnob) as problem:
        return wire.answer(400, {"error": str(problem)})


def upload(gateway: Gateway, request: Request) -> Response:
    """A file of evidence that is put where `upload_url` said."""
    if request.method != "PUT":
        return wire.answer(405, {"error": "a file is put here"})
    if (request.content_length or 0) > disputes.FILE_LIMIT_BYTES:
        return wire.answer(413, {"error": "that is too much"})
    name = request.path.removeprefix("/upload/")
    is_taken = disputes.take_file(gateway, name, request.get_data())
    return Response(status=200 if is_taken else 403)


def state(gateway: Gateway, request: Request, body: Any) -> dict[str, Any]:
    """Everything worth asserting on, of one world. Money in pesewas."""
    world = _world(request.args.get("world"))
    store = gateway.store
    things = {
        f"{kind}s": [_row(thing) for thing in store.newest(kind, world, SHOWN)]
        for kind in ("payment", "refund", "transfer", "dispute", "settlement")
    }
    return {
        "now": wire.moment(gateway.clock.now()),
        **things,
        "books": totals(gateway, world),
        "webhook_url": store.note(f"webhook_url.{world}"),
        "webhooks": gateway.webhooks.sent(world),
        "calls": dict(gateway.calls),
        "faults": gateway.faults.entries(),
        "fired": dict(gateway.faults.fired),
        "knobs": knobs.as_dict(gateway.knobs),
    }


def books(gateway: Gateway, request: Request, body: Any) -> dict[str, Any]:
    """Sums of the books: of a world, or of one `reference` in it."""
    world = _world(request.args.get("world"))
    return totals(gateway, world, request.args.get("reference"))


def totals(
    gateway: Gateway, world: str, reference: str | None = None
) -> dict[str, int]:
    """Pesewas taken, of fees, refunded, paid out, …; `holds` is what is left with the gateway."""
    where, values = "world = ?", [world]
    if reference is not None:
        where, values = "world = ? AND reference = ?", [world, reference]
    sql = f"SELECT kind, sum(amount) AS n FROM books WHERE {where} GROUP BY kind"  # noqa: S608
    rows = gateway.store.rows(sql, *values)
    found = {row["kind"]: row["n"] for row in rows}
    taken, topped_up = found.get("taken", 0), found.get("topped_up", 0)
    return {
        "taken": taken,
        "fees": -found.get("fee", 0),
        "refunded": -found.get("refunded", 0) - found.get("refund_returned", 0),
        "paid_out": -found.get("paid_out", 0),
        "payout_fees": -found.get("payout_fee", 0),
        "disputed": -found.get("disputed", 0),
        "settled": -found.get("settled", 0),
        "topped_up": topped_up,
        "holds": sum(found.values()),
    }


def _act(gateway: Gateway, request: Request, body: Any) -> dict[str, Any]:
    """Do to a thing what a customer, network or bank does: `kind`, `reference` or `id`, `act`. An
    approved payment may be given an `amount`, a `currency` or a `domain` it was not asked for."""
    world, kind, word = _world(body.get("world")), body.get("kind"), body.get("act")
    if kind not in ACTS or word not in ACTS[kind]:
        raise BadRequest(f"kind and act are of {ACTS}")
    thing = _thing(gateway, kind, world, body)
    if kind == "payment" and word == "approve":
        payments.pay(
            gateway, thing, **{n: body.get(n) for n in ("amount", "currency", "domain")}
        )
    else:
        timer.act(gateway, thing, word)
    return _row(thing)


def _dispute(gateway: Gateway, request: Request, body: Any) -> dict[str, Any]:
    """Open a dispute about a payment that was paid: `reference`, `category`, `amount`."""
    paid = _thing(gateway, "payment", _world(body.get("world")), body)
    if paid.doc["paid_at"] is None:
        raise BadRequest("only what was paid is disputed")
    category = body.get("category", "chargeback")
    return _row(disputes.open_one(gateway, paid, category, body.get("amount")))


def _clock(gateway: Gateway, request: Request, body: Any) -> dict[str, Any]:
    """Move the clock by `seconds` and let happen what is due then."""
    seconds = body.get("seconds")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise BadRequest("seconds is a number from 0 up")
    if not 0 <= seconds < MOST_SECONDS:
        raise BadRequest("seconds is a number from 0 up")
    gateway.clock.advance(seconds)
    while timer.one(gateway):
        pass
    return {"now": wire.moment(gateway.clock.now())}


def _plan(gateway: Gateway, body: Any, calls: frozenset[str]) -> dict[str, Any]:
    entries = body.get("plan") if isinstance(body, dict) else body
    seed = body.get("seed", 0) if isinstance(body, dict) else 0
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise BadRequest("seed is a whole number")
    gateway.faults.install(faults.read_plan(entries, calls), seed)
    return {"faults": gateway.faults.entries()}


def _knobs(gateway: Gateway, request: Request, body: Any) -> dict[str, Any]:
    knobs.turn(gateway.knobs, body)
    return {"knobs": knobs.as_dict(gateway.knobs)}


def _webhook(gateway: Gateway, request: Request, body: Any) -> dict[str, Any]:
    """Where events of a world go; the real one has this in its dashboard alone."""
    world, url = _world(body.get("world")), body.get("url", "")
    if not isinstance(url, str) or (url and not is_loopback(url)):
        raise BadRequest("url is an address of this machine, or empty")
    gateway.store.keep_note(f"webhook_url.{world}", url)
    return {"webhook_url": url}


def _rotate(gateway: Gateway, request: Request, body: Any) -> dict[str, Any]:
    world, key = _world(body.get("world")), body.get("key", "")
    if not isinstance(key, str) or not _KEY.fullmatch(key) or f"_{world}_" not in key:
        raise BadRequest(f"key begins with sk_{world}_")
    keyring.rotate(gateway.store, world, key)
    return {"rotated": world}


def _settle(gateway: Gateway, request: Request, body: Any) -> dict[str, Any]:
    made = settling.settle(gateway, _world(body.get("world")))
    return {"settlement": _row(made) if made else None}


def _top_up(gateway: Gateway, request: Request, body: Any) -> dict[str, Any]:
    """Put `amount` pesewas into the balance; below 0 takes some out."""
    world, amount = _world(body.get("world")), body.get("amount")
    if isinstance(amount, bool) or not isinstance(amount, int) or abs(amount) > 10**12:
        raise BadRequest("amount is in whole pesewas")
    gateway.store.book(gateway.now(), world, "topped_up", "", 0, "balance", amount)
    return {"balance": gateway.store.purse(world, "balance")}


def _thing(gateway: Gateway, kind: str, world: str, body: Any) -> Thing:
    store = gateway.store
    found = store.named(kind, world, str(body.get("reference", "")))
    found = found or store.numbered(kind, world, body.get("id", ""))
    if found is None:
        raise BadRequest(f"no {kind} has this reference or id")
    return found


def _world(named: object) -> str:
    if named is None:
        return "test"
    if named not in WORLDS:
        raise BadRequest(f"world is one of {', '.join(WORLDS)}")
    return str(named)


def _row(thing: Thing) -> dict[str, Any]:
    shown = {"id": thing.id, "reference": thing.reference, "of": thing.of}
    return {**thing.doc, **shown, "at": wire.moment(thing.at)}


def _body(request: Request) -> Any:
    if request.method == "GET":
        return {}
    if (request.content_length or 0) > BODY_LIMIT_BYTES:
        raise BadRequest("that is too much")
    try:
        body = json.loads(request.get_data() or b"{}")
    except (ValueError, RecursionError):
        raise BadRequest("that is not JSON") from None
    if not isinstance(body, dict) and request.path != "/sandbox/faults":
        raise BadRequest("send an object")
    return body


_HANDLERS: dict[tuple[str, str], Callable[[Gateway, Request, Any], dict[str, Any]]] = {
    ("GET", "/state"): state,
    ("GET", "/books"): books,
    ("POST", "/act"): _act,
    ("POST", "/dispute"): _dispute,
    ("POST", "/clock"): _clock,
    ("POST", "/faults"): lambda gateway, request, body: {},
    ("POST", "/knobs"): _knobs,
    ("POST", "/webhook"): _webhook,
    ("POST", "/rotate"): _rotate,
    ("POST", "/settle"): _settle,
    ("POST", "/top_up"): _top_up,
}
