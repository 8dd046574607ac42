"""Confirming a phone number and an e-mail address, by a code that was sent there.

Decides what the page says. How often a code may be sent and tried is decided in
`core.accounts.confirmations`.
"""

from __future__ import annotations

from flask import abort, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from agent_portal import bp
from agent_portal.auth import actor
from core.accounts import confirmations, people
from core.accounts.confirmations import CodeRefused
from core.accounts.users import User
from core.audit import Actor
from core.base import messages, phones
from core.base.messages import Kind
from core.base.refusal import Refusal
from core.base.text_input import one_line

LATER = {"Retry-After": "86400"}


@bp.get("/confirm/<kind>")
def show_confirm(kind: str) -> ResponseReturnValue:
    """Where a code is typed, or asked for."""
    return _page(_kind(kind), {})


@bp.post("/confirm/<kind>")
def confirm(kind: str) -> ResponseReturnValue:
    """Take the code."""
    what = _kind(kind)
    try:
        confirmations.confirm(
            current_user.user.id, what, request.form.get("code", ""), actor()
        )
    except CodeRefused as refusal:
        if not _is_confirmed(what):
            return _page(what, {"code": refusal.sentence}), 422
    flash(f"Your {confirmations.NAMES[what]} is confirmed.")
    return redirect(url_for(".home"), 303)


@bp.post("/confirm/<kind>/send")
def send_code(kind: str) -> ResponseReturnValue:
    """Send a code to the address that is typed."""
    what = _kind(kind)
    typed = one_line(request.form.get("address", ""), 300)
    try:
        address = phones.parse(typed) if what == "phone" else people.check_email(typed)
        if "slow_down_s" in g:
            return _page(what, {"address": too_many_codes(what)}, typed), 429, LATER
        confirmations.send(current_user.user.id, what, address, actor())
        g.code_sent = True
    except Refusal as refusal:
        if _is_confirmed(what):
            return redirect(url_for(".show_confirm", kind=what), 303)
        return _page(what, {"address": refusal.sentence}, typed), 422
    flash("The code is on its way. Type it here.")
    return redirect(url_for(".show_confirm", kind=what), 303)


def send_first(user: User, phone: str) -> None:
    """The first code, right after signing up. When it cannot be sent the list on the home page
    says how to go on."""
    if not messages.can_send():
        return
    if "slow_down_s" in g:
        flash(too_many_codes("phone"), "waiting")
        return
    try:
        confirmations.send(user.id, "phone", phone, Actor("agent", user.name, user.id))
        g.code_sent = True
    except (CodeRefused, messages.NotSent) as refusal:
        flash(refusal.sentence, "waiting")


def too_many_codes(kind: Kind) -> str:
    """Said when one address was sent as many codes in a day as it may be."""
    what = confirmations.NAMES[kind]
    return f"Too many codes were sent to this {what} today. Ask again tomorrow."


def _page(kind: Kind, problems: dict[str, str], typed: str | None = None) -> str:
    row = confirmations.of_person(current_user.user.id, kind)
    address = row.address if row is not None else ""
    shown = phones.show(address) if kind == "phone" and address else address
    return render_template(
        "portal/confirm.html",
        kind=kind,
        what=confirmations.NAMES[kind],
        row=row,
        shown=shown,
        typed=" ".join(shown.split()) if typed is None else typed,
        problems=problems,
        can_send=messages.can_send(),
        digits=confirmations.DIGITS,
    )


def _kind(kind: str) -> Kind:
    if kind not in confirmations.NAMES:
        abort(404)
    return kind


def _is_confirmed(kind: Kind) -> bool:
    row = confirmations.of_person(current_user.user.id, kind)
    return row is not None and row.confirmed_at is not None
