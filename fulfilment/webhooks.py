"""The supplier's webhooks: raw bytes first, stored before anything, then a ring. The body decides
nothing.

Anyone may post here who knows the path's token; a body is believed only as far as a ring goes,
because the supplier signs with a key nobody has (datamart-api.md §6). The order's own look-up
decides. How much of a flood is kept is decided in `webhook_log`.
"""

from __future__ import annotations

import hmac
from typing import Any

from flask import Blueprint, Response, abort, current_app, request
from sqlalchemy.exc import OperationalError

from core import cases, orders
from core.base import config, tenancy
from core.base.db import transaction
from core.base.preconditions import inside_use_case, needs_across_stores
from core.supplier import supply, webhook_events
from fulfilment import webhook_log
from integrations.ports import Supplier, WebhookNews

bp = Blueprint("hooks", __name__, subdomain="hooks")

_KEPT_HEADERS = ("Content-Type", "User-Agent", "X-Platform-Event", "X-DataMart-Event")
SILENT_EVENTS = frozenset({"webhook.test", "bulk_purchase.completed"})
"""Stored and acknowledged only: they say nothing about one order's state."""


@bp.post("/datamart/<token>")
def receive(token: str) -> Response:
    """204 for everything stored, also unsigned, unknown or seen before; 404 wrong path, 413 too
    large, 503 database."""
    if not _knows_the_path(token):
        abort(404)
    # before anything touches request.form; whole and within its limit, see edge/bodies.py
    body = request.get_data()
    supplier: Supplier = current_app.extensions["supplier"]
    news = supplier.read_event(body, dict(request.headers))
    order_ref = _order_ref(news)
    try:
        with tenancy.across_stores(), transaction():
            _take(news, order_ref, body)
    except OperationalError:
        abort(503)
    return Response(status=204)


def _knows_the_path(token: str) -> bool:
    """Whether it is one of our tokens. Each is compared, so that the time tells nothing."""
    given = token.encode()
    known = [
        hmac.compare_digest(given, one.encode())
        for one in config.current().webhook_tokens
    ]
    return any(known)


def _order_ref(news: WebhookNews) -> str | None:
    """The reference it speaks of, in our own spelling; None when it has none that fits."""
    if news.order_ref is None or len(news.order_ref) > 64:
        return None
    return orders.read_order_ref(news.order_ref)


@needs_across_stores
@inside_use_case
def _take(
    news: WebhookNews,
    order_ref: str | None,
    body: bytes,
) -> None:
    """Store it, and ring for the order it speaks of."""
    row = _row(news, order_ref, body)
    known = webhook_log.known_of(row)
    order = known.order
    kept = webhook_log.store(row, known)
    if kept == "seen" or order_ref is None or news.event in SILENT_EVENTS:
        return
    if order is not None:
        orders.ring(
            order,
            verified=kept == "signed",
            what=news.raw_status or news.event,
            word=news.status,
        )
    elif kept == "signed" and news.verified_by != "static_token":
        _ask_about_stranger(order_ref, news.raw_status)


def _row(
    news: WebhookNews,
    order_ref: str | None,
    body: bytes,
) -> dict[str, Any]:
    key = webhook_events.event_key(
        news.event,
        order_ref,
        news.raw_status,
        body,
    )
    return {
        "event_key": key,
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


def _ask_about_stranger(order_ref: str, said: str | None) -> None:
    """The supplier signed news of a reference that is not ours: one case for all of them, however
    many come.

    A shared token does not count: whoever knows it may invent references.
    """
    supply.locked_state()  # of two at once the second adds to the case of the first
    cases.open_case(
        "unknown_reference", "webhooks", {"order_ref": order_ref, "said": said}
    )
