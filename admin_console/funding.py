"""Requests of agents for money into their wallets: who waits, and the owner's word on each.

Decides what a person sees before they decide: the payment to look for, the same reference booked
before, the wallet's newest fundings. Booking it, once, is `core.fund_requests`'.
"""

from __future__ import annotations

from flask import abort, flash, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from admin_console import bp, store_figures
from admin_console.auth import needs
from core import fund_requests, ledger
from core.audit import Actor
from core.base import config, money
from core.base.refusal import Refusal
from core.base.text_input import one_line, row_id
from core.fund_requests import Listed

NEWEST_FUNDINGS = 5


@bp.get("/funding")
def list_funding() -> str:
    """Who waits for money, the longest first."""
    size = config.current().page_size
    found = fund_requests.waiting(size + 1)
    return render_template(
        "console/funding.html", waiting=found[:size], is_more=len(found) > size
    )


@bp.get("/funding/<request_id>")
def show_funding(request_id: str) -> str:
    return _page(_of(request_id))


@bp.post("/funding/<request_id>/approve")
@needs("fund")
def approve_funding(request_id: str) -> Response | tuple[str, int]:
    """Book the request's amount; pressed twice it is booked once."""
    found = _of(request_id)
    amount = money.cedis(found.request.amount_pesewas)
    try:
        is_new = fund_requests.approve(
            found.request.id,
            Actor.of_login(current_user),
            is_another="another" in request.form,
        )
    except fund_requests.BadRequest as refusal:
        return _refused(request_id, refusal)
    except ledger.BadFunding as refusal:
        return _page(found, {"another": refusal.sentence}), 422
    if is_new:
        flash(f"{amount} is in the wallet of {found.store.name}.")
    else:
        flash("This was booked already. Nothing was added.", "waiting")
    return redirect(url_for(".list_funding"), 303)


@bp.post("/funding/<request_id>/refuse")
@needs("fund")
def refuse_funding(request_id: str) -> Response | tuple[str, int]:
    """Say no; the agent reads why."""
    found = _of(request_id)
    words = one_line(request.form.get("words", ""))
    try:
        fund_requests.refuse(found.request.id, words, Actor.of_login(current_user))
    except fund_requests.BadRequest as refusal:
        return _refused(request_id, refusal, words)
    flash(f"Refused. {found.store.name} reads why.")
    return redirect(url_for(".list_funding"), 303)


def _of(request_id: str) -> Listed:
    return fund_requests.by_id(row_id(request_id) or abort(404)) or abort(404)


def _refused(
    request_id: str, refusal: fund_requests.BadRequest, words: str = ""
) -> tuple[str, int]:
    """The page as it is now, with the sentence; somebody may have decided meanwhile."""
    found = _of(request_id)
    if found.request.decision is not None:
        return _page(found, problem=refusal), 409
    return _page(found, {refusal.field: refusal.sentence}, words), 422


def _page(
    found: Listed,
    problems: dict[str, str] | None = None,
    words: str = "",
    problem: Refusal | None = None,
) -> str:
    return render_template(
        "console/funding_request.html",
        asked=found.request,
        shop=found.store,
        before=fund_requests.of_reference(found.request),
        fundings=store_figures.fundings(found.store.id, NEWEST_FUNDINGS),
        wallet=ledger.wallet_of(found.store.id),
        problems=problems or {},
        words=words,
        problem=problem,
    )
