"""Opening hours: seven days, and whether orders are taken outside them.

Decides how the form is read and answered. What hours mean is decided in `core.opening_hours`.
"""

from __future__ import annotations

from collections.abc import Mapping

from flask import flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from agent_portal import bp
from agent_portal.auth import actor, may, needs
from core import opening_hours, own_store
from core.base import tenancy
from core.base.text_input import one_line
from core.opening_hours import DAYS, BadHours

PATH = "/store/hours"
USUAL = ("07:00", "21:00")
"""What the form begins with."""
LONGEST_TIME = 20


@bp.get(PATH)
def show_hours() -> ResponseReturnValue:
    """The hours as they are; what was typed when a log-in ended stands in the form again."""
    kept = g.kept.take(PATH) if may("owner") else None
    return _page(_of_form(kept) if kept else _of_store(), {})


@bp.post(PATH)
@needs("owner")
def save_hours() -> ResponseReturnValue:
    """Keep the hours, or none: then the shop is always there."""
    typed = _of_form(request.form)
    is_kept = typed["keeps"] == "yes"
    try:
        hours = opening_hours.read(_spans(typed)) if is_kept else ""
    except BadHours as refusal:
        field = "keeps" if refusal.day is None else f"from-{refusal.day}"
        return _page(typed, {field: refusal.sentence}), 422
    is_closed = is_kept and typed["outside"] == "closed"
    was = request.form.get("was")
    try:
        changed = own_store.set_hours(
            tenancy.current_store_id(), hours, is_closed, actor(), was
        )
    except own_store.SaidOtherwise as refusal:
        return _page(typed, {"keeps": f"{refusal.sentence} {AGAIN}"}), 422
    flash("Saved: your shop says so now." if changed else "Nothing was changed.")
    return redirect(url_for(".show_hours"), 303)


AGAIN = "Save again to have it as you typed."


def _of_form(form: Mapping[str, str]) -> dict[str, str]:
    """The fields as they were sent; a day that is not ticked is off."""
    named = ["keeps", "outside"]
    named += [
        f"{what}-{n}" for n in range(len(DAYS)) for what in ("on", "from", "until")
    ]
    return {name: one_line(form.get(name, ""), LONGEST_TIME) for name in named}


def _of_store() -> dict[str, str]:
    store = g.store
    found = {
        "keeps": "yes" if store.hours else "no",
        "outside": "closed" if store.hours_closed else "taken",
    }
    for n, span in enumerate(opening_hours.spans(store.hours)):
        is_on = span is not None or not store.hours
        begins, ends = span or USUAL
        found |= {
            f"on-{n}": "on" if is_on else "",
            f"from-{n}": begins,
            f"until-{n}": ends,
        }
    return found


def _spans(typed: Mapping[str, str]) -> list[tuple[str, str] | None]:
    return [
        (typed[f"from-{n}"], typed[f"until-{n}"]) if typed[f"on-{n}"] else None
        for n in range(len(DAYS))
    ]


def _page(shown: Mapping[str, str], problems: Mapping[str, str]) -> str:
    return render_template(
        "portal/hours.html",
        shown=shown,
        problems=problems,
        days=DAYS,
        was=own_store.hours_mark(g.store),
        away=opening_hours.away(g.store),
        longest=LONGEST_TIME,
    )
