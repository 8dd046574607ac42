"""What the gateway asks before it pays out: POST at hooks.<domain>/paystack/approval.

200 for a transfer that we have asked for, of its amount and to its recipient; 400 for anything
else, which is kept. Nothing is signed here, so nothing is believed: the answer comes from our own
rows, and what is kept of a flood is bounded as that of other webhooks (`webhook_log`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from flask import Response, abort, request
from sqlalchemy.exc import OperationalError

from core import payouts
from core.base import tenancy
from core.base.db import transaction
from core.supplier import webhook_events
from fulfilment import webhook_log
from fulfilment.webhooks import bp
from integrations import strict_json

log = structlog.get_logger("payouts")

EVENT = "paystack.approval"


@bp.post("/paystack/approval")
def approve_transfer() -> Response:
    """200, or 400 with a word that says why not; 503 while the database is away, which the gateway
    takes for no answer."""
    body = request.get_data()
    try:
        with tenancy.across_stores():
            why = payouts.confirming.why_not(_read(body))
            if why:
                _keep(body, why)
    except OperationalError:
        abort(503)
    if not why:
        return Response(status=200)
    log.warning("a transfer was not approved", why=why)
    return Response(why, status=400, content_type="text/plain; charset=utf-8")


def _read(body: bytes) -> Mapping[str, Any]:
    """The transfer, whether it comes alone or as an event's `data`; nothing for what is none."""
    try:
        said = strict_json.loads(body)
    except ValueError:
        return {}
    if not isinstance(said, dict):
        return {}
    data = said.get("data")
    return data if isinstance(data, dict) else said


def _keep(body: bytes, why: str) -> None:
    key = webhook_events.event_key(EVENT, None, why, body)
    row: dict[str, Any] = {
        "event_key": key,
        "body": body,
        "event": EVENT,
        "order_ref": None,
        "raw_status": why,
        "status": None,
        "verified_by": None,
        "headers": {},
    }
    with transaction():
        webhook_log.store(row, webhook_log.known_of(row))
