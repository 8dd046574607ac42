"""Everybody with a log-in: their roles, their stores, and a one-time link for who lost the
password.

Adding and removing people, and their roles, are commands (docs/operate.md); this page shows them. A
link is shown once, to the owner who made it, and how it reaches the person is theirs to choose.
Before it, or the end of somebody's second step, the owner shows that it is them (`edge.step_up`).
"""

from __future__ import annotations

from flask import abort, flash, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from admin_console import bp
from admin_console.auth import needs
from core.accounts import people, resets, second_steps, users
from core.audit import Actor
from core.base import config
from core.base.text_input import one_line


@bp.get("/people")
def list_people() -> str:
    """Everybody by e-mail, a page at a time; `q` finds by e-mail or name."""
    typed = one_line(request.args.get("q", ""), 100)
    after = one_line(request.args.get("after", ""), 254)
    limit = config.current().page_size
    found = people.page(
        after=after,
        typed=typed,
        limit=limit + 1,
    )
    older = (
        url_for(".list_people", q=typed or None, after=found[limit - 1].user.email)
        if len(found) > limit
        else None
    )
    first = url_for(".list_people", q=typed or None) if after else None
    return render_template(
        "console/people.html",
        lines=found[:limit],
        with_second=second_steps.of_people([line.user.id for line in found]),
        typed=typed,
        older=older,
        first=first,
    )


@bp.post("/people/<int(max=999999999999999999):user_id>/second-step-off")
@needs("people")
def end_second_step_of(user_id: int) -> Response:
    """For who has lost phone and paper: the password alone opens their log-in again."""
    user = users.by_id(user_id) or abort(404, "Nobody has this number.")
    if second_steps.turn_off(user.id, Actor.of_login(current_user)):
        flash(
            f"The second step of {user.name} is off: their password alone logs them in now."
        )
    else:
        flash(f"{user.name} has no second step. Nothing was changed.", "waiting")
    return redirect(url_for(".list_people", q=user.email), 303)


@bp.post("/people/<int(max=999999999999999999):user_id>/reset")
@needs("people")
def make_reset_link(user_id: int) -> str:
    """Show a new link, this once. An answer to a POST, so that no address ever shows it again."""
    try:
        made = resets.make(user_id, Actor.of_login(current_user))
    except people.PersonRefused as refusal:
        abort(404, refusal.sentence)
    hours = config.current().reset_link_s / 3_600
    return render_template(
        "console/reset_link.html",
        made=made,
        hours=f"{hours:g}",
    )
