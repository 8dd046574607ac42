"""The link of an invitation: what it leads to, and how one comes in by it, with a log-in that is
there or a new one.

Decides how the forms are read and answered. Whom a link lets in is decided in
`core.accounts.invitations`.
"""

from __future__ import annotations

from flask import flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from agent_portal import bp
from agent_portal.people import LONGEST_TYPED, ROLES
from core.accounts import invitations, people
from core.accounts.invitations import Asked
from core.base import hashing, phones
from core.base.text_input import one_line

SLOW_DOWN = "Too many tries from your connection. Wait an hour, then try again."

TWICE = "Did you press twice? Then you are in already."
LOG_IN = "Log in with what you have just typed."


@bp.get("/join/<token>")
def show_invitation(token: str) -> ResponseReturnValue:
    """What the link leads to. Opening it does not use it up: messengers open links to show a
    preview."""
    try:
        asked = invitations.asked(token)
    except invitations.Gone as gone:
        return _gone(gone)
    return _page(asked, token, {})


@bp.post("/join/<token>")
def join(token: str) -> ResponseReturnValue:
    """Come in."""
    try:
        asked = invitations.asked(token)
        if current_user.is_authenticated:
            return _join_as_oneself(token)
        return _join_anew(asked, token)
    except invitations.Gone as gone:
        is_in = current_user.is_authenticated
        return _gone(gone, TWICE if is_in else f"{TWICE} {LOG_IN}")


def _join_as_oneself(token: str) -> ResponseReturnValue:
    try:
        store = invitations.join(token, current_user.user.id)
    except invitations.Inside as refusal:
        flash(f"Nothing was changed. {refusal.sentence}", "waiting")
        return redirect(url_for(".home"), 303)
    except people.PersonRefused:  # removed in the same moment
        g.entrance.leave()
        return redirect(url_for(".login"), 303)
    g.entrance.work_in(store.id)
    return _welcome(store.name)


def _join_anew(asked: Asked, token: str) -> ResponseReturnValue:
    form = request.form
    typed = {
        name: one_line(form.get(name, ""), LONGEST_TYPED) for name in ("name", "log_in")
    }
    if g.get("over_limit") == "joins":
        g.refused_as = 429
        page = _page(asked, token, {"log_in": SLOW_DOWN}, typed)
        return page, 429, {"Retry-After": "3600"}
    password = form.get("password", "")[: 4 * LONGEST_TYPED]
    try:
        user, store = invitations.join_anew(
            token, typed["name"], typed["log_in"], password
        )
    except invitations.Taken as refusal:
        g.log_in_asked = True
        return _page(asked, token, refusal.by_field, typed), 422
    except invitations.Problems as refusal:
        return _page(asked, token, refusal.by_field, typed), 422
    except hashing.Busy as busy:
        page = _page(asked, token, {"password": busy.sentence}, typed)
        return page, 503, {"Retry-After": str(busy.wait_s)}
    g.entrance.enter(user, store.id, own_device=True)
    return _welcome(store.name)


def _welcome(store_name: str) -> ResponseReturnValue:
    flash(f"Welcome: you work in {store_name} now.")
    return redirect(url_for(".home"), 303)


def _gone(gone: invitations.Gone, more: str = "") -> ResponseReturnValue:
    flash(f"{gone.sentence} {more}".strip(), "stopped")
    to = ".home" if current_user.is_authenticated else ".login"
    return redirect(url_for(to), 303)


def _page(
    asked: Asked,
    token: str,
    problems: dict[str, str],
    typed: dict[str, str] | None = None,
) -> str:
    address = asked.invitation.address
    log_in = phones.local(address) if address.startswith("+") else address
    first = {"name": asked.invitation.name, "log_in": log_in}
    return render_template(
        "portal/join.html",
        asked=asked,
        does=ROLES[asked.invitation.role],
        problems=problems,
        typed=typed or first,
        here_path=f"/join/{token}",
    )
