"""The supplier's webhooks: raw bytes first, stored before anything, then a ring. The body decides
nothing.

Anyone may post here who knows the path's token; a body is believed only as far as a ring goes,
because the supplier signs with a key nobody has (datamart-api.md §6). The order's own look-up
decides. How much of a flood is kept is decided in `webhook_log`.
"""

from __future__ import annotations

import hmac

from flask import Blueprint, Response, abort, current_app, request
from sqlalchemy.exc import OperationalError

from core import cases, orders
from core.base import config, tenancy
from core.base.db import transaction
from core.supplier import supply, webhook_events
from fulfilment import webhook_log
from integrations.ports import Supplier

bp = Blueprint("hooks", __name__, subdomain="hooks")

_KEPT_HEADERS = ("Content-Type", "User-Agent", "X-Platform-Event", "X-DataMart-Event")
SILENT_EVENTS = frozenset({"webhook.test", "bulk_purchase.completed"})
"""Stored and acknowledged only: they say nothing about one order's state."""


@bp.post("/datamart/<token>")
def receive(token: str) -> Response:
    """204 for everything stored, also unsigned, unknown or seen before; 404 wrong path, 413 too
    large, 503 database."""
    settings = config.current()
    if not sum(
        [
            hmac.compare_digest(token.encode(), known.encode())
            for known in settings.webhook_tokens
        ]
    ):
        abort(404)  # each was compared, so that the time tells nothing
    body = (
        request.get_data()
        # before anything touches request.form; whole and within its limit, see edge/bodies.py
    )
    supplier: Supplier = current_app.extensions["supplier"]
    news = supplier.read_event(body, dict(request.headers))
    fits = news.order_ref is not None and len(news.order_ref) <= 64
    order_ref = orders.read_order_ref(news.order_ref or "") if fits else None
    values = {
        "event_key": webhook_events.event_key(
            news.event, order_ref, news.raw_status, body
        ),
        "body": body,
        "event": news.event[:64],
        "order_ref": order_ref,
        "raw_status": news.raw_status[:64] if news.raw_status else None,
        "status": news.status,
        "verified_by": news.verified_by,
        "headers": {
            name: request.headers[name][:200]
            for name in _KEPT_HEADERS
            if name in request.headers
        },
    }
    try:
        with tenancy.across_stores(), transaction():
            order = orders.by_reference(order_ref) if order_ref is not None else None
            kept = webhook_log.store(values, is_ours=order is not None)
            if kept == "seen" or order_ref is None or news.event in SILENT_EVENTS:
                pass
            elif order is not None:
                orders.ring(
                    order,
                    verified=kept == "signed",
                    what=news.raw_status or news.event,
                    word=news.status,
                )
            elif kept == "signed" and news.verified_by != "static_token":
                _ask_about_stranger(order_ref, news.raw_status)
    except OperationalError:
        abort(503)
    return Response(status=204)


def _ask_about_stranger(order_ref: str, said: str | None) -> None:
    """The supplier signed news of a reference that is not ours: one case for all of them, however
    many come.

    A shared token does not count: whoever knows it may invent references.
    """
    supply.locked_state()  # of two at once the second adds to the case of the first
    cases.open_case(
        "unknown_reference", "webhooks", {"order_ref": order_ref, "said": said}
    )
