"""Sign-up: one form, from nothing to a shop with prices.

Decides how the form is read and what its page says. What may be signed up with is decided in
`core.signing_up`.
"""

from __future__ import annotations

from flask import flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from agent_portal import bp, confirming
from core import signing_up
from core.base import config, hashing, messages
from core.base.text_input import one_line
from core.signing_up import Full, Problems, Taken, Typed, Wanted
from core.subdomains import BadStore

SLOW_DOWN = "Too many tries from your connection. Wait an hour, then try again."
LOOK_AGAIN = "Too many looks from your connection. Send the form, or wait a minute."


@bp.get("/sign-up")
def sign_up_form() -> ResponseReturnValue:
    """The form, for who has no log-in."""
    if current_user.is_authenticated:
        return redirect(url_for(".home"), 303)
    return _page(Typed(), {})


@bp.post("/sign-up")
def sign_up() -> ResponseReturnValue:
    """Make a person and their store, log them in, and send the first code."""
    if current_user.is_authenticated:
        return redirect(url_for(".home"), 303)
    typed = _typed()
    try:
        wanted = signing_up.read(typed)
    except Problems as refusal:
        if refusal.by_field.keys() != {"slug"}:
            return _page(typed, refusal.by_field), 422
        if _is_over():
            return _slow_down(typed)
        g.log_in_asked = True
        return _entered(typed) or (_page(typed, refusal.by_field), 422)
    if _is_over():
        return _slow_down(typed)
    g.log_in_asked = True
    return _made(typed, wanted)


@bp.get("/sign-up/address")
def check_address() -> ResponseReturnValue:
    """Whether an address may be had, as somebody types it: one sentence."""
    if "slow_down_s" in g:
        return _said(False, LOOK_AGAIN)
    typed = one_line(request.args.get("slug", ""), 60)
    store_name = one_line(request.args.get("store_name", ""), 60)
    if not typed and not store_name:
        return _said(None, "")
    try:
        slug = signing_up.slug_of(typed, store_name)
    except BadStore as refusal:
        return _said(False, refusal.sentence)
    return _said(True, "", slug)


def _is_over() -> bool:
    """Whether this connection signed up too often; where its code goes is another limit's."""
    return bool(g.get("over_limit") == "sign_ups")


def _slow_down(typed: Typed) -> ResponseReturnValue:
    g.refused_as = 429
    return _page(typed, {}, SLOW_DOWN), 429, {"Retry-After": "3600"}


def _made(typed: Typed, wanted: Wanted) -> ResponseReturnValue:
    try:
        made = signing_up.sign_up(wanted)
    except Taken as refusal:
        return _entered(typed) or (_page(typed, refusal.by_field), 422)
    except Full as refusal:
        return _page(typed, {}, refusal.sentence), 503
    except hashing.Busy as busy:
        return _page(typed, {}, busy.sentence), 503, {"Retry-After": str(busy.wait_s)}
    g.entrance.enter(made.user, made.store.id, own_device=True)
    confirming.send_first(made.user, wanted.phone)
    flash(f"{made.store.name} is yours. It opens when the list below is done.")
    return redirect(url_for(".home"), 303)


def _entered(typed: Typed) -> ResponseReturnValue | None:
    """Sent twice, the form leads to what it made: with the right password, which is counted as a
    log-in's. None for everybody else, after the same work: time must not tell whose a store is."""
    made = signing_up.made_by(typed)
    asked = g.entrance.ask(typed.email or typed.phone, typed.password, "")
    if made is None or asked.person is None or asked.person.id != made.user.id:
        return None
    home = url_for(".home")
    to = g.entrance.begin(asked.person, made.store.id, home, own_device=True)
    return redirect(to, 303)


def _typed() -> Typed:
    form = request.form
    longest = signing_up.LONGEST_TYPED
    return Typed(
        name=one_line(form.get("name", ""), longest),
        phone=one_line(form.get("phone", ""), longest),
        email=one_line(form.get("email", ""), longest),
        password=form.get("password", "")[: 4 * longest],
        store_name=one_line(form.get("store_name", ""), longest),
        slug=one_line(form.get("slug", ""), longest).lower(),
        terms="terms" in form,
    )


def _page(typed: Typed, problems: dict[str, str], refusal: str | None = None) -> str:
    return render_template(
        "portal/sign_up.html",
        typed=typed,
        problems=problems,
        refusal=refusal,
        can_send=messages.can_send(),
        terms_url=config.current().terms_url,
        is_shut=not config.current().sign_ups_a_day,
    )


def _said(is_free: bool | None, sentence: str, slug: str = "") -> str:
    return render_template(
        "portal/_address.html", is_free=is_free, sentence=sentence, slug=slug
    )
