"""The supplier's own web page: its orders, wallet, prices and webhook log, and the buttons of its
staff.

Decides what a click does. It works without JavaScript and answers JSON to those who ask for it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from integrations.sandbox import catalogue, faults, orders, processing, profiles, wire
from integrations.sandbox.clock import iso
from integrations.sandbox.state import Sandbox
from integrations.sandbox.store import FIRST_ID

PAGE_ORDERS = 30
LOG_SHOWN = 40
LAST_PAGE = 10_000
FORM_LIMIT_BYTES = 64 * 1024
_STATUS = re.compile(r"[a-z][a-z_]{1,19}", re.ASCII)
_CSP = (
    "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)
_TEMPLATES = Path(__file__).parent / "templates"

_environment = Environment(
    loader=FileSystemLoader(_TEMPLATES),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters["cedis"] = lambda pesewas: f"{pesewas / 100:,.2f}"
_environment.filters["instant"] = lambda at: iso(at)[:19].replace("T", " ")
_environment.globals["states"] = {
    "pending": "Waiting",
    "sent": "Sent",
    "successful": "Successful",
    "completed": "Completed",
    "failed": "Failed",
    "reversed": "Reversed",
}

_ROUTES = Map(
    [
        Rule("/", endpoint="show", methods=["GET"]),
        Rule("/sandbox", endpoint="show", methods=["GET"]),
        Rule("/sandbox/style.css", endpoint="style", methods=["GET"]),
        Rule(
            "/sandbox/orders/<path:name>/status",
            endpoint="set_status",
            methods=["POST"],
        ),
        Rule("/sandbox/orders/export", endpoint="export", methods=["POST"]),
        Rule("/sandbox/wallet/topup", endpoint="top_up", methods=["POST"]),
        Rule("/sandbox/products/<name>/price", endpoint="set_price", methods=["POST"]),
        Rule("/sandbox/account/status", endpoint="set_account", methods=["POST"]),
        Rule("/sandbox/plan", endpoint="set_plan", methods=["POST"]),
        Rule("/sandbox/turn", endpoint="set_knobs", methods=["POST"]),
        Rule("/sandbox/held/let-go", endpoint="let_go", methods=["POST"]),
    ],
    strict_slashes=False,
    merge_slashes=False,
)


@dataclass(frozen=True)
class Done:
    """What an act did, in a sentence, and whether it worked."""

    said: str
    status: int = 200
    facts: dict[str, Any] | None = None


def respond(sandbox: Sandbox, request: Request) -> Response:
    try:
        endpoint, arguments = _ROUTES.bind_to_environ(request.environ).match()
    except MethodNotAllowed:
        return wire.as_json(405, {"error": "not with this method"})
    except HTTPException:
        return wire.as_json(404, {"error": "no such page"})
    if endpoint == "style":
        return Response(
            (_TEMPLATES / "style.css").read_bytes(),
            content_type="text/css; charset=utf-8",
        )
    if endpoint == "show":
        return _show(sandbox, request)
    if (request.content_length or 0) > FORM_LIMIT_BYTES:
        return wire.as_json(413, {"error": "that is too much"})
    done = _ACTS[endpoint](sandbox, request, arguments.get("name", ""))
    if "application/json" in request.headers.get("Accept", ""):
        return wire.as_json(done.status, {"said": done.said, **(done.facts or {})})
    if done.status >= 400:
        return _show(sandbox, request, done.said, done.status)
    sandbox.notice = done.said
    return Response(status=303, headers={"Location": "/sandbox"})


def set_status(sandbox: Sandbox, request: Request, name: str) -> Done:
    """Move one order; `refund` 1 or 0 overrides what the supplier would do with the money, `quiet`
    1 tells nobody."""
    status, refund, quiet = (
        _field(request, name) for name in ("status", "refund", "quiet")
    )
    if not _STATUS.fullmatch(status):
        return Done(
            "status is one of sent, successful, failed, pending, reversed.", 400
        )
    if refund not in ("", "0", "1"):
        return Done("refund is 1 or 0.", 400)
    try:
        order = processing.find(sandbox, FIRST_ID, name)
        chosen = refund == "1" if refund else None
        move = processing.change_status(
            sandbox, order, status, refund=chosen, quiet=quiet == "1"
        )
    except orders.UnknownOrder:
        return Done("There is no order with that reference.", 404)
    except ValueError:
        return Done(
            "The wallet holds too little to charge this order again. Top it up first.",
            409,
        )
    said = f"…{order.reference[-6:]}: {move.old_status} → {move.order.status}"
    said += (
        f", GHS {move.refunded_pesewas / 100:.2f} refunded"
        if move.refunded_pesewas
        else ""
    )
    said += (
        f", GHS {move.charged_pesewas / 100:.2f} charged again"
        if move.charged_pesewas
        else ""
    )
    facts: dict[str, Any] = {
        "reference": order.reference,
        "old_status": move.old_status,
        "new_status": move.order.status,
    }
    facts |= {
        "refunded_pesewas": move.refunded_pesewas,
        "charged_pesewas": move.charged_pesewas,
    }
    return Done(f"{said}.", 200, facts)


def export(sandbox: Sandbox, request: Request, name: str) -> Done:
    count = processing.export_batch(sandbox)
    return Done(
        f"Exported {count} order{'' if count == 1 else 's'}: now sent.",
        200,
        {"exported": count},
    )


def top_up(sandbox: Sandbox, request: Request, name: str) -> Done:
    pesewas = _pesewas(_field(request, "amount"))
    if pesewas is None or pesewas == 0:
        return Done("Give an amount in GHS, like 100 or 12.50.", 400)
    try:
        account = sandbox.store.top_up(pesewas)
    except ValueError:
        return Done("The wallet holds less than that.", 409)
    facts = {"balance_pesewas": account.balance_pesewas}
    return Done(
        f"Wallet changed by GHS {pesewas / 100:,.2f}, now GHS"
        f" {account.balance_pesewas / 100:,.2f}.",
        200,
        facts,
    )


def set_price(sandbox: Sandbox, request: Request, name: str) -> Done:
    """Set what the reseller's role pays; an empty price takes the product off the list."""
    text = _field(request, "price").strip()
    pesewas = _pesewas(text)
    offset = catalogue.ROLE_OFFSET_PESEWAS[sandbox.store.account().role]
    if text and (pesewas is None or pesewas < offset):
        return Done(
            f"Give a price in GHS of at least {offset / 100:.2f}, or none.", 400
        )
    if not sandbox.store.set_base_price(
        name, None if pesewas is None else pesewas - offset
    ):
        return Done("There is no such product.", 404)
    return Done(
        f"{name} now costs"
        f" {'nothing: it has no price' if pesewas is None else f'GHS {pesewas / 100:.2f}'}."
    )


def set_account(sandbox: Sandbox, request: Request, name: str) -> Done:
    status = _field(request, "status")
    if status not in ("active", "suspended", "pending"):
        return Done("status is active, suspended or pending.", 400)
    sandbox.store.set_account(FIRST_ID, status=status)
    return Done(f"The account is {status}.", 200, {"account_status": status})


def set_plan(sandbox: Sandbox, request: Request, name: str) -> Done:
    """Replace the plan of faults by the one typed; an empty one ends all of them."""
    typed = _field(request, "plan").strip()
    try:
        plan = faults.read_plan(json.loads(typed or "[]"))
    except (ValueError, RecursionError) as problem:
        return Done(f"That plan cannot be played: {problem}.", 400)
    sandbox.faults.install(plan)
    return Done(
        f"{len(plan)} fault{'' if len(plan) == 1 else 's'} planned.",
        200,
        {"faults": len(plan)},
    )


def set_knobs(sandbox: Sandbox, request: Request, name: str) -> Done:
    """Turn the knobs that were typed; the others stay."""
    try:
        wanted = json.loads(_field(request, "knobs").strip() or "{}")
        if not isinstance(wanted, dict):
            raise profiles.BadKnob("knobs are one object")
        profiles.turn(sandbox.knobs, wanted)
    except (ValueError, RecursionError, profiles.BadKnob) as problem:
        return Done(f"These knobs cannot be turned: {problem}.", 400)
    return Done(
        "The knobs are as typed.", 200, {"knobs": profiles.as_dict(sandbox.knobs)}
    )


def let_go(sandbox: Sandbox, request: Request, name: str) -> Done:
    count = sandbox.holds.release(None)
    return Done(
        f"Let {count} held request{'' if count == 1 else 's'} go on.",
        200,
        {"released": count},
    )


def _show(
    sandbox: Sandbox, request: Request, problem: str = "", status: int = 200
) -> Response:
    page = min(max(request.args.get("page", default=1, type=int), 1), LAST_PAGE)
    found = orders.newest(
        sandbox.store, FIRST_ID, limit=PAGE_ORDERS + 1, offset=(page - 1) * PAGE_ORDERS
    )
    notice, sandbox.notice = sandbox.notice, ""
    account = sandbox.store.account()
    products = sandbox.store.products(sandbox.knobs.products)
    text = _environment.get_template("supplier.html").render(
        account=account,
        knobs=sandbox.knobs,
        now=sandbox.clock.now(),
        orders=found[:PAGE_ORDERS],
        page=page,
        more=len(found) > PAGE_ORDERS,
        notice=notice,
        problem=problem,
        products=[
            (product, product.price_pesewas(account.role)) for product in products
        ],
        webhooks=sandbox.store.webhook_log(LOG_SHOWN),
        held=sandbox.holds.list(),
        plan=_field(request, "plan") or _readable(sandbox.faults.entries()),
        turned=_field(request, "knobs")
        or json.dumps(profiles.as_dict(sandbox.knobs), indent=1),
        faults=sorted(faults.FAULTS),
        endpoints=sorted(faults.ENDPOINTS),
        members=[
            name
            for name in faults.Fault.__dataclass_fields__
            if name not in ("fault", "endpoint")
        ],
    )
    headers = {
        "Content-Security-Policy": _CSP,
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(
        text, status, headers=headers, content_type="text/html; charset=utf-8"
    )


def _readable(entries: list[dict[str, Any]]) -> str:
    """The plan as JSON, without the members that say nothing; `times` null says for ever."""
    said = [
        {
            name: value
            for name, value in entry.items()
            if value is not None or name == "times"
        }
        for entry in entries
    ]
    return json.dumps(said, indent=1) if said else ""


def _field(request: Request, name: str) -> str:
    """A field of the form, the query or a JSON object; empty when it is missing."""
    if request.mimetype == "application/json":
        body = request.get_json(silent=True)
        value = body.get(name) if isinstance(body, dict) else None
        return (
            ""
            if value is None
            else str(int(value) if isinstance(value, bool) else value)
        )
    return str(request.values.get(name, ""))


def _pesewas(text: str) -> int | None:
    try:
        pesewas = Decimal(text.strip()) * 100
    except InvalidOperation:
        return None
    if (
        not pesewas.is_finite()
        or abs(pesewas) >= 10**12
        or pesewas != pesewas.to_integral_value()
    ):
        return None
    return int(pesewas)


_ACTS: dict[str, Callable[[Sandbox, Request, str], Done]] = {
    "set_status": set_status,
    "export": export,
    "top_up": top_up,
    "set_price": set_price,
    "set_account": set_account,
    "set_plan": set_plan,
    "set_knobs": set_knobs,
    "let_go": let_go,
}
