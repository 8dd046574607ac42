"""Orders of every store: one search box, a filter by state and store, and one order with all that
happened to it.

Leaves how the filters combine to `order_list`. Finding, words and timeline come from `core.orders`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, TypeVar

from flask import (
    abort,
    flash,
    get_template_attribute,
    redirect,
    render_template,
    url_for,
)
from flask_login import current_user
from markupsafe import Markup
from werkzeug.wrappers import Response

from admin_console import bp, order_list
from admin_console.auth import needs
from admin_console.order_list import MEANT, Filters
from admin_console.words import detail_lines
from core import cases, ledger, orders, store_list, stores
from core.audit import Actor
from core.base import config, phones
from core.orders import Look, Moment, Order, OrderEvent
from core.supplier import records, webhook_events

T = TypeVar("T")

ICONS = {
    "placed": "waiting",
    "wait": "waiting",
    "unknown": "waiting",
    "case": "waiting",
    "completed": "done",
    "settled": "done",
    "failed": "stopped",
    "refunded": "stopped",
    "cancelled": "stopped",
}
"""The dot of a line by its kind; others are *moving*."""


@bp.get("/orders")
def list_orders() -> str:
    filters = Filters.of_request()
    size = config.current().page_size
    found = store_list.beginning(filters.store, MEANT + 1) if filters.store else []
    shop = order_list.meant(filters.store, found)
    view = order_list.of_filters(filters, shop)
    shown = view.orders[:size]
    looks = {order.id: _look(order) for order in shown}
    older = (
        replace(filters, before=shown[-1].id).address()
        if len(view.orders) > size
        else None
    )
    return render_template(
        "console/orders.html",
        orders=shown,
        looks=looks,
        badges=_drawn("status_badge", looks.values()),
        chips=_drawn("network_chip", phones.NETWORKS),
        shops=view.shops,
        offered=found[:MEANT] or view.first,
        unsure=found[:MEANT] if shop is None else [],
        known=bool(found),
        looked_through=orders.LOOKED_THROUGH,
        filters=filters,
        counts=view.counts,
        stuck=view.stuck,
        open_case_count=lambda: view.open_cases,
        labels=orders.AGENT_LABELS,
        days=order_list.DAYS,
        first=replace(filters, before=None).address() if filters.before else None,
        older=older,
    )


@bp.get("/orders/<code>")
def show_order(code: str) -> str | Response:
    order = _order(code)
    if code != order.code:
        return redirect(url_for(".show_order", code=order.code), 301)
    return render_template("console/order.html", **_whole(order))


@bp.post("/orders/<code>/recheck")
@needs("orders")
def recheck_order(code: str) -> Response | tuple[str, int]:
    order = _order(code)
    try:
        orders.request_look(order.code, Actor.of_login(current_user))
    except orders.OrderRefused as refusal:
        flash(f"Nothing was changed. {refusal.sentence}", "stopped")
        return redirect(url_for(".show_order", code=order.code), 303)
    flash(
        "Asked: the supplier is looked up by reference. The answer shows on the timeline.",
        "moving",
    )
    return redirect(url_for(".show_order", code=order.code), 303)


def _look(order: Order) -> Look:
    """As its agent sees it, under the name of its state: by that the list is filtered."""
    label = orders.AGENT_LABELS[order.state]
    if order.is_test:
        label = orders.testing.label(label)
    return Look(label, orders.agent_look(order).icon)


def _drawn(macro: str, of: Iterable[T]) -> dict[T, Markup]:
    """What a macro of the badges makes of each: a list of dozens shows a few."""
    draw = get_template_attribute("shared/badges.html", macro)
    return {one: draw(one) for one in set(of)}


def _order(code: str) -> Order:
    return orders.by_code(code) or abort(
        404, "There is no order with this code. Check it, or search for it."
    )


def _moment(event: OrderEvent) -> Moment:
    icon = ICONS.get(event.kind, "moving")
    if event.detail:
        told = detail_lines(event.detail)
    else:
        told = []
    return Moment(
        event.at,
        event.who_name,
        event.text,
        icon,
        told,
    )


def _whole(order: Order) -> dict[str, Any]:
    """Everything we know of one order, from every log."""
    shop = stores.by_ids([order.store_id])[order.store_id]
    return {
        "order": order,
        "shop": shop,
        "look": _look(order),
        "words": orders.agent_words(order),
        "customer_words": orders.customer_words(order, shop),
        "moments": [_moment(event) for event in orders.timeline(order)],
        "calls": records.calls(search=order.order_ref),
        "webhooks": webhook_events.of_order(order.order_ref),
        "postings": ledger.postings_of(order.id),
        "kind_text": ledger.KIND_TEXT,
        "cases": cases.of_order(order.id),
        "wait_text": orders.WAIT_TEXT.get(order.wait_reason or ""),
    }
