"""Customers: who bought what, a name and a note, a block, an order for them again, forgetting.

Decides what is shown of a number: its first and last digits, until somebody asks to see it, which
is kept in the audit. What a customer is, is `core.orders.customers`', what is done about them
`core.orders.minding`'s.
"""

from __future__ import annotations

import secrets
from typing import Any

from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from agent_portal import bp, walk_in
from agent_portal.auth import actor, needs
from agent_portal.pressing import order_of
from agent_portal.walk_in import WalkIn
from core import availability, orders
from core.base import config, text_input
from core.base.text_input import row_id
from core.batches import offered
from core.batches.offered import Offered
from core.orders import Order, customers, minding
from core.orders.customers import Known

NOT_SURE = "Tick that it is to be forgotten: it cannot be taken back."


@bp.get("/customers")
def list_customers() -> ResponseReturnValue:
    """Who bought last, or spent most; `q` finds a number or a name."""
    by = "spent" if request.args.get("by") == "spent" else "last"
    typed = text_input.one_line(request.args.get("q", ""), 60)
    before = row_id(request.args.get("before"))
    size = config.current().page_size
    known = (
        customers.found(typed, size) if typed else customers.page(by, before, size + 1)
    )
    return render_template(
        "portal/customers.html",
        by=by,
        typed=typed,
        looked_through=customers.NAMES_LOOKED_THROUGH,
        customers=known[:size],
        first=f"/customers?by={by}" if before else None,
        older=(
            f"/customers?by={by}&before={known[size - 1].row.id}"
            if len(known) > size
            else None
        ),
    )


@bp.get("/customers/<customer_id>")
def show_customer(customer_id: str) -> ResponseReturnValue:
    return _page(_known(customer_id))


@bp.post("/customers/<customer_id>/number")
@needs("cashier")
def open_customer(customer_id: str) -> ResponseReturnValue:
    """The page with the whole number, this once."""
    known = minding.open_number(_known(customer_id).row.id, actor())
    return _page(known, is_open=True)


@bp.post("/customers/<customer_id>")
@needs("cashier")
def describe_customer(customer_id: str) -> ResponseReturnValue:
    said = request.form
    row = minding.describe(
        _known(customer_id).row.id, said.get("name", ""), said.get("note", ""), actor()
    )
    flash("Saved.")
    return redirect(url_for(".show_customer", customer_id=row.id), 303)


@bp.post("/customers/<customer_id>/block")
@needs("cashier")
def block_customer(customer_id: str) -> ResponseReturnValue:
    """Take no more orders for the number, with a reason for the store's own people."""
    known = _known(customer_id)
    why = request.form.get("why", "")
    try:
        minding.block(known.row.id, why, actor())
    except minding.BadBlock as refusal:
        return _page(known, problems={"why": refusal.sentence}, why=why), 422
    flash("Blocked: your store takes no orders for this number.")
    return redirect(url_for(".show_customer", customer_id=known.row.id), 303)


@bp.post("/customers/<customer_id>/unblock")
@needs("cashier")
def unblock_customer(customer_id: str) -> ResponseReturnValue:
    row = minding.unblock(_known(customer_id).row.id, actor())
    flash("Not blocked any more.")
    return redirect(url_for(".show_customer", customer_id=row.id), 303)


@bp.post("/customers/<customer_id>/order")
@needs("cashier")
def order_again(customer_id: str) -> ResponseReturnValue:
    """The same as a walk-in for their number, which need not be typed. Pressed twice it is one
    order."""
    known = _known(customer_id)
    said = {name: request.form.get(name, "") for name in ("bundle", "key")}
    said |= {"number": known.msisdn, "name": known.row.name}
    return walk_in.placed_or_asked(WalkIn.of(said))


@bp.post("/customers/<customer_id>/forget")
@needs("owner")
def forget_customer(customer_id: str) -> ResponseReturnValue:
    """On request: the number, name and note go, orders and books stay."""
    known = _known(customer_id)
    if "sure" not in request.form:
        return _page(known, problems={"sure": NOT_SURE}), 422
    return _forgotten(known.msisdn)


@bp.post("/orders/<code>/customer/forget")
@needs("owner")
def forget_of_order(code: str) -> ResponseReturnValue:
    """The same for the number of an order that made no customer yet."""
    order = order_of(code)
    if "sure" not in request.form:
        return _new(order, {"sure": NOT_SURE}), 422
    if order.is_masked:
        return redirect(url_for(".customer_of", code=order.code), 303)
    return _forgotten(order.recipient_msisdn)


def _forgotten(msisdn: str) -> ResponseReturnValue:
    found = orders.forget_own(msisdn, actor())
    if found.open_codes:
        codes = ", ".join(found.open_codes)
        flash(
            f"Forgotten, but for orders that still need the number: {codes}. Finish them, then do"
            " this again.",
            "waiting",
        )
    else:
        flash("Forgotten. The orders stay in your books without the number.")
    return redirect(url_for(".list_customers"), 303)


@bp.get("/orders/<code>/customer")
def customer_of(code: str) -> ResponseReturnValue:
    """The customer of an order; when nothing was ever delivered to them, what can be done."""
    order = order_of(code)
    known = customers.of_order(order)
    if known is not None:
        return redirect(url_for(".show_customer", customer_id=known.row.id), 303)
    return _new(order)


@bp.post("/orders/<code>/customer/block")
@needs("cashier")
def block_of_order(code: str) -> ResponseReturnValue:
    """Block the number of an order, whether it ever bought."""
    order = order_of(code)
    why = request.form.get("why", "")
    try:
        row = minding.block_of_order(order.code, why, actor())
    except minding.BadBlock as refusal:
        return _new(order, {"why": refusal.sentence}, why), 422
    flash("Blocked: your store takes no orders for this number.")
    return redirect(url_for(".show_customer", customer_id=row.id), 303)


def _known(customer_id: str) -> Known:
    try:
        return customers.by_id(row_id(customer_id) or abort(404))
    except customers.NoSuchCustomer:
        abort(404)


def _new(order: Order, problems: dict[str, str] | None = None, why: str = "") -> str:
    return render_template(
        "portal/customer_new.html", order=order, problems=problems or {}, why=why
    )


def _page(
    known: Known,
    *,
    is_open: bool = False,
    problems: dict[str, str] | None = None,
    why: str = "",
) -> str:
    return render_template(
        "portal/customer.html",
        known=known,
        row=known.row,
        is_open=is_open,
        key=secrets.token_urlsafe(18),
        again=_again(known),
        problems=problems or {},
        why=why,
        longest_name=customers.LONGEST_NAME,
        longest_note=customers.LONGEST_NOTE,
    )


def _again(known: Known) -> list[tuple[Offered, Any]]:
    """What they bought and is sold today, each with why it cannot be had now, if so."""
    if known.is_forgotten or known.row.blocked_at is not None:
        return []
    sold = {one.bundle_id: one for same in offered.shelf().values() for one in same}
    now = availability.now()
    return [
        (sold[one.bundle_id], offered.why_not(sold[one.bundle_id], now))
        for one in customers.bought(known)
        if one.bundle_id in sold
    ]
