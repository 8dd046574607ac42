"""Another address for the shop: where it is, where it was, and the move.

Decides how the form is read and answered. Which address may be had, and how often, is decided in
`core.renaming`.
"""

from __future__ import annotations

from flask import flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from agent_portal import bp
from agent_portal.auth import actor, may, needs
from core import former_addresses, renaming
from core.base import clock, config, tenancy
from core.base.text_input import one_line
from core.stores import BadStore

PATH = "/store/address"
LOOK_AGAIN = "Too many tries from your connection. Wait a minute, then try again."
LONGEST = 60


@bp.get(PATH)
def show_address() -> ResponseReturnValue:
    """Where the shop is, and a form for another address; what was typed when a log-in ended stands
    in it again."""
    kept = g.kept.take(PATH) if may("owner") else None
    return _page((kept or {}).get("slug", ""), {})


@bp.get(f"{PATH}/check")
@needs("owner")
def check_own_address() -> ResponseReturnValue:
    """Whether the shop may have an address, as somebody types it: one sentence."""
    typed = _typed(request.args.get("slug", ""))
    if "slow_down_s" in g:
        return _said(False, LOOK_AGAIN)
    if not typed or typed == g.store.slug:
        return _said(None, "")
    try:
        slug = renaming.check(g.store, typed)
    except BadStore as refusal:
        return _said(False, refusal.sentence)
    return _said(True, "", slug)


@bp.post(PATH)
@needs("owner")
def move_store() -> ResponseReturnValue:
    """Move the shop there."""
    typed = _typed(request.form.get("slug", ""))
    if "slow_down_s" in g:
        return _page(typed, {"slug": LOOK_AGAIN}), 429
    before = g.store.slug
    try:
        is_moved = renaming.rename(tenancy.current_store_id(), typed, actor())
    except BadStore as refusal:
        return _page(typed, {"slug": refusal.sentence}), 422
    if is_moved:
        flash(f"Your shop is at {_host(typed)} now." + _leads(before))
    else:
        flash("Nothing was changed: your shop is there already.")
    return redirect(url_for(".show_address"), 303)


def _leads(before: str) -> str:
    """What becomes of the old address; nothing, where nobody has been there."""
    if former_addresses.owner_of(before) is None:
        return ""
    return f" {_host(before)} leads there for a year."


def _typed(text: str) -> str:
    return one_line(text, LONGEST).lower()


def _host(slug: str) -> str:
    return config.current().address(slug).partition("://")[2]


def _page(typed: str, problems: dict[str, str]) -> str:
    former = list(former_addresses.of_store(g.store.id))
    next_at = None if g.store.is_hidden else renaming.next_at(former)
    return render_template(
        "portal/address.html",
        typed=typed,
        problems=problems,
        here_now=_host(g.store.slug),
        former=[(_host(one.slug), one.until.astimezone(clock.ACCRA)) for one in former],
        most=renaming.MOST_A_YEAR,
        left=max(renaming.MOST_A_YEAR - len(former), 0),
        next_at=next_at and next_at.astimezone(clock.ACCRA),
    )


def _said(is_free: bool | None, sentence: str, slug: str = "") -> str:
    return render_template(
        "portal/_address.html", is_free=is_free, sentence=sentence, slug=slug
    )
