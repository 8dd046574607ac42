"""Whether customers of the store may pay online: what it needs, what it costs, and its switch.

Decides how the page is drawn and the press answered. The rule is `core.taking`'s.
"""

from __future__ import annotations

from flask import flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from agent_portal import bp
from agent_portal.auth import actor, needs
from core import online, taking
from core.base import config, tenancy

PATH = "/store/pay-online"


@bp.get(PATH)
def show_pay_online() -> str:
    fee_bp = config.current().gateway_fee_bp
    return render_template(
        "portal/pay_online.html",
        items=taking.needed(tenancy.current_store_id()),
        is_on=g.store.pay_online,
        is_offered=online.is_configured() and online.platform_is_on(),
        fee=f"{fee_bp / 100:g} %",
    )


@bp.post(PATH)
@needs("owner")
def switch_pay_online() -> ResponseReturnValue:
    """`on` is 1 or 0; anything else changes nothing."""
    wish = {"1": True, "0": False}.get(request.form.get("on", ""))
    if wish is None:
        flash("Nothing was changed: press one of the buttons.", "stopped")
        return redirect(url_for(".show_pay_online"), 303)
    try:
        taking.switch(tenancy.current_store_id(), wish, actor())
    except taking.NotReady as refusal:
        flash(f"Nothing was changed. {refusal.sentence}", "stopped")
    else:
        flash(
            "On: customers can pay online, or you directly."
            if wish
            else "Off: customers pay you directly."
        )
    return redirect(url_for(".show_pay_online"), 303)
