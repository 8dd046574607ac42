"""The queue of orders: its tabs, its search, and how many came in since.

Leaves which orders a tab holds to `core.orders`; presses are read in `pressing` and `selecting`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import Any

from flask import abort, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from agent_portal import bp, standing
from agent_portal.auth import may
from core import orders, queue_view
from core.base import clock, config, tenancy, text_input
from core.base.text_input import row_id
from core.orders import Order, filtering
from core.orders.filtering import Filter
from core.queue_view import QueueView

TABS = {
    "new": "New",
    "paid": "Paid",
    "processing": "Processing",
    "late": "Late",
    "failed": "Failed",
    "missing": "Not received",
    "back": "Give back",
    "done": "Done",
    "all": "All",
}
SHOWN_WHEN_FULL = ("paid", "missing")
"""Tabs that stay away while nothing stands in them."""
OF_NEW = ("new", "paid")
"""Tabs of orders that may be processed."""
NEWS_EVERY_S = 10


@bp.get("/orders")
def queue() -> ResponseReturnValue:
    """One tab of the queue, or what a search finds in all of them; tab, search and page live in the
    address."""
    tab = request.args.get("tab", "new")
    before = row_id(request.args.get("before"))
    if tab not in TABS:
        return redirect(url_for(".queue"), 303)
    search = text_input.one_line(request.args.get("q", ""), orders.LONGEST_PASTED)
    only = filtering.EVERY if search else filtering.read(request.args)
    view = _view(search, tab, before, only)
    page = view.page
    standing.keep(view.stands)
    kept, pressed, deed = _kept_press()
    more = page.next_before
    of_tab = {"tab": tab, **only.asked}
    shown: dict[str, Any] = {"q": search} if search else of_tab
    here = partial(url_for, ".queue", **shown)
    is_cashier = may("cashier")
    return render_template(
        "portal/orders.html",
        tab="" if search else tab,
        tabs=TABS,
        shown_when_full=SHOWN_WHEN_FULL,
        choose=is_cashier and (search or tab in OF_NEW),
        tab_of=orders.tab_of,
        counts=view.stands.counts,
        search=search,
        only=only,
        many=is_cashier and not search and tab in OF_NEW,
        filter=url_for(".filter_form", **of_tab),
        all=url_for(".all_of_them", **of_tab),
        file=url_for(".orders_file", **shown),
        looked_at=filtering.LOOKED_AT,
        page=page,
        newest=view.stands.newest_id,
        news_ms=round(clock.seconds(NEWS_EVERY_S) * 1000),
        look=orders.agent_look,
        kept=kept,
        pressed=pressed,
        deed=deed,
        ticked=_ticked_before(page.orders, kept),
        back=request.full_path.rstrip("?"),
        settings=config.current(),
        longest=orders.LONGEST_PASTED,
        looked_through=orders.LOOKED_THROUGH,
        first=here() if before else None,
        more=here(before=more) if more else None,
        held=view.held,
        **standing.notes(view.stands.now),
    )


def _ticked_before(shown: Sequence[Order], kept: list[str] | None) -> list[str]:
    """Of the orders on a page, those whose ticks were kept and that may still be pressed."""
    return [
        order.code
        for order in shown
        if order.code in (kept or ()) and order.state == "pending"
    ]


def _view(search: str, tab: str, before: int | None, only: Filter) -> QueueView:
    store_id = tenancy.current_store_id()
    if search:
        return queue_view.of_search(store_id, search, before)
    return queue_view.of_tab(store_id, tab, before, only)


@bp.get("/orders/news")
def news() -> ResponseReturnValue:
    """How many orders came in since the queue was drawn: a bar to press, never rows that move."""
    since = row_id(request.args.get("since"))
    if since is None:
        abort(400, "This page asked for news without saying since when.")
    count = orders.newer_than(since)
    if count:
        return render_template("portal/_news.html", count=count)
    return ("", 204)


def _kept_press() -> tuple[list[str] | None, Order | None, str]:
    """A press that came after its log-in had ended: its ticks (None when there was none), and of
    one row's press the order and what was pressed. They are shown, never used.
    """
    form = g.kept.take("/orders/([^/]+/)?(process|undo|cancel)")
    if form is None:
        return None, None, ""
    ticks = list(dict.fromkeys(form.getlist("order")))
    row = re.fullmatch(r"/orders/([^/]+)/(process|undo)", g.kept.path)
    if row is None:
        return ticks, None, ""
    code = row[1]
    deed = row[2]
    return ticks, orders.by_code(code), deed
