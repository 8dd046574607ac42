"""The shop's logo: a picture brought, shown and taken off again.

Decides how the form is read and answered. Which pictures are taken is decided in `core.logos`.
"""

from __future__ import annotations

from flask import (
    Response,
    abort,
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
from agent_portal.auth import actor, needs
from core import logos, onboarding
from core.base import config, tenancy
from core.base.refusal import Refusal

PATH = "/store/logo"
SLOW_DOWN = (
    "Many pictures came from your connection. Wait a minute, then choose it again."
)
NO_FILE = "Choose a picture first."


@bp.get(PATH)
def show_logo() -> ResponseReturnValue:
    """The logo as customers see it, and a form for another."""
    return _page()


@bp.get(f"{PATH}.webp")
def logo_picture() -> Response:
    """The logo itself."""
    found = logos.picture(g.store.logo) if g.store.logo else None
    if found is None:
        abort(404)
    response = make_response(found)
    response.mimetype = "image/webp"
    return response


@bp.post(PATH)
@needs("owner")
def bring_logo() -> ResponseReturnValue:
    """Show this picture from now on."""
    if "slow_down_s" in g:
        return _page(SLOW_DOWN), 429, {"Retry-After": str(g.slow_down_s)}
    upload = request.files.get("logo")
    if upload is None or not upload.filename:
        return _page(NO_FILE), 422
    try:
        onboarding.needs_approval(g.store)
        with upload.stream as file:
            changed = logos.put(tenancy.current_store_id(), file.read(), actor())
    except Refusal as refusal:
        return _page(refusal.sentence), 422
    flash("Saved: your shop shows it now." if changed else "Nothing was changed.")
    return redirect(url_for(".show_logo"), 303)


@bp.post(f"{PATH}/off")
@needs("owner")
def take_logo_off() -> ResponseReturnValue:
    """Show the letter again."""
    taken = logos.take_off(tenancy.current_store_id(), actor())
    flash("Taken off: your shop shows its letter." if taken else "There was no logo.")
    return redirect(url_for(".show_logo"), 303)


def _page(problem: str = "") -> str:
    return render_template(
        "portal/logo.html",
        problem=problem,
        most=f"{config.current().upload_bytes / 2**20:g} MB",
        most_millions=logos.MOST_PIXELS // 1_000_000,
        least_large=logos.LEAST_LARGE,
    )
