"""The supplier's own web page: its orders, wallet, prices and webhook log.

It works without JavaScript and answers JSON to those who ask for it. What the buttons of its staff
do is in `staff_acts`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from integrations.sandbox import (
    faults,
    orders,
    profiles,
    staff_acts,
    wire,
)
from integrations.sandbox.clock import iso
from integrations.sandbox.state import Sandbox
from integrations.sandbox.store import FIRST_ID

PAGE_ORDERS = 30
LOG_SHOWN = 40
LAST_PAGE = 10_000
FORM_LIMIT_BYTES = 64 * 1024
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
    done = staff_acts.ACTS[endpoint](sandbox, request, arguments.get("name", ""))
    if "application/json" in request.headers.get("Accept", ""):
        return wire.as_json(done.status, {"said": done.said, **(done.facts or {})})
    if done.status >= 400:
        return _show(sandbox, request, done.said, done.status)
    sandbox.notice = done.said
    return Response(status=303, headers={"Location": "/sandbox"})


def _show(
    sandbox: Sandbox, request: Request, problem: str = "", status: int = 200
) -> Response:
    page = min(max(request.args.get("page", default=1, type=int), 1), LAST_PAGE)
    found = orders.newest(
        sandbox.store, FIRST_ID, limit=PAGE_ORDERS + 1, offset=(page - 1) * PAGE_ORDERS
    )
    notice = sandbox.notice
    sandbox.notice = ""
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
        plan=staff_acts.field(request, "plan") or _readable(sandbox.faults.entries()),
        turned=staff_acts.field(request, "knobs")
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
    if said:
        return json.dumps(said, indent=1)
    return ""
