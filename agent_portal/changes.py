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
    """The page of costs that have changed: before and after, by bundle."""
    return render_template("portal/changes.html", changes=catalog.price_changes())


@bp.post("/prices/changes")
@needs("owner")
def keep_margins() -> ResponseReturnValue:
    """Keep the margin, or leave the prices, of the bundles the page showed; `line` names one of
    them alone."""
    leave = request.form.get("do") == "leave"
    verb = catalog.leave_prices if leave else catalog.keep_margins
    done = verb(_seen(request.form.get("line", "all")), actor())
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
    back = ".price_changes" if catalog.price_changes() else ".prices"
    return redirect(url_for(back), 303)


def _seen(chosen: str) -> dict[int, int]:
    """The costs the page showed, by bundle: of all of them, or of the one `chosen` names."""
    seen = {}
    for name, value in request.form.items():
        if not name.startswith("seen-"):
            continue
        bundle = row_id(name.removeprefix("seen-"))
        cost = row_id(value)
        if bundle is None or cost is None:
            continue
        if chosen in ("all", str(bundle)):
            seen[bundle] = cost
    return seen


def _named(names: list[str]) -> str:
    named = ", ".join(names[:MOST_NAMED])
    more = len(names) - MOST_NAMED
    if more > 0:
        return f"{named} and {more} more"
    return named
