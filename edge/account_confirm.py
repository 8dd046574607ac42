"""The two pages that ask for one thing and go on: the code of a log-in whose password was right,
and that it is still oneself (`edge.step_up`).

Decides how they are read and answered. What is right is decided in `core.accounts`.
"""

from __future__ import annotations

from flask import flash, g, redirect, render_template, request
from flask_login import current_user

from core.accounts import logins, second_steps
from core.base.text_input import own_path
from edge import step_up
from edge.account_pages import Answer, layout, to_log_in, typed
from edge.entrance import CODE_PATH, Asked

WRONG = "This is not your password. Check it and try again."
TOO_LATE = "Log in again: the code was not typed in time."


def show_code_form() -> Answer:
    """Asks for the code; for who has given the right password here a moment ago."""
    if current_user.is_authenticated:
        return redirect("/", 303)
    if g.entrance.pending() is None:
        return to_log_in(TOO_LATE, "waiting")
    return _code_page(None)


def give_code() -> Answer:
    """Begin the session, when the code is right."""
    pending = g.entrance.pending()
    if pending is None:
        return to_log_in(TOO_LATE, "waiting")
    asked = g.entrance.ask_code(pending.person, typed("code"))
    if asked.person is None:
        return _code_page(asked.sentence), asked.status, asked.headers
    g.entrance.enter(pending.person, pending.store_id, own_device=pending.own_device)
    if asked.sentence:
        flash(asked.sentence, "waiting")
    return redirect(own_path(pending.target) or "/", 303)


def show_confirm_form() -> Answer:
    """Asks that it is still oneself."""
    if current_user.is_fresh:
        return redirect(_next(), 303)
    return _confirm_page(None)


def confirm() -> Answer:
    """Take the answer. It counts for this log-in, and for a while."""
    asked = _answer()
    if asked.person is None:
        return _confirm_page(asked.sentence), asked.status, asked.headers
    logins.confirm(current_user.token)
    if asked.sentence:
        flash(asked.sentence, "waiting")
    return redirect(_next(), 303)


def _answer() -> Asked:
    """By a code of who has a second step, so that a password alone is never enough."""
    person = current_user.user
    if second_steps.is_on(person.id):
        found: Asked = g.entrance.ask_code(person, typed("code"))
        return found
    asked: Asked = g.entrance.ask(person.email, typed("password"), WRONG)
    if asked.person is not None and asked.person.id != person.id:
        return Asked(None, WRONG)
    return asked


def _code_page(problem: str | None) -> str:
    return render_template(
        "account/code.html", layout=layout(), problem=problem, path=CODE_PATH
    )


def _confirm_page(problem: str | None) -> str:
    return render_template(
        "account/confirm.html",
        layout=layout(),
        problem=problem,
        path=step_up.PATH,
        next=_next(),
        by_code=second_steps.is_on(current_user.user.id),
        person=current_user.user,
    )


def _next() -> str:
    return own_path(request.values.get("next")) or "/"
