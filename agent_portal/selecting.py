"""A press on a selection of the queue: process the orders, or take that back; one result a row.

Decides how a selection is read and answered. Leaves whether it may happen, and what it costs, to
`core.orders`.
"""

from __future__ import annotations

from collections.abc import Callable

from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from agent_portal import bp, results
from agent_portal.auth import access_no, actor, needs
from core import ledger, orders
from core.base import config
from core.base.text_input import own_path

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


@bp.post("/orders/process")
@needs("cashier")
def process_many() -> ResponseReturnValue:
    """Process a selection: one result a row, the good ones are not held up by the others."""
    words = dict(WORDS)
    titles = dict(TITLES)
    undo_s = config.current().undo_s
    if undo_s:
        words["moved"] = "going"
        titles["moved"] = (
            f"Pressed: each goes after {undo_s} s, until then it can be undone."
        )
    verb = lambda codes: orders.process_many(
        codes, actor(), access_no(), past_short="past_short" in request.form
    )
    return _press_many(
        verb, words, titles, nothing="Nothing was sent", undo=bool(undo_s)
    )


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
        "portal/processed.html",
        undo=undo,
        groups=groups,
        rows=results.on_their_way(groups) if undo else [],
        look=orders.agent_look,
        held={},
        first_s=config.current().undo_s + 2,
        back=back,
        wallet=ledger.wallet(),
        amount="agent_price_pesewas",
        heading=results.heading(found, words),
    )
    return page, (200 if any(result.ok for result in found) else 409)


def selected() -> tuple[list[str], str]:
    """The codes ticked in the queue, each once, and a sentence when they are none or too many."""
    ticked = (code.strip() for code in request.form.getlist("order"))
    codes = list(dict.fromkeys(code for code in ticked if code))
    most = config.current().process_many
    if not codes:
        return codes, "Select at least one order first."
    if len(codes) > most:
        return codes, f"Select at most {most} orders at a time."
    return codes, ""


def not_begun(
    nothing: str,
    problem: str,
    back: str,
) -> ResponseReturnValue:
    """Go back to the page where the selection was made; that page says once why it cannot be
    used."""
    flash(f"{nothing}. {problem}", "stopped")
    return redirect(back, 303)
