"""One press on one order: process it, take that back, ask again; and how a press is answered.

Leaves whether it may happen, and what it costs, to `core.orders`.
"""

from __future__ import annotations

from collections.abc import Callable

from flask import abort, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from agent_portal import bp, standing
from agent_portal.auth import access_no, actor, may, needs
from agent_portal.orders import SHOWN_WHEN_FULL, TABS
from core import availability, orders
from core.audit import Actor
from core.base import config, money, phones
from core.base.text_input import own_path
from core.orders import Order

REFUSED = "refused"
"""What the session holds between a press that was refused and its order's page; also that page's
anchor for it."""


@bp.post("/orders/<code>/process")
@needs("cashier")
def process(code: str) -> ResponseReturnValue:
    """Send one order to the supplier's line. Pressed twice it is still sent once."""
    verb = lambda code, actor: orders.process(code, actor, access_no())
    undo_s = config.current().undo_s
    if undo_s:
        goes = f"goes in {undo_s} s. Until then you can undo it."
        said = "{bundle} to {number} " + goes
    else:
        said = "{bundle} to {number} is in line.{cost}"
    return press(verb, code, said)


@bp.post("/orders/<code>/undo")
@needs("cashier")
def undo(code: str) -> ResponseReturnValue:
    """Take a press back before it has gone. Undone twice it is undone once."""
    verb = lambda code, actor: orders.undo(code, actor, request.form.get("press"))
    return press(verb, code, "Undone: {bundle} to {number} was not sent.")


@bp.get("/orders/<code>/row")
def order_row(code: str) -> ResponseReturnValue:
    """One row of the queue as it is now: a pressed one asks for it once it has gone."""
    return _row(order_of(code))


@bp.post("/orders/<code>/recheck")
@needs("cashier")
def recheck(code: str) -> ResponseReturnValue:
    """Ask the supplier again soon; the page shows what comes back."""
    return press(
        orders.request_look,
        code,
        "Asking the supplier about {bundle} to {number}. The answer shows here.",
    )


def press(
    verb: Callable[[str, Actor], Order], code: str, said: str
) -> ResponseReturnValue:
    """One press on one order: do it, then show the order. Refused, its page says why, once.

    The page is led to, never the answer to the post: a reload, or Back, would offer to press again.
    """
    as_row = "row" in request.args
    try:
        order = verb(code, actor())
    except orders.NoSuchOrder:
        abort(404)
    except orders.OrderRefused as refusal:
        order = order_of(code)
        if as_row:
            return _row(order, refusal), 409
        session[REFUSED] = [order.code, *_said(refusal).values()]
        return redirect(url_for(".show_order", code=order.code, _anchor=REFUSED), 303)
    if as_row:
        return _row(order)
    flash(_told(order, said))
    back = own_path(request.form.get("back"))
    return redirect(back or url_for(".show_order", code=order.code), 303)


def _said(refusal: orders.OrderRefused | None) -> dict[str, object]:
    return {
        "refusal": refusal and refusal.sentence,
        "needs_funds": isinstance(refusal, orders.InsufficientWallet),
    }


def _row(order: Order, refusal: orders.OrderRefused | None = None) -> str:
    return render_template(
        "portal/_pressed_row.html",
        order=order,
        **_said(refusal),
        look=orders.agent_look,
        counts=standing.counts(),
        tabs=TABS,
        shown_when_full=SHOWN_WHEN_FULL,
        tab="" if "found" in request.args else "new",
        tab_of=orders.tab_of,
        choose=may("cashier"),
        held=orders.held_up.on_page([order], availability.now()),
    )


def _told(order: Order, said: str) -> str:
    if order.state == "queued" and order.wait_reason:
        said = f"{said} It waits: {orders.WAIT_TEXT[order.wait_reason]}."
    return said.format(
        bundle=order.bundle_text,
        number=phones.show(order.recipient_msisdn),
        cost=""
        if order.is_test
        else f" {money.cedis(order.agent_price_pesewas)} is set aside in your wallet.",
    )


def order_of(code: str) -> Order:
    """The order of this store; another store's reads the same as none."""
    order = orders.by_code(code)
    if order is None:
        abort(404)
    return order
