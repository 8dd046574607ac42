"""Who works in the store: everybody of it sees them, its owner invites, changes roles and removes.

Decides how a press is read and answered. What may be changed is decided in `core.accounts.staff`
and `core.accounts.invitations`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlencode

from flask import abort, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from agent_portal import bp
from agent_portal.auth import actor, may, needs
from core.accounts import holding, invitations, staff
from core.accounts.invitations import Invitation, Made
from core.base import clock, config, tenancy
from core.base.text_input import one_line, row_id

PATH = "/people"
ROLES = {
    "cashier": "takes, processes and cancels orders, matches payments, asks for money",
    "viewer": "looks at everything, changes nothing",
    "owner": "does everything: prices, what the shop says, people",
}
"""What each may do, in words; the first is the usual one."""
LONGEST_TYPED = 300
SLOW_DOWN = "Too many invitations from your connection. Wait an hour, then try again."


@dataclass
class Invite:
    """The form, as it was typed."""

    name: str = ""
    address: str = ""
    role: str = "cashier"
    problems: dict[str, str] = field(default_factory=dict)


@contextmanager
def _still_owner() -> Iterator[None]:
    """Answer who was removed while their press was under way."""
    try:
        yield
    except holding.NoOwner as refusal:
        abort(403, refusal.sentence)


@bp.get(PATH)
def show_people() -> ResponseReturnValue:
    """Everybody of the store, and for its owner the invitations that are open."""
    kept = g.kept.take(rf"{PATH}(/[0-9]+/(role|remove))?") if may("owner") else None
    if kept is None:
        return _page(Invite())
    member = re.match(rf"{PATH}/([0-9]+)/", g.kept.path)
    if member is None:
        return _page(_typed(kept))
    return _page(Invite(), (int(member[1]), kept.get("role", "")))


@bp.post(PATH)
@needs("owner")
@_still_owner()
def invite() -> ResponseReturnValue:
    """Show a new link, this once. An answer to a POST, so that no address ever shows it again."""
    typed = _typed(request.form)
    if g.get("over_limit") == "invitations":
        g.refused_as = 429
        typed.problems = {"name": SLOW_DOWN}
        return _page(typed), 429, {"Retry-After": "3600"}
    try:
        made = invitations.make(
            tenancy.current_store_id(), typed.name, typed.address, typed.role, actor()
        )
    except invitations.Problems as refusal:
        typed.problems = refusal.by_field
        return _page(typed), 422
    return render_template(
        "portal/invitation.html",
        made=made,
        words=_words(made),
        chat=_chat(made),
        does=ROLES[made.invitation.role],
        days=f"{config.current().invitation_s / 86_400:g}",
    )


@bp.post(f"{PATH}/invitations/<invitation_id>/withdraw")
@needs("owner")
@_still_owner()
def withdraw_invitation(invitation_id: str) -> ResponseReturnValue:
    """Take a link back; whoever has it gets in no more."""
    number = row_id(invitation_id)
    if number is None or not invitations.withdraw(
        tenancy.current_store_id(), number, actor()
    ):
        abort(404, "This invitation was used or taken back already.")
    flash("The invitation is taken back: its link opens nothing any more.")
    return redirect(url_for(".show_people"), 303)


@bp.post(f"{PATH}/<member_id>/role")
@needs("owner")
@_still_owner()
def set_role(member_id: str) -> ResponseReturnValue:
    """Give somebody another role; they log in anew."""
    store_id, person = tenancy.current_store_id(), _member(member_id)
    role = request.form.get("role", "")
    try:
        changed = staff.set_role(store_id, person, role, actor())
    except staff.NotHere as gone:
        abort(404, gone.sentence)
    except staff.StaffRefused as refusal:
        flash(f"Nothing was changed. {refusal.sentence}", "stopped")
        return redirect(url_for(".show_people"), 303)
    flash(
        "The role is changed. They were logged out of this store and log in anew."
        if changed
        else "Nothing was changed."
    )
    return _back(person, changed)


@bp.post(f"{PATH}/<member_id>/remove")
@needs("owner")
@_still_owner()
def remove_member(member_id: str) -> ResponseReturnValue:
    """Let somebody work here no longer."""
    store_id, person = tenancy.current_store_id(), _member(member_id)
    try:
        name = staff.remove(store_id, person, actor())
    except staff.NotHere as gone:
        abort(404, gone.sentence)
    except staff.StaffRefused as refusal:
        flash(f"Nothing was changed. {refusal.sentence}", "stopped")
        return redirect(url_for(".show_people"), 303)
    flash(f"{name} works here no longer, and is logged out of this store.")
    return _back(person, True)


def _back(person: int, changed: bool) -> ResponseReturnValue:
    """To the page; who changed their own work here was logged out by it."""
    if changed and person == current_user.user.id:
        return redirect(url_for(".login"), 303)
    return redirect(url_for(".show_people"), 303)


def _member(member_id: str) -> int:
    return row_id(member_id) or abort(404, staff.NotHere.sentence)


def _typed(form: object) -> Invite:
    read = form.get  # type: ignore[attr-defined]
    return Invite(
        one_line(read("name", ""), LONGEST_TYPED),
        one_line(read("address", ""), LONGEST_TYPED),
        read("role", "cashier")[:20],
    )


def _page(typed: Invite, kept: tuple[int, str] = (0, "")) -> str:
    """`kept`: whose change waits to be pressed once more, and the role that was chosen."""
    store_id = tenancy.current_store_id()
    is_owner = may("owner")
    open_ones: list[Invitation] = invitations.open_of(store_id) if is_owner else []
    return render_template(
        "portal/people.html",
        members=staff.of_store(store_id),
        invited=open_ones,
        typed=typed,
        kept=kept,
        roles=ROLES,
        most=invitations.MOST_PEOPLE,
        days=f"{config.current().invitation_s / 86_400:g}",
    )


def _words(made: Made) -> str:
    """What the owner sends."""
    until = made.invitation.expires_at.astimezone(clock.ACCRA)
    return (
        f"{made.invitation.name}, come and work in {g.store.name} on Makola, as"
        f" {made.invitation.role}. This link is for you alone, works once, and until"
        f" {until:%d %b %H:%M}: {made.url}"
    )


def _chat(made: Made) -> str:
    """WhatsApp with the words: to the number that was typed, or to whom the owner chooses."""
    address = made.invitation.address
    number = address.removeprefix("+") if address.startswith("+") else ""
    return f"https://wa.me/{number}?{urlencode({'text': _words(made)})}"
