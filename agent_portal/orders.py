"""The queue and the order page: look, process one or many, cancel, ask again.

Decides how an agent's press is read and answered. Leaves whether it may happen, and what it costs,
to `core.orders`.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from urllib.parse import urlencode

from flask import abort, flash, g, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from agent_portal import bp, history, results, standing
from agent_portal.auth import access_no, actor, may, needs
from core import availability, ledger, orders
from core.audit import Actor
from core.base import clock, config, money, phones, text_input
from core.base.text_input import own_path, row_id
from core.orders import Order
from core.orders.held_up import Held

TABS = {
    "new": "New",
    "processing": "Processing",
    "late": "Late",
    "failed": "Failed",
    "back": "Give back",
    "done": "Done",
}
NEWS_EVERY_S = 10
WORDS = {
    "moved": "sent",
    "before": "already in line",
    "over": "over already",
    "short": "short of money",
} | dict.fromkeys(("refused", "busy"), "not sent")
TITLES = {
    "before": "In line or on their way already: nothing was sent again.",
    "over": "Over already: nothing was sent.",
}
"""What the page says of a whole group; the others say it in their own words."""
_REFUSED = "refused"
"""What the session holds between a press that was refused and its order's page; also that page's
anchor for it."""


@bp.get("/orders")
def queue() -> ResponseReturnValue:
    """One tab of the queue, or what a search finds in all of them; tab, search and page live in the
    address."""
    tab, before = request.args.get("tab", "new"), row_id(request.args.get("before"))
    if tab not in TABS:
        return redirect(url_for(".queue"), 303)
    search = text_input.one_line(request.args.get("q", ""), orders.LONGEST_PASTED)
    newest = newest_id()  # before the list: what comes in between is news, never lost
    page = orders.search(search, before) if search else orders.queue(tab, before)
    kept, pressed, deed = _kept_press()
    stands = standing.notes()
    more = page.next_before
    here = partial(url_for, ".queue", tab=None if search else tab, q=search or None)
    return render_template(
        "portal/orders.html", tab="" if search else tab, tabs=TABS, tab_of=orders.tab_of,
        counts=orders.tab_counts(), search=search, page=page, newest=newest,
        news_ms=round(clock.seconds(NEWS_EVERY_S) * 1000), words=orders.agent_words,
        kept=kept, pressed=pressed, deed=deed,
        ticked=[
            order.code
            for order in page.orders
            if kept and order.code in kept and order.state == "pending"
        ],
        back=request.full_path.rstrip("?"), settings=config.current(),
        longest=orders.LONGEST_PASTED,
        first=here() if before else None,
        more=here(before=more) if more else None,
        held=orders.held_up.on_page(page.orders, stands["now"]), **stands,
    )  # fmt: skip


@bp.get("/orders/news")
def news() -> ResponseReturnValue:
    """How many orders came in since the queue was drawn: a bar to press, never rows that move."""
    since = row_id(request.args.get("since"))
    if since is None:
        abort(400, "This page asked for news without saying since when.")
    count = orders.newer_than(since)
    return render_template("portal/_news.html", count=count) if count else ("", 204)


@bp.get("/orders/<code>")
def show_order(code: str) -> ResponseReturnValue:
    """Everything about one order; after a press that was refused, why, once; after one that came
    after its log-in had ended, what was chosen.
    """
    order = _order(code)
    orders.watch(order)
    kept = g.kept.take(rf"/orders/{order.code}/(give-back|reprice)")
    return render_template(
        "portal/order.html", kept=kept, **_as_refused(order), **_live(order)
    )


@bp.get("/orders/<code>/status")
def order_status(code: str) -> ResponseReturnValue:
    """The live part of the order page: 204 while what it was drawn from has not changed."""
    order = _order(code)
    orders.watch(order)
    seen = {
        name: request.args.get(name, mark) for name, mark in drawn_from(order).items()
    }
    if "v" in request.args and seen == drawn_from(order):
        return "", 204
    return render_template("portal/_order_live.html", oob=True, **_live(order))


@bp.post("/orders/<code>/process")
@needs("cashier")
def process(code: str) -> ResponseReturnValue:
    """Send one order to the supplier's line. Pressed twice it is still sent once."""
    verb = lambda code, actor: orders.process(code, actor, access_no())
    undo_s = config.current().undo_s
    said = "{bundle} to {number} is in line. {cost} is set aside in your wallet."
    return press(
        verb,
        code,
        (
            f"{{bundle}} to {{number}} goes in {undo_s} s. Until then you can undo it."
            if undo_s
            else said
        ),
    )


@bp.post("/orders/<code>/undo")
@needs("cashier")
def undo(code: str) -> ResponseReturnValue:
    """Take a press back before it has gone. Undone twice it is undone once."""
    verb = lambda code, actor: orders.undo(code, actor, request.form.get("press"))
    return press(verb, code, "Undone: {bundle} to {number} was not sent.")


@bp.get("/orders/<code>/row")
def order_row(code: str) -> ResponseReturnValue:
    """One row of the queue as it is now: a pressed one asks for it once it has gone."""
    return _row(_order(code))


@bp.post("/orders/<code>/recheck")
@needs("cashier")
def recheck(code: str) -> ResponseReturnValue:
    """Ask the supplier again soon; the page shows what comes back."""
    return press(
        orders.request_look,
        code,
        "Asking the supplier about {bundle} to {number}. The answer shows here.",
    )


@bp.post("/orders/process")
@needs("cashier")
def process_many() -> ResponseReturnValue:
    """Process a selection: one result a row, the good ones are not held up by the others."""
    words = WORDS | ({"moved": "going"} if config.current().undo_s else {})
    verb = lambda codes: orders.process_many(
        codes, actor(), access_no(), past_short="past_short" in request.form
    )
    undo_s = config.current().undo_s
    titles = TITLES | (
        {"moved": f"Pressed: each goes after {undo_s} s, until then it can be undone."}
        if undo_s
        else {}
    )
    return _press_many(
        verb, words, titles, nothing="Nothing was sent", undo=bool(undo_s)
    )


def _kept_press() -> tuple[list[str] | None, Order | None, str]:
    """A press that came after its log-in had ended: its ticks (None when there was none), and of
    one row's press the order and what was pressed. They are shown, never used.
    """
    form = g.kept.take("/orders/([^/]+/)?(process|undo|cancel)")
    if form is None:
        return None, None, ""
    row = re.fullmatch(r"/orders/([^/]+)/(process|undo)", g.kept.path)
    pressed = orders.by_code(row[1]) if row else None
    return list(dict.fromkeys(form.getlist("order"))), pressed, row[2] if row else ""


@bp.post("/orders/undo")
@needs("cashier")
def undo_many() -> ResponseReturnValue:
    """Take back the presses of a selection, each that has not gone yet."""
    words = {"moved": "undone", "before": "undone before"} | dict.fromkeys(
        ("over", "refused", "busy", "short"), "gone already"
    )
    return _press_many(
        lambda codes: orders.undo_many(codes, actor()),
        words,
        {},
        nothing="Nothing was undone",
    )


def _press_many(
    verb: Callable[[list[str]], list[orders.RowResult]],
    words: dict[str, str],
    titles: dict[str, str],
    *,
    nothing: str,
    undo: bool = False,
) -> ResponseReturnValue:
    """Do `verb` to the ticked orders and show a result for each. 404 when none of them is of this
    store."""
    codes, problem = selected()
    back = own_path(request.form.get("back")) or url_for(".queue")
    if problem:
        return not_begun(nothing, problem, back)
    if not orders.by_codes(codes):
        abort(404)
    found = verb(codes)
    groups = results.groups(found, "agent_price_pesewas", titles)
    page = render_template(
        "portal/processed.html", undo=undo, groups=groups,
        rows=results.on_their_way(groups) if undo else [],
        words=orders.agent_words, held={}, first_s=config.current().undo_s + 2, back=back,
        wallet=ledger.wallet(), amount="agent_price_pesewas",
        heading=results.heading(found, words),
    )  # fmt: skip
    return page, (200 if any(result.ok for result in found) else 409)


def selected() -> tuple[list[str], str]:
    """The codes ticked in the queue, each once, and a sentence when they are none or too many."""
    codes = list(
        dict.fromkeys(
            code.strip() for code in request.form.getlist("order") if code.strip()
        )
    )
    most = config.current().process_many
    if not codes:
        return codes, "Select at least one order first."
    return codes, f"Select at most {most} orders at a time." if len(
        codes
    ) > most else ""


def not_begun(nothing: str, problem: str, back: str) -> ResponseReturnValue:
    """Back to where a selection was made that cannot be used, which says why, once."""
    flash(f"{nothing}. {problem}", "stopped")
    return redirect(back, 303)


def _as_refused(order: Order) -> dict[str, object]:
    """What a refused press has to say on this order's page; nothing when it was said, or is about
    another order."""
    found = session.get(_REFUSED)
    if not found or found[0] != order.code:
        return {}
    session.pop(_REFUSED)
    return {"refusal": found[1], "needs_funds": found[2]}


def drawn_from(order: Order) -> dict[str, str]:
    """What the live part was drawn from: version, interval of asking, what stands in its way."""
    every_s = orders.next_poll_s(order)
    held = orders.held_up.for_agent(order, availability.now())
    mark = (
        f"{zlib.crc32(f'{held.sentence} {held.not_sent}'.encode()):x}"
        if held != Held()
        else ""
    )
    return {
        "v": str(order.version),
        "s": "" if every_s is None else f"{every_s:g}",
        "c": mark,
    }


def newest_id() -> int:
    """The id of this store's newest order, 0 when it has none."""
    page = orders.queue("all", limit=1)
    return page.orders[0].id if page.orders else 0


def _live(order: Order) -> dict[str, object]:
    held, new_cost = (
        orders.held_up.for_agent(order, availability.now()),
        orders.price_now(order),
    )
    if new_cost is not None:  # it can be processed, at another price: the page asks
        held = replace(held, sentence="")
    return {
        "order": order, "words": orders.agent_words(order, held), "cannot": held.sentence,
        "person": orders.person_words(order),
        "moments": history.of(order), "new_cost_pesewas": new_cost,
        "every_s": orders.next_poll_s(order), "how": orders.giving_back.HOW,
        "nothing": orders.giving_back.NOTHING,
        "status_url": f"{url_for('.order_status', code=order.code)}?{urlencode(drawn_from(order))}",
    }  # fmt: skip


def press(
    verb: Callable[[str, Actor], Order], code: str, said: str
) -> ResponseReturnValue:
    """One press on one order: do it, then show the order. Refused, its page says why, once.

    The page is led to, never the answer to the post: a reload, or Back, would offer to press again.
    """
    as_row = "row" in request.args
    try:
        order = verb(code, actor())
    except orders.NoSuchOrder:
        abort(404)
    except orders.Refused as refusal:
        order = _order(code)
        if as_row:
            return _row(order, refusal), 409
        session[_REFUSED] = [order.code, *_said(refusal).values()]
        return redirect(url_for(".show_order", code=order.code, _anchor=_REFUSED), 303)
    if as_row:
        return _row(order)
    flash(_told(order, said))
    return redirect(
        own_path(request.form.get("back")) or url_for(".show_order", code=order.code),
        303,
    )


def _said(refusal: orders.Refused | None) -> dict[str, object]:
    return {
        "refusal": refusal and refusal.sentence,
        "needs_funds": isinstance(refusal, orders.InsufficientWallet),
    }


def _row(order: Order, refusal: orders.Refused | None = None) -> str:
    return render_template(
        "portal/_pressed_row.html", order=order, **_said(refusal), words=orders.agent_words,
        counts=orders.tab_counts(), tabs=TABS, tab="" if "found" in request.args else "new",
        tab_of=orders.tab_of,
        choose=may("cashier"), held=orders.held_up.on_page([order], availability.now()),
    )  # fmt: skip


def _told(order: Order, said: str) -> str:
    waits = order.state == "queued" and order.wait_reason
    return (f"{said} It waits: {orders.WAIT_TEXT[waits]}." if waits else said).format(
        bundle=f"{phones.NETWORKS[order.network].name} {order.size_text}",
        number=phones.show(order.recipient_msisdn),
        cost=money.cedis(order.agent_price_pesewas),
    )


def _order(code: str) -> Order:
    """The order of this store; another store's reads the same as none."""
    order = orders.by_code(code)
    if order is None:
        abort(404)
    return order
