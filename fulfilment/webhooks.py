"""The supplier's webhooks: raw bytes first, stored before anything, then a ring. The body decides nothing.

Anyone may post here who knows the path's token; a body is believed only as far as a ring goes, because the supplier
signs with a key nobody has (datamart-api.md §6). The order's own look-up decides.
"""

from __future__ import annotations

import hmac

from flask import Blueprint, Response, abort, current_app, request
from sqlalchemy.exc import OperationalError

from core import config, orders, supply, tenancy
from core.db import transaction
from integrations.ports import Supplier

bp = Blueprint("hooks", __name__, subdomain="hooks")

_KEPT_HEADERS = ("Content-Type", "User-Agent", "X-Platform-Event", "X-DataMart-Event")
SILENT_EVENTS = frozenset({"webhook.test", "bulk_purchase.completed"})
"""Stored and acknowledged only: they say nothing about one order's state."""


@bp.post("/datamart/<token>")
def receive(token: str) -> Response:
    """204 for everything stored, also unsigned, unknown or seen before; 404 wrong path, 413 too large, 503 database."""
    settings = config.current()
    if not hmac.compare_digest(token.encode(), settings.webhook_token.encode()):
        abort(404)
    request.max_content_length = settings.webhook_bytes
    body = request.get_data()  # before anything touches request.form; raises 413 unread
    supplier: Supplier = current_app.extensions["supplier"]
    news = supplier.read_event(body, dict(request.headers))
    order_ref = news.order_ref if news.order_ref is not None and len(news.order_ref) <= 64 else None
    values = {
        "event_key": supply.event_key(news.event, order_ref, news.raw_status, body),
        "body": body,
        "event": news.event[:64],
        "order_ref": order_ref,
        "raw_status": news.raw_status[:64] if news.raw_status else None,
        "status": news.status,
        "verified_by": news.verified_by,
        "headers": {name: request.headers[name][:200] for name in _KEPT_HEADERS if name in request.headers},
    }
    try:
        with tenancy.across_stores(), transaction():
            fresh = supply.keep_webhook(values)
            if fresh and order_ref is not None and news.event not in SILENT_EVENTS:
                orders.ring(
                    order_ref,
                    verified=_proves_origin(news.verified_by),
                    what=news.raw_status or news.event,
                    word=news.status,
                )
    except OperationalError:
        abort(503)
    return Response(status=204)


def _proves_origin(verified_by: str | None) -> bool:
    return verified_by is not None and verified_by != "none"
