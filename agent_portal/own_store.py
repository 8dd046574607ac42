"""What the agent's shop says and looks like, as it would look, and a pause with a note.

Decides how the forms are read and answered. Leaves what they do to `core.own_store`, and how a shop
is drawn to the storefront.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flask import (
    Response,
    current_app,
    flash,
    g,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue

from agent_portal import bp
from agent_portal.auth import actor, may, needs
from core import own_store, requirements, stores
from core.base import phones, tenancy, text_input
from core.base.refusal import Refusal
from core.own_store import FIELDS, LONGEST_WORDS, TooLong
from core.stores import LONGEST_NAME, MOMO_NAME, Store

PATH = "/store"
SHOP_AS = "shop_as"
"""Under this name an extension of the application draws a shop's front page: it takes the store as
it would be, and sentences to show above it."""
NAMES = {
    "name": "The name",
    "welcome": "The welcome line",
    "announcement": "The announcement",
    "colour": "The colour",
    "whatsapp": "The WhatsApp number",
    "momo_number": "The MoMo number",
    "momo_name": "The name of the account",
    "pay_words": "How to pay",
    "note": "The note",
}
NUMBERS = ("whatsapp", "momo_number")


@bp.get(PATH)
def show_own_store() -> ResponseReturnValue:
    """What the shop says now; what was typed when a log-in ended stands in it again."""
    kept = g.kept.take(f"{PATH}(/pause)?") if may("owner") else None
    return _page(kept or {}, {}, lost=kept is not None)


@bp.post(PATH)
@needs("owner")
def save_own_store() -> ResponseReturnValue:
    """Save what was typed, all or none."""
    typed, shown = _sent()
    fit, wrong = own_store.read(typed, shown)
    if wrong:
        return _page(request.form, _sentences(wrong)), 422
    try:
        changed = own_store.say(tenancy.current_store_id(), fit, actor(), shown)
    except own_store.SaidOtherwise as refusal:
        problems = {name: _moved(name, now) for name, now in refusal.now.items()}
        return _page(request.form, problems, refusal.now), 422
    flash("Saved: your shop says so now." if changed else "Nothing was changed.")
    return redirect(url_for(".show_own_store"), 303)


@bp.get(f"{PATH}/preview")
def show_preview() -> Response:
    """The shop as it is, for a frame beside the form."""
    return _preview({}, [])


@bp.post(f"{PATH}/preview")
@needs("owner")
def preview_own_store() -> Response:
    """The shop as it would be with what was typed; nothing is saved."""
    typed, shown = _sent()
    fit, wrong = own_store.read(typed, shown)
    return _preview(fit, list(_sentences(wrong).values()))


@bp.post(f"{PATH}/pause")
@needs("owner")
def pause_own_store() -> ResponseReturnValue:
    """Close the shop for a while; its customers read the note. Opened again by *Open store*."""
    note = _typed("note")
    if len(note) > LONGEST_WORDS:
        said = f"has {len(note)} characters; shorten it to {LONGEST_WORDS} or fewer."
        return _page(request.form, _sentences({"note": TooLong(said)})), 422
    try:
        changed = own_store.pause(tenancy.current_store_id(), note, actor())
    except own_store.NotPaused as refusal:
        flash(f"Nothing was changed. {refusal.sentence}", "stopped")
    else:
        flash(
            "Paused: nobody can order now. Orders already placed go on."
            if changed
            else "Nothing was changed."
        )
    return redirect(url_for(".show_own_store"), 303)


def _sent() -> tuple[dict[str, str], dict[str, str]]:
    """What the form brought of the store, and what its page had shown of that. A number stays as it
    was shown when it is only spelt otherwise."""
    form = request.form
    typed = {name: _typed(name) for name in FIELDS if name in form}
    shown = {name: _typed(f"was-{name}") for name in typed if f"was-{name}" in form}
    for name in NUMBERS:
        if typed.get(name) and typed[name] == _as_typed(name, shown.get(name, "")):
            typed[name] = shown[name]
    return typed, shown


def _typed(name: str) -> str:
    return text_input.one_line(request.form.get(name, ""), 4 * LONGEST_WORDS)


def _as_typed(name: str, text: str) -> str:
    """How a field shows what the store has."""
    if name not in NUMBERS or not text.startswith("+233"):
        return text
    return phones.show(text).replace("\u00a0", " ")


def _sentences(wrong: Mapping[str, Refusal]) -> dict[str, str]:
    return {
        name: f"{NAMES[name]} {refusal.sentence}"
        if isinstance(refusal, TooLong)
        else refusal.sentence
        for name, refusal in wrong.items()
    }


def _moved(name: str, now: str) -> str:
    stands = f"says “{_as_typed(name, now)}” now" if now else "is empty now"
    return (
        f"{NAMES[name]} {stands}: somebody else changed it since this page was drawn."
        " Save again to have it as you typed."
    )


def _preview(said: Mapping[str, str], problems: list[str]) -> Response:
    """One page, not to be touched, that our own page alone may have in a frame."""
    shown = Store(**{name: getattr(g.store, name) for name in stores.columns()})
    own_store.put(shown, said)
    draw: Callable[[Store, list[str]], str] = current_app.extensions[SHOP_AS]
    g.may_be_framed = True
    return make_response(draw(shown, problems), 422 if problems else 200)


def _page(
    typed: Mapping[str, str],
    problems: Mapping[str, str],
    now: Mapping[str, str] | None = None,
    *,
    lost: bool = False,
) -> str:
    """`now`: what stands, where that is newer than what this request has read."""
    shop = g.store
    stands = own_store.as_it_stands(shop) | dict(now or {})
    as_typed = {name: _as_typed(name, text) for name, text in stands.items()}
    shown = as_typed | {"note": shop.closed_note}
    # as it was shown is not typed: what somebody else wrote meanwhile stays
    kept = {
        name: typed[name]
        for name in shown
        if name in typed
        and typed[name] != _as_typed(name, typed.get(f"was-{name}", "\0"))
    }
    g.has_own_frame = True
    return render_template(
        "portal/own_store.html",
        shown=shown | kept,
        was={f"was-{name}": text for name, text in stands.items()},
        problems=problems,
        lost=lost,
        most=LONGEST_WORDS,
        most_name=LONGEST_NAME,
        most_momo=MOMO_NAME,
        missing=[]
        if shop.is_open or shop.may_go_on
        else requirements.missing(requirements.of_store(shop.id)),
    )
