"""Cancelling one order or a selection of new ones: a page that asks, with how many and how much,
then the result.

Decides how the press is read and answered. Leaves whether an order may be cancelled to
`core.orders`.
"""

from __future__ import annotations

from flask import abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from agent_portal import bp, results
from agent_portal.auth import actor, needs
from agent_portal.pressing import press
from agent_portal.selecting import not_begun, selected
from core import ledger, orders
from core.base.text_input import own_path

WORDS = {"moved": "cancelled", "before": "before"} | dict.fromkeys(
    ("over", "refused", "busy", "short"), "skipped"
)
TITLES = {"before": "Cancelled before. Nothing was sent."}
NOTHING = "Nothing was cancelled"


@bp.get("/orders/cancel")
def cancel_home() -> ResponseReturnValue:
    """A reload of the address the check page was posted to."""
    return redirect(url_for(".queue"), 303)


@bp.post("/orders/cancel")
@needs("cashier")
def cancel_many() -> ResponseReturnValue:
    """Ask first; with `confirm`, cancel each order by itself. Sent twice it cancels once."""
    codes, problem = selected()
    back = own_path(request.form.get("back")) or url_for(".queue")
    if problem:
        return not_begun(NOTHING, problem, back)
    found = orders.by_codes(codes)
    if not found:
        abort(404)
    if request.form.get("confirm") == "1":
        return _cancelled(codes, back)
    new = [order for order in found if order.state == "pending"]
    if not new:
        return not_begun(
            NOTHING,
            "None of these orders is new any more: somebody has processed or cancelled them.",
            back,
        )
    return render_template(
        "portal/cancel_check.html",
        orders=new,
        left_out=len(codes) - len(new),
        back=back,
        sum_pesewas=sum(order.price_pesewas for order in new if not order.is_test),
    )


@bp.get("/orders/<code>/cancel")
def cancel_again(code: str) -> ResponseReturnValue:
    """A reload of the address at which one order is asked about."""
    return redirect(url_for(".show_order", code=code), 303)


@bp.post("/orders/<code>/cancel")
@needs("cashier")
def cancel(code: str) -> ResponseReturnValue:
    """Ask first, with the amount; then cancel, if the order still stands where it stood when that
    was asked."""
    order = orders.by_code(code) or abort(404)
    asked = request.form.get("confirm")
    if not order.may_be_cancelled_by("agent") or asked == order.state:
        return press(
            orders.cancel, code, "{bundle} to {number} is cancelled. Nothing was sent."
        )
    return render_template(
        "portal/cancel_one.html",
        order=order,
        changed=bool(asked),
    )


def _cancelled(codes: list[str], back: str) -> ResponseReturnValue:
    found = orders.cancel_many(codes, actor())
    page = render_template(
        "portal/processed.html",
        back=back,
        wallet=ledger.wallet(),
        amount="price_pesewas",
        groups=results.groups(found, "price_pesewas", TITLES),
        heading=results.heading(found, WORDS),
    )
    return page, (200 if any(result.ok for result in found) else 409)
