"""What went over the wire: every call to the supplier, and every webhook that came in. Masked
before it was stored."""

from __future__ import annotations

from flask import abort, render_template, request

from admin_console import bp
from core.base import config
from core.base.db import db
from core.base.text_input import one_line, row_id
from core.supplier import records, webhook_events
from core.supplier.records import SupplierCall

ENDPOINTS = (
    "purchase", "bulk", "status", "balance", "products", "capacities", "account", "transactions",
    "statistics",
    "set_webhook", "test_webhook",
)  # fmt: skip


@bp.get("/calls")
def list_calls() -> str:
    endpoint = request.args.get("endpoint", "")
    search = one_line(request.args.get("q", ""))
    endpoint = endpoint if endpoint in ENDPOINTS else ""
    limit = config.current().page_size
    lines = records.calls(
        before_id=row_id(request.args.get("before", "")),
        endpoint=endpoint or None,
        search=search,
        limit=limit,
    )
    older = lines[-1].id if len(lines) == limit else None
    return render_template(
        "console/calls.html",
        calls=lines,
        endpoints=ENDPOINTS,
        endpoint=endpoint,
        q=search,
        older=older,
    )


@bp.get("/calls/<int(max=999999999999999999):call_id>")
def show_call(call_id: int) -> str:
    call = db.session.get(SupplierCall, call_id) or abort(
        404, "There is no call of that number. Calls are kept 90 days."
    )
    return render_template("console/call.html", call=call)


@bp.get("/webhooks")
def list_webhooks() -> str:
    limit = config.current().page_size
    events = webhook_events.newest(
        before_id=row_id(request.args.get("before", "")), limit=limit
    )
    older = events[-1].id if len(events) == limit else None
    return render_template("console/webhooks.html", events=events, older=older)
