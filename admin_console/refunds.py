"""Refunds of online payments that are not over: what waits for what, and the number that a payer
gave for one that could not reach them.

Decides what a person sees and how their number is read. Sending it is `fulfilment.refunding`'s.
"""

from __future__ import annotations

from flask import abort, flash, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from admin_console import bp
from admin_console.auth import needs
from core import online
from core.audit import Actor
from core.base import config, phones
from core.base.refusal import Refusal
from core.base.text_input import row_id
from core.online import refund_lists, refunds
from core.online.refund_rows import NoSuchRefund

STATE = {
    "requested": ("waiting", "To be sent"),
    "submitting": ("moving", "Being sent"),
    "open": ("moving", "On its way"),
    "needs_details": ("stopped", "Needs a number"),
}
REASON = {
    "refunded": "Not delivered",
    "cancelled": "Cancelled",
    "late": "Paid late",
    "double": "Paid twice",
    "short": "Other amount paid",
    "given_back": "Given back after delivery",
}


@bp.get("/refunds")
def list_refunds() -> str:
    """The refunds that are not over, the oldest first."""
    return _page()


@bp.post("/refunds/<refund_id>/send-to")
@needs("fund")
def send_refund_to(refund_id: str) -> Response | tuple[str, int]:
    """Send a refund that could not reach its payer to the number they gave."""
    id_ = row_id(refund_id) or abort(404)
    typed = request.form.get("number", "")
    try:
        number = phones.parse(typed)
        network = _network(request.form.get("network", ""))
        refunds.send_to(
            id_, phones.local(number), network, Actor.of_login(current_user)
        )
    except NoSuchRefund:
        abort(404)
    except Refusal as refusal:
        return _page(id_, typed, refusal.sentence), 422
    flash(f"It goes to {phones.show(number)}.")
    return redirect(url_for(".list_refunds"), 303)


def _network(typed: str) -> str:
    if typed not in phones.NETWORKS:
        raise online.Unfit("Choose the network of the number.")
    return typed


def _page(of: int = 0, typed: str = "", problem: str = "") -> str:
    size = config.current().page_size
    found = refund_lists.waiting(size + 1)
    return render_template(
        "console/refunds.html",
        waiting=found[:size],
        is_more=len(found) > size,
        states=STATE,
        reasons=REASON,
        networks=phones.NETWORKS,
        problem_of=of,
        typed=typed,
        problem=problem,
    )
