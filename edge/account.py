"""One's own log-in, the same in portal and console: password, sessions, log out elsewhere and
everywhere, and one-time reset links.

Decides nothing about passwords and access: `core.accounts.people`, `core.accounts.resets`,
`core.accounts.users` do. The second step is in `account_second_step`, what is asked for on the way
in `account_confirm`. The pages carry the names of the room they stand in, so that the room's own
guard and the words of its templates hold for them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask, flash, g, redirect, render_template, request
from flask_login import current_user, login_user

from core.accounts import (
    logins,
    new_devices,
    people,
    resets,
    second_steps,
    sessions,
    users,
)
from core.audit import Actor
from core.base import passwords
from edge import account_confirm, step_up
from edge import account_second_step as second
from edge.account_pages import NAMES, Answer, layout, leave, to_log_in, typed
from edge.entrance import CODE_PATH

_KEY_CHARS = 16
"""Of a session's hash, to name it among its person's few."""

WRONG = "This is not your present password. Check it and try again."
DIFFERENT = "The two new passwords are not the same. Type the new one twice."
UNCHANGED = "This is your present password. Choose another one."


def install(app: Flask) -> None:
    """Give both rooms the pages. After the rooms are registered."""
    pages: list[tuple[str, str, str, Callable[..., Any]]] = [
        ("GET", "/account/password", "show_password_form", show_password_form),
        ("POST", "/account/password", "change_password", change_password),
        ("GET", "/account/sessions", "show_sessions", show_sessions),
        ("POST", "/account/sessions/end", "end_session", end_session),
        ("POST", "/account/devices/seen", "saw_devices", saw_devices),
        ("POST", "/account/log-out-elsewhere", "log_out_elsewhere", log_out_elsewhere),
        (
            "POST",
            "/account/log-out-everywhere",
            "log_out_everywhere",
            log_out_everywhere,
        ),
        ("GET", CODE_PATH, "show_code_form", account_confirm.show_code_form),
        ("POST", CODE_PATH, "give_code", account_confirm.give_code),
        ("GET", step_up.PATH, "show_confirm_form", account_confirm.show_confirm_form),
        ("POST", step_up.PATH, "confirm_self", account_confirm.confirm),
        ("GET", second.PATH, "show_second_step", second.show_second_step),
        ("POST", second.PATH, "begin_second_step", second.begin_second_step),
        ("POST", f"{second.PATH}/first", "first_code", second.confirm_second_step),
        ("POST", f"{second.PATH}/codes", "new_codes", second.new_codes),
        ("POST", f"{second.PATH}/off", "end_second_step", second.end_second_step),
        ("GET", "/reset/<token>", "show_reset_form", show_reset_form),
        ("POST", "/reset/<token>", "use_reset_link", use_reset_link),
    ]
    for room, name in NAMES.items():
        for method, path, word, view in pages:
            app.add_url_rule(
                path, f"{name}.{word}", view, subdomain=room, methods=[method]
            )


def show_password_form() -> Answer:
    return _password_page({})


def change_password() -> Answer:
    """The present password is asked for, and counted like a log-in: an open browser must not be a
    place to guess."""
    present = typed("present_password")
    new = typed("new_password")
    if not passwords.is_same(new, typed("new_password_again")):
        return _password_page({"new_password_again": DIFFERENT}), 422
    asked = g.entrance.ask(current_user.user.email, present, WRONG)
    person = asked.person
    if person is None:
        page = _password_page({"present_password": asked.sentence})
        return page, asked.status, asked.headers
    if person.id != current_user.user.id:
        return _password_page({"present_password": WRONG}), 422
    if users.verify(person, new):
        return _password_page({"new_password": UNCHANGED}), 422
    try:
        token = people.set_password(
            person.id,
            new,
            Actor.of_login(current_user),
            action="change_password",
            keep=current_user.token,
        )
    except passwords.BadPassword as refusal:
        return _password_page({"new_password": refusal.sentence}), 422
    except people.PersonRefused as refusal:  # removed in the same moment
        return leave(refusal.sentence)
    login = logins.login_of(token, current_user.door) if token else None
    if login is None:  # logged out elsewhere in the same moment
        return leave("Your password is changed. Log in with the new one.")
    login_user(login)
    # the change has forgotten every device, this one too
    g.entrance.know_device(person)
    flash("Your password is changed. Everywhere else you are logged out.")
    return redirect("/account/sessions", 303)


def show_sessions() -> Answer:
    """Where one is logged in, at both doors, this browser first told apart."""
    rows = [
        (row, row.token_hash[:_KEY_CHARS], row.token_hash == current_user.token_hash)
        for row in _sessions()
    ]
    return render_template(
        "account/sessions.html",
        layout=layout(),
        rows=rows,
        new=new_devices.told(current_user.user.id, g.device_token),
        limits=[_long(one) for one in sessions.limits_s(current_user.own_device)],
        second=second_steps.standing(current_user.user),
    )


def end_session() -> Answer:
    """End one of one's own sessions; any other is unknown, and one that ended already is no
    error."""
    key = request.form.get("session", "")
    for row in _sessions():
        if row.token_hash[:_KEY_CHARS] == key:
            logins.end_session(row.token_hash)
            if row.token_hash == current_user.token_hash:
                return leave("You are logged out here.")
            flash("That device is logged out.")
            break
    else:
        flash("That device was logged out already.", "waiting")
    return redirect("/account/sessions", 303)


def saw_devices() -> Answer:
    """The person has seen what they were told of new devices."""
    new_devices.seen(current_user.user.id, g.device_token)
    return redirect("/account/sessions", 303)


def log_out_elsewhere() -> Answer:
    """End every log-in of this person but this one."""
    try:
        token = people.log_out_everywhere(
            current_user.user.id, Actor.of_login(current_user), keep=current_user.token
        )
    except people.PersonRefused as refusal:
        return leave(refusal.sentence)
    login = logins.login_of(token, current_user.door) if token else None
    if login is None:  # logged out elsewhere in the same moment
        return leave("You are logged out everywhere. Log in again here.")
    login_user(login)
    # the devices were forgotten with the log-ins, this one too
    g.entrance.know_device(login.user)
    flash("You are logged out everywhere else.")
    return redirect("/account/sessions", 303)


def log_out_everywhere() -> Answer:
    """End every log-in of this person, this one too: somebody else may be using one of them."""
    try:
        people.log_out_everywhere(current_user.user.id, Actor.of_login(current_user))
    except people.PersonRefused as refusal:
        return leave(refusal.sentence)
    return leave("You are logged out everywhere. Log in again here.")


def show_reset_form(token: str) -> Answer:
    """The form of a reset link. Opening it does not use the link up: messengers open links to
    show a preview."""
    try:
        person = resets.person_of(token, g.entrance.door)
    except resets.Gone as gone:
        return to_log_in(gone.sentence, "stopped")
    return _reset_page(person, {})


def use_reset_link(token: str) -> Answer:
    """Set the password, once. Nobody is logged in by it: the new password is typed at the
    log-in."""
    new = typed("new_password")
    try:
        person = resets.person_of(token, g.entrance.door)
        if not passwords.is_same(new, typed("new_password_again")):
            return _reset_page(person, {"new_password_again": DIFFERENT}), 422
        resets.use(token, g.entrance.door, new)
    except resets.Gone as gone:
        return to_log_in(gone.sentence, "stopped")
    except passwords.BadPassword as refusal:
        return _reset_page(person, {"new_password": refusal.sentence}), 422
    return leave("Your new password is set. Log in with it.")


def _password_page(problems: dict[str, str]) -> str:
    person = current_user.user
    return render_template(
        "account/password.html",
        layout=layout(),
        problems=problems,
        person=person,
        rules=_rules(person),
    )


def _reset_page(person: users.User, problems: dict[str, str]) -> str:
    return render_template(
        "account/reset.html",
        layout=layout(),
        problems=problems,
        person=person,
        rules=_rules(person),
    )


def _rules(person: users.User) -> str:
    least = passwords.least_of(person.platform_role)
    return (
        f"At least {least} characters, blanks too. Three or four words that do not belong together"
        " are best."
    )


def _sessions() -> list[sessions.LoginSession]:
    return logins.logins_of(current_user.user.id)


def _long(seconds: int) -> str:
    """A length of time in the largest unit that it fills: `30 minutes`, `12 hours`, `7 days`."""
    for unit_s, word in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds % unit_s == 0:
            count = seconds // unit_s
            return f"{count} {word}" if count == 1 else f"{count} {word}s"
    return f"{seconds} seconds"
