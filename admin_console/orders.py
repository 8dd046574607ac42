"""Orders of every store: one search box, a filter by state and store, and one order with all that
happened to it.

Decides how the filters combine. Finding, words and timeline come from `core.orders`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from flask import abort, flash, redirect, render_template, request, url_for
from flask_login import current_user
from sqlalchemy import ColumnElement, select
from werkzeug.wrappers import Response

from admin_console import bp, figures
from admin_console.auth import needs
from admin_console.words import detail_lines
from core import cases, ledger, orders, stores
from core.audit import Actor
from core.base import clock, config
from core.base.db import db
from core.base.text_input import one_line, row_id
from core.orders import Moment, Order, OrderEvent
from core.stores import Store
from core.supplier import supply, webhook_events

SEARCHED = 500
"""A search looks through its newest so many matches; the filters then pick from these."""
MEANT = 20
"""So many stores are offered for what was typed."""
STUCK = "stuck"
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
DAYS = {"today": "Ordered today", "ended": "Ended today"}


@dataclass(frozen=True)
class Filters:
    """What the address of the list asks for; empty means all."""

    q: str = ""
    state: str = ""
    store: str = ""
    day: str = ""
    before: int | None = None

    @classmethod
    def of_request(cls) -> Filters:
        said = request.args
        state = said.get("state", "")
        day = said.get("day", "")
        return cls(
            q=one_line(said.get("q", ""), orders.LONGEST_PASTED),
            state=state if state in orders.STATES or state == STUCK else "",
            store=one_line(said.get("store", ""), 60),
            day=day if day in DAYS else "",
            before=row_id(said.get("before", "")),
        )

    def of(self, slug: str) -> str:
        """The list's path with these filters and this store."""
        return replace(self, store=slug, before=None).address()

    def address(self) -> str:
        """The list's path with these filters, for links."""
        pairs = [
            (name, value)
            for name, value in vars(self).items()
            if value not in ("", None)
        ]
        return "/orders" + (f"?{urlencode(pairs)}" if pairs else "")


@bp.get("/orders")
def list_orders() -> str:
    filters = Filters.of_request()
    size = config.current().page_size
    meant = stores.beginning(filters.store, MEANT + 1) if filters.store else []
    shop = _meant(filters.store, meant)
    found = [] if filters.store and shop is None else _found(filters, shop, size + 1)
    older = (
        replace(filters, before=found[size - 1].id).address()
        if len(found) > size
        else None
    )
    return render_template(
        "console/orders.html",
        orders=found[:size],
        words={order.id: _words(order) for order in found[:size]},
        stores=stores.by_ids([order.store_id for order in found]),
        offered=meant[:MEANT] or stores.page(MEANT),
        unsure=meant[:MEANT] if shop is None else [],
        known=bool(meant),
        looked_through=orders.LOOKED_THROUGH,
        filters=filters,
        counts=figures.state_counts(),
        stuck=figures.stuck_count(),
        labels=orders.AGENT_LABELS,
        days=DAYS,
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


def _meant(typed: str, found: Sequence[Store]) -> Store | None:
    """The store whose address or name was typed, or the one that begins so; None for none or
    several."""
    exact = [one for one in found if typed.lower() in (one.slug, one.name.lower())]
    if len(exact) == 1 or len(found) == 1:
        return [*exact, *found][0]
    return None


def _words(order: Order) -> orders.Words:
    """As its agent reads it, under the name of its state: by that the list is filtered."""
    return replace(orders.agent_words(order), label=orders.AGENT_LABELS[order.state])


def _order(code: str) -> Order:
    return orders.by_code(code) or abort(
        404, "There is no order with this code. Check it, or search for it."
    )


def _found(
    filters: Filters,
    shop: Store | None,
    limit: int,
) -> Sequence[Order]:
    if filters.q and filters.before is None and (named := orders.by_code(filters.q)):
        return [named]  # in whatever state, store and day it stands
    if filters.q and not (filters.state or filters.day):
        return orders.find_any(
            filters.q, limit, filters.before, shop.id if shop else None
        )
    query = select(Order).order_by(Order.id.desc()).limit(limit)
    return db.session.scalars(query.where(*_conditions(filters, shop))).all()


def _conditions(filters: Filters, shop: Store | None) -> Iterator[ColumnElement[bool]]:
    if filters.state == STUCK:
        yield figures.stuck()
    elif filters.state:
        yield Order.state == filters.state
    if shop is not None:
        yield Order.store_id == shop.id
    if filters.day:
        moment = Order.final_at if filters.day == "ended" else Order.created_at
        yield moment >= clock.accra_midnight()
    if filters.before is not None:
        yield Order.id < filters.before
    if filters.q:
        found = orders.find_any(
            filters.q, SEARCHED, filters.before, shop.id if shop else None
        )
        yield Order.id.in_([order.id for order in found])


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
        "words": _words(order),
        "customer_words": orders.customer_words(order, shop),
        "moments": [_moment(event) for event in orders.timeline(order)],
        "calls": supply.calls(search=order.order_ref),
        "webhooks": webhook_events.of_order(order.order_ref),
        "postings": ledger.postings_of(order.id),
        "kind_text": ledger.KIND_TEXT,
        "cases": cases.of_order(order.id),
        "wait_text": orders.WAIT_TEXT.get(order.wait_reason or ""),
    }
