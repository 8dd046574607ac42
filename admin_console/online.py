"""Online payments: the owner's switches, how they stand, and the newest attempts.

Decides nothing but how the page is drawn and the switch answered. Off is one press; on is asked for
once more that it is the owner, since from then on strangers' money comes in.
"""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from admin_console import bp
from admin_console.auth import needs
from core import online, taking
from core.audit import Actor
from core.base import config, money
from core.base.text_input import one_line, row_id

STATES = {
    "asked": ("waiting", "Being opened"),
    "open": ("waiting", "Not paid yet"),
    "paid": ("done", "Paid"),
    "failed": ("stopped", "Failed"),
    "refused": ("stopped", "Unfit"),
    "watched": ("moving", "Watched"),
    "ended": ("stopped", "Never paid"),
}
"""How a state of an attempt looks and reads."""


@bp.get("/payments")
def show_payments() -> str:
    return _page()


def _page(typed: str = "", problem: str = "") -> str:
    limit = config.current().page_size
    lines = taking.newest(row_id(request.args.get("before", "")), limit)
    older = lines[-1].payment.id if len(lines) == limit else None
    return render_template(
        "console/payments.html",
        lines=lines,
        older=older,
        states=STATES,
        standing=taking.standing(),
        is_on=online.platform_is_on(),
        prompts_are_on=online.prompts.are_on(),
        is_configured=online.is_configured(),
        mode=config.current().paystack_mode,
        card_limit=online.daily_limit_pesewas(),
        typed=typed,
        problem=problem,
    )


@bp.post("/payments/on")
@needs("payments")
def switch_payments_on() -> ResponseReturnValue:
    if not online.is_configured():
        flash(
            "Nothing was changed: there is no key of Paystack. Set PAYSTACK_SECRET_KEY and"
            " PAYSTACK_MODE, and start Makola again.",
            "stopped",
        )
    else:
        online.switch_platform(True, Actor.of_login(current_user))
        flash("On: stores that have it on take online payments from now on.")
    return redirect(url_for(".show_payments"), 303)


@bp.post("/payments/off")
@needs("payments")
def switch_payments_off() -> ResponseReturnValue:
    online.switch_platform(False, Actor.of_login(current_user))
    flash(
        "Off: no payment is asked for any more. What was asked for is watched to its end."
    )
    return redirect(url_for(".show_payments"), 303)


@bp.post("/payments/cards")
@needs("payments")
def limit_cards() -> ResponseReturnValue:
    """How much cards may bring a store a day; nothing takes none."""
    typed = one_line(request.form.get("limit", ""))
    try:
        limit_pesewas = money.parse_ghs(typed) if typed else 0
        online.set_daily_limit(limit_pesewas, Actor.of_login(current_user))
    except (money.BadAmount, online.BadLimit) as refusal:
        return _page(typed, refusal.sentence), 422
    if limit_pesewas:
        flash(f"Cards are taken, up to {money.cedis(limit_pesewas)} a store and day.")
    else:
        flash("No card is taken any more. What was opened with one may still be paid.")
    return redirect(url_for(".show_payments"), 303)


@bp.post("/payments/prompts/on")
@needs("payments")
def switch_prompts_on() -> ResponseReturnValue:
    online.prompts.switch(True, Actor.of_login(current_user))
    flash("On: whoever pays online may be asked on their phone instead of the page.")
    return redirect(url_for(".show_payments"), 303)


@bp.post("/payments/prompts/off")
@needs("payments")
def switch_prompts_off() -> ResponseReturnValue:
    online.prompts.switch(False, Actor.of_login(current_user))
    flash("Off: no phone is asked any more. Whoever was asked may still approve.")
    return redirect(url_for(".show_payments"), 303)
