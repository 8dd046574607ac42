"""The gateway's own page: payments, refunds, transfers, disputes, and what may be done to each.

It works without JavaScript. What a press does is in `admin.ACTS`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from werkzeug.wrappers import Request, Response

from integrations.paystack_sandbox import admin, timer, wire
from integrations.paystack_sandbox.state import Gateway
from integrations.sandbox.clock import iso

SHOWN = 30
FORM_LIMIT_BYTES = 16 * 1024
_TEMPLATES = Path(__file__).parent / "templates"
_HEADERS = {
    # a form may be answered with the way back to the shop, so `form-action` is left open
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none';"
    " frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    # with none at all a browser would call its own forms strange ones (`Origin: null`)
    "Referrer-Policy": "same-origin",
}
_environment = Environment(
    loader=FileSystemLoader(_TEMPLATES),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters["cedis"] = lambda pesewas: f"GHS {pesewas / 100:,.2f}"
_environment.filters["instant"] = lambda at: iso(at)[:16].replace("T", " ")
_environment.globals["words"] = {
    "abandoned": "Not paid",
    "pay_offline": "Waits for the phone",
    "send_otp": "Waits for a code",
    "success": "Paid",
    "failed": "Failed",
    "reversed": "Given back",
}


def respond(gateway: Gateway, request: Request) -> Response:
    if request.path == "/sandbox/style.css":
        style = (_TEMPLATES / "style.css").read_bytes()
        return Response(style, content_type="text/css; charset=utf-8")
    if request.path not in ("/", "/sandbox", "/sandbox/press"):
        return wire.answer(404, {"error": "no such page"})
    if request.method == "GET":
        return _home(gateway)
    if request.method != "POST" or request.path != "/sandbox/press":
        return wire.answer(405, {"error": "not with this method"})
    if (request.content_length or 0) > FORM_LIMIT_BYTES:
        return wire.answer(413, {"error": "that is too much"})
    return _pressed(gateway, request)


def show(template: str, status: int = 200, **values: Any) -> Response:
    text = _environment.get_template(template).render(**values)
    return Response(
        text, status, headers=_HEADERS, content_type="text/html; charset=utf-8"
    )


def _home(gateway: Gateway, problem: str = "", status: int = 200) -> Response:
    store = gateway.store
    things = [
        (title, kind, store.newest(kind, "test", SHOWN))
        for title, kind in (
            ("Payments", "payment"),
            ("Refunds", "refund"),
            ("Payouts", "transfer"),
            ("Disputes", "dispute"),
        )
    ]
    return show(
        "gateway.html",
        status,
        now=gateway.clock.now(),
        things=things,
        acts=_possible,
        books=admin.totals(gateway, "test"),
        balance=store.purse("test", "balance"),
        hooks=gateway.webhooks.sent("test", SHOWN),
        problem=problem,
    )


def _pressed(gateway: Gateway, request: Request) -> Response:
    kind, word = request.form.get("kind", ""), request.form.get("act", "")
    thing = gateway.store.numbered(kind, "test", request.form.get("id", ""))
    if thing is None or word not in _possible(kind, thing.status):
        said = "That is not possible any more. Look at how it stands now."
        return _home(gateway, said, 409)
    timer.act(gateway, thing, word)
    return Response(status=303, headers={"Location": "/sandbox"})


def _possible(kind: str, status: str) -> tuple[str, ...]:
    """The presses that mean something for a thing of this kind in this state."""
    possible = {
        ("payment", "abandoned"): ("approve", "decline"),
        ("payment", "failed"): ("approve",),
        ("payment", "pay_offline"): ("approve", "decline"),
        ("payment", "send_otp"): ("approve", "decline"),
        ("refund", "pending"): ("processed", "failed", "needs-attention"),
        ("refund", "processing"): ("processed", "failed", "needs-attention"),
        ("transfer", "pending"): ("success", "failed"),
        ("transfer", "success"): ("reversed",),
        ("transfer", "otp"): ("abandon",),
        ("dispute", "awaiting-merchant-feedback"): ("remind", "expire"),
        ("dispute", "awaiting-bank-feedback"): ("verdict",),
    }
    return possible.get((kind, status), ())
