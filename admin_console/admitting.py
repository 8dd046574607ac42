"""The owner's word on stores that signed up: who waits, yes, or no with a reason for the agent.

What follows from it is decided in `core.onboarding`, which writes the audit line.
"""

from __future__ import annotations

from flask import flash, redirect, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from admin_console import bp
from admin_console.auth import needs
from admin_console.stores import FundForm, page_of, store_of
from core import onboarding
from core.audit import Actor
from core.base.text_input import one_line
from core.stores import BadStore


@bp.post("/stores/<slug>/approve")
@needs("stores")
def approve_store(slug: str) -> Response | tuple[str, int]:
    """Say yes; its agent opens it."""
    store = store_of(slug)
    seen = request.form.get("seen", "")
    try:
        is_new = onboarding.approve(store.id, Actor.of_login(current_user), seen)
    except BadStore as refusal:
        return page_of(store_of(slug), FundForm(), refusal.sentence), 409
    flash(f"{store.name} {'is approved' if is_new else 'was approved already'}.")
    return redirect(url_for(".show_store", slug=store.slug), 303)


@bp.post("/stores/<slug>/refuse")
@needs("stores")
def refuse_store(slug: str) -> Response | tuple[str, int]:
    """Say no, to one that is approved too: it is closed then."""
    store = store_of(slug)
    reason = one_line(request.form.get("reason", ""))
    if len(reason) < onboarding.SHORTEST_REASON:
        form = FundForm(problems={"refuse-reason": onboarding.SAY_WHY})
        return page_of(store, form), 422
    seen = request.form.get("seen", "")
    try:
        onboarding.refuse(store.id, reason, Actor.of_login(current_user), seen)
    except BadStore as refusal:
        return page_of(store_of(slug), FundForm(), refusal.sentence), 409
    flash(f"{store.name} is not approved. Its agent reads why.")
    return redirect(url_for(".show_store", slug=store.slug), 303)
