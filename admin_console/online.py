"""Online payments: the owner's switch, what moved by day, how attempts ended, and lists of them.

Decides how the page is drawn and the switch answered. Off is one press; on is asked for once more
that it is the owner, since from then on strangers' money comes in.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from admin_console import bp, payment_chart
from admin_console.auth import needs
from core import online, taking
from core.audit import Actor
from core.base import config, money
from core.base.text_input import one_line, row_id
from core.taking import Line
from core.taking.by_day import Day

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
ENDS: dict[taking.ends.End, str] = {
    "paid": "Paid",
    "open": "Under way",
    "failed": "Failed",
    "abandoned": "Abandoned",
    "late": "Paid late",
    "double": "Paid twice",
    "short": "Other amount",
    "unfit": "Unfit",
}
"""What an end of an attempt is called."""
PURPOSES = {"order": "Orders", "wallet": "Wallets"}


@bp.get("/payments")
def show_payments() -> str:
    return _page()


def _page(typed_limit: str = "", bad_limit: str = "") -> str:
    """All at once; with a search or an end in the address, those that it means."""
    typed = one_line(request.args.get("q", ""), 100)
    end = next((one for one in ENDS if one == request.args.get("end")), None)
    before = row_id(request.args.get("before", ""))
    size = config.current().page_size
    lines = _lines(typed, end, before, size + 1)
    here = _listed(typed, end)
    older = None
    if lines[size:] and not typed:  # a search names few, and shows them at once
        older = here | {"before": str(lines[size - 1].payment.id)}
    days = taking.by_day.of_all()
    return render_template(
        "console/payments.html",
        lines=lines[:size],
        first=_address(here) if before else None,
        older=_address(older) if older else None,
        states=STATES,
        standing=taking.standing(),
        purpose=asked_purpose(),
        tabs_of_purposes=[
            ("All", "/payments", None),
            *((word, f"/payments?for={one}", None) for one, word in PURPOSES.items()),
        ],
        taken=online.taken_of([line.payment.id for line in lines]),
        days=days,
        shown=[one for one in reversed(days.days) if _moved(one)],
        chart=payment_chart.draw(days.days, _summary(days.total)),
        ends=[
            (ENDS[one], many, f"/payments?end={one}#list")
            for one, many in _in_order(taking.ends.counts())
        ],
        end=end,
        end_name=ENDS[end] if end else "",
        typed=typed,
        is_on=online.platform_is_on(),
        prompts_are_on=online.prompts.are_on(),
        card_limit=online.daily_limit_pesewas(),
        typed_limit=typed_limit,
        bad_limit=bad_limit,
        is_configured=online.is_configured(),
        mode=config.current().paystack_mode,
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


def _lines(
    typed: str, end: taking.ends.End | None, before: int | None, limit: int
) -> Sequence[Line]:
    if typed:
        return taking.ends.named(typed, limit)
    if end:
        return taking.ends.of_end(end, before, limit)
    return taking.newest(before, limit, asked_purpose())


def _address(parameters: dict[str, str]) -> str:
    return f"/payments?{urlencode(parameters)}" if parameters else "/payments"


def _listed(typed: str, end: taking.ends.End | None) -> dict[str, str]:
    """The parameters of the address that say which attempts are listed."""
    if typed:
        return {"q": typed}
    if end:
        return {"end": end}
    purpose = asked_purpose()
    return {"for": purpose} if purpose else {}


def _in_order(
    counts: dict[taking.ends.End, int],
) -> list[tuple[taking.ends.End, int]]:
    return [(one, counts[one]) for one in ENDS]


def _moved(one: Day) -> bool:
    return bool(one.taken_pesewas or one.given_back_pesewas or one.paid_out_pesewas)


def _summary(total: Day) -> str:
    return (
        f"Online payments of two weeks by day: {money.cedis(total.taken_pesewas)} taken, of which"
        f" {money.cedis(total.fees_pesewas)} fees; {money.cedis(total.given_back_pesewas)} given"
        f" back, {money.cedis(total.paid_out_pesewas)} paid out."
    )


def asked_purpose() -> str | None:
    """Which attempts were asked for; None: all."""
    asked = request.args.get("for", "")
    return asked if asked in PURPOSES else None
