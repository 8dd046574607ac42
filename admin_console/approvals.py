"""What a list asks of the owner: lines to approve or to leave, one by one or all, and what he wants
to be asked about.

Decides how a press is read and answered. What it does is decided in `core.catalog.approving`.
"""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from admin_console import bp, catalog_pages
from admin_console.auth import needs
from core import catalog
from core.audit import Actor
from core.base import money
from core.base.text_input import row_id

ALL = "all"


@bp.post("/catalogue/approve")
@needs("catalogue")
def approve_costs() -> Response:
    """Approve the line whose button was pressed, or all that the page showed."""
    return _answer(keep=False)


@bp.post("/catalogue/keep")
@needs("catalogue")
def keep_costs() -> Response:
    """Leave one line, or all, as agents have it."""
    return _answer(keep=True)


@bp.post("/catalogue/approval")
@needs("catalogue")
def set_approval() -> Response | tuple[str, int]:
    """Which steps wait for the owner."""
    typed = request.form.get("above", "")[:20]
    by_itself = request.form.get("by_itself") == "1"
    try:
        catalog.set_rules(
            catalog.Rules(by_itself, _basis_points(typed)), Actor.of_login(current_user)
        )
    except catalog.BadShare as bad:
        values = catalog_pages.page_values(None) | {
            "problem_share": bad.sentence,
            "typed_share": typed,
            "typed_by_itself": by_itself,
        }
        return render_template("console/catalogue.html", **values), 422
    flash("Saved. It holds from the next list on.")
    return redirect(url_for(".show_catalogue"), 303)


def _answer(*, keep: bool) -> Response:
    chosen = request.form.get("line", ALL)
    seen = {
        int(name.removeprefix("seen-")): word[:20]
        for name, word in request.form.items()
        if name.startswith("seen-")
        and row_id(name.removeprefix("seen-")) is not None
        and chosen in (ALL, name.removeprefix("seen-"))
    }
    done = (catalog.keep if keep else catalog.approve)(
        seen, Actor.of_login(current_user)
    )
    verb = "left as agents have it" if keep else "approved"
    if done.done:
        flash(
            f"{', '.join(done.done[:5])}{' and more' if len(done.done) > 5 else ''}: {verb}."
        )
    if done.moved_on:
        flash(
            f"{', '.join(done.moved_on[:5])}: nothing done, because it is settled already or a"
            " newer list says something else."
        )
    if not done.done and not done.moved_on:
        flash("Nothing waits for you any more.")
    return redirect(url_for(".show_catalogue"), 303)


def _basis_points(typed: str) -> int:
    """`3`, `3.5`, `3 %` as hundredths of a percent. Raises `catalog.BadShare`."""
    try:
        share = money.parse_percent(typed)
    except money.BadAmount:
        raise catalog.BadShare from None
    if share > catalog.steps.MOST_BP:
        raise catalog.BadShare
    return share
