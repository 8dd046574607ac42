"""Online payments: the owner's switch, how they stand, and the newest attempts.

Decides nothing but how the page is drawn and the switch answered. Off is one press; on is asked for
once more that it is the owner, since from then on strangers' money comes in.
"""

from __future__ import annotations

from dataclasses import dataclass

from flask import Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from admin_console import bp
from admin_console.auth import needs
from core import online, taking
from core.audit import Actor
from core.base import clock, config
from core.base.sheets import Rows, amount
from core.base.text_input import row_id

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


PURPOSES = {"order": "Orders", "wallet": "Wallets"}
LINES_IN_FILE = 5_000
PAID_ONLINE = 5
"""Attempts that a store's page shows."""
_HEAD: tuple[str, ...] = (
    "When",
    "Store",
    "For",
    "Reference",
    "State",
    "Asked GHS",
    "Charged GHS",
)
_HEAD += ("Fee GHS", "Owed back GHS", "Taken back GHS")


@bp.get("/payments")
def show_payments() -> str:
    limit, purpose = config.current().page_size, _purpose()
    lines = taking.newest(row_id(request.args.get("before", "")), limit, purpose)
    older = lines[-1].payment.id if len(lines) == limit else None
    return render_template(
        "console/payments.html",
        lines=lines,
        older=older,
        purpose=purpose,
        tabs_of_purposes=[
            ("All", "/payments", None),
            *((word, f"/payments?for={one}", None) for one, word in PURPOSES.items()),
        ],
        taken=online.taken_of([line.payment.id for line in lines]),
        states=STATES,
        standing=taking.standing(),
        is_on=online.platform_is_on(),
        is_configured=online.is_configured(),
        mode=config.current().paystack_mode,
    )


@bp.get("/payments.csv")
def payments_file() -> Response:
    """The newest of the same, for a spreadsheet."""
    sheet = Rows(*_HEAD)
    lines = taking.newest(None, LINES_IN_FILE, _purpose())
    taken = online.taken_of([line.payment.id for line in lines])
    for line in lines:
        paid = line.payment
        sheet.row(
            paid.created_at.isoformat(),
            line.store_name,
            line.order_code or "wallet",
            paid.reference,
            STATES[paid.state][1],
            amount(paid.amount_pesewas),
            amount(paid.charged_pesewas or 0),
            "" if paid.fees_pesewas is None else amount(paid.fees_pesewas),
            amount(paid.owed_pesewas),
            amount(taken.get(paid.id, 0)),
        )
    today = clock.now().astimezone(clock.ACCRA).date()
    return Response(
        sheet.text(),
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="makola-payments-{today}.csv"'
        },
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


def _purpose() -> str | None:
    """Which attempts were asked for; None: all."""
    asked = request.args.get("for", "")
    return asked if asked in PURPOSES else None


@dataclass(frozen=True)
class PaidOnline:
    """What was paid into a wallet online: the newest attempts, which of them the gateway took back
    (id → pesewas), and what the store owes of such by now."""

    newest: list[taking.Line]
    taken: dict[int, int]
    owed_pesewas: int
    states: dict[str, tuple[str, str]]


def paid_online(store_id: int) -> PaidOnline:
    """How a store's online fundings stand."""
    newest = taking.newest(None, PAID_ONLINE, "wallet", store_id)
    return PaidOnline(
        newest,
        online.taken_of([line.payment.id for line in newest]),
        online.wallet_debts.owed(store_id),
        STATES,
    )
