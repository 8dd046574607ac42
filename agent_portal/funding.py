"""Asking for money into the wallet: the owner of the platform approves or refuses it.

Decides how a request is read and answered. What may be asked is `core.fund_requests`'; nothing here
moves money.
"""

from __future__ import annotations

from flask import abort, flash, g, redirect, request, url_for
from flask.typing import ResponseReturnValue

from agent_portal import bp, wallet
from agent_portal.auth import actor, needs
from core import fund_requests, onboarding
from core.base import money
from core.base.text_input import row_id


@bp.post("/wallet/funding")
@needs("cashier")
def ask_funding() -> ResponseReturnValue:
    """Ask. The same form sent twice is one request."""
    ask = fund_requests.Ask.parse(
        request.form.get("amount", ""), request.form.get("reference", "")
    )
    if ask.problems:
        return wallet.page(ask), 422
    try:
        onboarding.needs_approval(g.store)
        is_new = fund_requests.ask(ask, actor())
    except onboarding.NeverApproved as refusal:
        ask.problems["amount"] = refusal.sentence
        return wallet.page(ask), 422
    except fund_requests.BadRequest as refusal:
        ask.problems[refusal.field] = refusal.sentence
        return wallet.page(ask), 422
    amount = money.cedis(ask.amount_pesewas)
    if is_new:
        flash(f"You asked for {amount}. The owner of Makola looks for your payment.")
    else:
        flash(f"Your request for {amount} waits already. Nothing was added.")
    return redirect(url_for(".wallet", _anchor="fund"), 303)


@bp.get("/wallet/funding")
def funding_home() -> ResponseReturnValue:
    """A reload of the address that a form was refused at."""
    return redirect(url_for(".wallet", _anchor="fund"), 303)


@bp.post("/wallet/funding/<request_id>/withdraw")
@needs("cashier")
def withdraw_funding(request_id: str) -> ResponseReturnValue:
    """Take a request back. Pressed twice it is said once."""
    try:
        fund_requests.withdraw(row_id(request_id) or abort(404), actor())
    except fund_requests.NoSuchRequest:
        abort(404)
    except fund_requests.BadRequest as refusal:
        flash(refusal.sentence, "stopped")
    else:
        flash("Taken back. Nothing was booked.")
    return redirect(url_for(".wallet", _anchor="fund"), 303)
