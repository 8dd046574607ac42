"""From a new store to an open one: the press *Open store*, asking for approval again, the terms.

Whether a store may be opened is decided in `core.onboarding`, by `core.requirements`.
"""

from __future__ import annotations

from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from agent_portal import bp
from agent_portal.auth import actor, needs
from core import onboarding
from core.base import config, tenancy


@bp.post("/open")
@needs("owner")
def open_store() -> ResponseReturnValue:
    """Open the store, when nothing is missing any more; else the home page says what is."""
    try:
        onboarding.open_own(tenancy.current_store_id(), actor())
    except onboarding.NotReady as refusal:
        flash(refusal.sentence, "stopped")
        return redirect(url_for(".home", _anchor="steps"), 303)
    flash("Your store is open. Share its link: customers can order now.")
    return redirect(url_for(".home"), 303)


@bp.post("/approval")
@needs("owner")
def ask_approval() -> ResponseReturnValue:
    """Ask the owner of the platform once more, after a no."""
    if onboarding.ask_again(tenancy.current_store_id(), actor()):
        flash("The owner of Makola was asked again.")
    return redirect(url_for(".home", _anchor="steps"), 303)


@bp.get("/terms")
def show_terms() -> ResponseReturnValue:
    """The press that agrees to the terms, beside the link to them."""
    address = config.current().terms_url or abort(404)
    return render_template("portal/terms.html", terms_url=address, problems={})


@bp.post("/terms")
@needs("owner")
def agree_to_terms() -> ResponseReturnValue:
    """Note that the store's owner agreed."""
    address = config.current().terms_url or abort(404)
    if "terms" not in request.form:
        problems = {"terms": "Read the terms and tick that you agree to them."}
        page = render_template(
            "portal/terms.html", terms_url=address, problems=problems
        )
        return page, 422
    onboarding.agree_to_terms(tenancy.current_store_id(), actor())
    flash("You agreed to the terms.")
    return redirect(url_for(".home", _anchor="steps"), 303)
