"""The payment gateway's webhooks: signed bytes, kept, answered, and then a ring. The body moves
nothing.

Decides what is kept and whose row is rung. Whose signature it is, and what it asks to look up, says
the gateway's client; what came of a payment says its look-up alone. Of what is not signed nothing
is read and nothing kept but a number.
"""

from __future__ import annotations

import hashlib
from typing import Any

from flask import Blueprint, Response, abort, current_app, request
from sqlalchemy.exc import OperationalError

from core import disputes, payouts, taking
from core.base import config, heartbeats, tenancy
from core.base.db import transaction
from core.base.preconditions import inside_use_case, needs_across_stores
from core.supplier import webhook_events
from integrations.payments_port import PaymentNews, Payments

bp = Blueprint("gateway_hooks", __name__, subdomain="hooks")

SIGNED_BY = {"current": "paystack", "previous": "paystack_previous"}
"""How the log of webhooks names who signed."""
_LONGEST_EVENT = 64


@bp.post("/paystack")
def receive_gateway() -> Response:
    """200 for everything signed, also unknown or seen before; 400 without a good signature, 404
    without a gateway, 413 too large, 503 database."""
    gateway: Payments | None = current_app.extensions["payments"]
    if gateway is None:
        abort(404)
    body = request.get_data()
    news = gateway.read_event(body, dict(request.headers))
    if news.signed_by is None:
        heartbeats.count(heartbeats.UNSIGNED_OF_GATEWAY)
        if request.remote_addr in config.current().gateway_addresses:
            heartbeats.count(heartbeats.UNSIGNED_FROM_GATEWAY)
        abort(400)
    try:
        with tenancy.across_stores(), transaction():
            _take(news, body)
    except OperationalError:
        abort(503)
    return Response(status=200)


@needs_across_stores
@inside_use_case
def _take(news: PaymentNews, body: bytes) -> None:
    """Keep it and ring. Also what came before rings: whoever says it again was not heard."""
    webhook_events.keep(_row(news, body))
    if news.look_up in ("payment", "refunds") and news.reference:
        taking.ring(news.reference)
    elif news.look_up == "dispute" and (news.reference or news.gateway_id):
        disputes.heard(news.gateway_id, news.reference, news.event)
    elif news.look_up == "transfer" and news.reference:
        payouts.sending.ring(news.reference)


def _row(news: PaymentNews, body: bytes) -> dict[str, Any]:
    assert news.signed_by is not None
    same = news.same_as or hashlib.sha256(body).hexdigest()
    key = hashlib.sha256(f"paystack|{same}".encode()).hexdigest()
    return {
        "event_key": key,
        "body": body,
        "event": news.event[:_LONGEST_EVENT],
        "order_ref": news.reference,
        "raw_status": None,
        "status": None,
        "verified_by": SIGNED_BY[news.signed_by],
        "headers": {},
    }
