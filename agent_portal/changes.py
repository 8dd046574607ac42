"""What bundles cost the agent now and before: a page with one press to keep the margin on all of
them, or on one.

Decides how the press is read. Leaves the arithmetic, and refusing figures that have moved, to
`core.catalog.margins`.
"""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from agent_portal import bp
from agent_portal.auth import actor, needs
from core import catalog
from core.base.text_input import row_id

MOST_NAMED = 5


@bp.get("/prices/changes")
def price_changes() -> ResponseReturnValue:
    """Before and after, by bundle."""
    return render_template("portal/changes.html", changes=catalog.price_changes())


@bp.post("/prices/changes")
@needs("owner")
def keep_margins() -> ResponseReturnValue:
    """Keep the margin, or leave the prices, of the bundles the page showed; `line` names one of
    them alone."""
    chosen = request.form.get("line", "all")
    seen = {}
    for name, value in request.form.items():
        bundle, cost = (
            row_id(name.removeprefix("seen-")) if name.startswith("seen-") else None,
            row_id(value),
        )
        if bundle is not None and cost is not None and chosen in ("all", str(bundle)):
            seen[bundle] = cost
    leave = request.form.get("do") == "leave"
    done = (catalog.leave_prices if leave else catalog.keep_margins)(seen, actor())
    if done.saved:
        what = "left as they are" if leave else "moved, your profit is as before"
        flash(f"{_named(done.saved)}: {what}.")
    if done.stale:
        flash(
            f"{_named(done.stale)}: nothing done, because it was done already or the cost has moved"
            " again."
        )
    if not done.saved and not done.stale:
        flash("Nothing was changed.")
    return redirect(
        url_for(".price_changes" if catalog.price_changes() else ".prices"), 303
    )


def _named(names: list[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
