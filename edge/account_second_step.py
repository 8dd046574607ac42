"""The pages of one's own second step: set it up, new codes for paper, turn it off.

Decides how they are read and answered; whoever asks has just shown that it is them
(`edge.step_up`). What a code is, is decided in `core.accounts.second_steps`.
"""

from __future__ import annotations

from flask import flash, g, redirect, render_template
from flask_login import current_user, login_user
from markupsafe import Markup

from core.accounts import logins, recovery_codes, second_steps
from core.audit import Actor
from edge.account_pages import Answer, layout, leave, typed

PATH = "/account/second-step"


def show_second_step() -> Answer:
    """How it stands. The secret is shown while it is being set up, to who has just shown that it is
    them."""
    return _page()


def begin_second_step() -> Answer:
    """Make a secret for the phone to read."""
    if answer := _must_confirm():
        return answer
    second_steps.begin(current_user.user.id, _actor())
    return redirect(PATH, 303)


def confirm_second_step() -> Answer:
    """Take the first code, and show the codes for paper, this once. A log-in that is not fresh must
    not see the secret of a set-up that was left half done."""
    if answer := _must_confirm():
        return answer
    person = current_user.user
    try:
        codes, token = second_steps.confirm(
            person.id, typed("code"), _actor(), current_user.token
        )
    except second_steps.CodeRefused as refusal:
        return _page(refusal.sentence), 422
    login = logins.login_of(token, current_user.door) if token else None
    if login is None:  # logged out elsewhere in the same moment
        return leave("Your second step is on. Log in with a code.")
    login_user(login)
    # all were forgotten with the log-ins, this one too
    g.entrance.know_device(person)
    return _codes_page(codes, is_new=True)


def new_codes() -> Answer:
    """Show ten new codes for paper, this once."""
    if answer := _must_confirm():
        return answer
    codes = second_steps.renew_codes(current_user.user.id, _actor())
    if not codes:
        return redirect(PATH, 303)
    return _codes_page(codes)


def end_second_step() -> Answer:
    """The password alone opens the door again."""
    if answer := _must_confirm():
        return answer
    if second_steps.turn_off(current_user.user.id, _actor()):
        flash("Your second step is off: your password alone logs you in now.")
    return redirect(PATH, 303)


def _page(problem: str | None = None) -> str:
    stands = second_steps.standing(current_user.user)
    is_shown = bool(stands.uri) and current_user.is_fresh
    return render_template(
        "account/second_step.html",
        layout=layout(),
        stands=stands,
        is_shown=is_shown,
        qr=_qr(stands.uri) if is_shown else "",
        problem=problem,
        path=PATH,
        paper=recovery_codes.HOW_MANY,
    )


def _codes_page(codes: list[str], *, is_new: bool = False) -> str:
    return render_template(
        "account/codes.html", layout=layout(), codes=codes, is_new=is_new, path=PATH
    )


def _qr(uri: str) -> Markup:
    import segno  # a process that sets none up stays light

    drawn = segno.make(uri, error="m", micro=False).svg_inline(
        omitsize=True, svgclass=None, lineclass=None, border=4, light="#fff"
    )
    return Markup(drawn)  # noqa: S704 - made of numbers only


def _must_confirm() -> Answer | None:
    answer: Answer | None = g.entrance.must_confirm()
    return answer


def _actor() -> Actor:
    return Actor.of_login(current_user)
