"""The supplier's webhooks: raw bytes first, stored before anything, then a ring. The body decides nothing.

Anyone may post here who knows the path's token; a body is believed only as far as a ring goes, because the supplier
signs with a key nobody has (datamart-api.md §6). The order's own look-up decides.
"""

from __future__ import annotations

import hmac

from flask import Blueprint, Response, abort, current_app, request
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from core import cases, config, orders, supply, tenancy
from core.db import db, transaction
from core.orders import Order
from integrations.ports import Supplier

bp = Blueprint("hooks", __name__, subdomain="hooks")

_KEPT_HEADERS = ("Content-Type", "User-Agent", "X-Platform-Event", "X-DataMart-Event")
SILENT_EVENTS = frozenset({"webhook.test", "bulk_purchase.completed"})
"""Stored and acknowledged only: they say nothing about one order's state."""
STRANGER = "names no order of ours"
"""What the log says of a webhook whose reference is not ours. Signed, it is a case: one, however many come."""


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
            speaks = order_ref is not None and news.event not in SILENT_EVENTS
            ours = speaks and db.session.scalar(select(Order.id).where(Order.order_ref == order_ref)) is not None
            fresh = supply.keep_webhook(values if ours or not speaks else values | {"result": STRANGER})
            if fresh and ours:
                orders.ring(
                    order_ref or "",
                    verified=_proves_origin(news.verified_by),
                    what=news.raw_status or news.event,
                    word=news.status,
                )
            elif fresh and speaks and _is_signed(news.verified_by):
                supply.locked_state()  # of two at once the second adds to the case of the first
                cases.open_case("unknown_reference", "webhooks", {"order_ref": order_ref, "said": news.raw_status})
    except OperationalError:
        abort(503)
    return Response(status=204)


def _proves_origin(verified_by: str | None) -> bool:
    return verified_by is not None and verified_by != "none"


def _is_signed(verified_by: str | None) -> bool:
    """The supplier's own words: a shared token proves only who knows it, and whoever does may invent references."""
    return _proves_origin(verified_by) and verified_by != "static_token"
