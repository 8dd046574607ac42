"""An order seen by its customer: its page, the part of it that polls, cancelling, and finding it by
code.

Decides who sees the whole number (the ordering device) and when the poll has something new to say.
States, words and intervals come from `core.orders`.
"""

from __future__ import annotations

import math
import re
import zlib
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from flask import (
    Response,
    g,
    make_response,
    redirect,
    render_template,
    request,
)
from werkzeug.wrappers import Response as BaseResponse

from core import audit, opening_hours, order_view, orders
from core.base import clock, phones, text_input
from core.base.language import later, say
from core.base.sms import message
from core.order_view import OrderView
from core.orders import Order, Words
from storefront import bp, device, paying
from storefront.addresses import own
from storefront.own_order import (
    for_its_device,
    is_ours,
    said_refused,
    say_refused,
    unknown,
)

LEAST_REFRESH_S = 5
"""Without JavaScript the whole page is loaded again, so never more often than this."""

_STEPS = (
    later("Payment confirmed"),
    later("Sent to the network"),
    later("Delivered"),
)
AHEAD = {
    "awaiting_payment": _STEPS,
    "pending": _STEPS,
    "queued": _STEPS[1:],
    "submitting": _STEPS[2:],
    "processing": _STEPS[2:],
}
"""Steps still to come, shown hollow at the end of the timeline. A troubled order promises none."""


@bp.get("/orders/<path:code>")
def show_order(code: str) -> Response:
    """The order whose code stands in the address, with whatever a chat program took along:
    `/orders/K7QM2XR94T).`."""
    view: OrderView = g.view
    if view.order is None:
        return unknown()
    orders.watch(view.order)
    return _order_page(view, view.order)


@bp.get("/orders/<code>/status")
def order_status(code: str) -> Response:
    """The fragment of the page that changes; 204 when what the page shows is still true."""
    view: OrderView = g.view
    order = view.order
    if order is None:
        return make_response(render_template("storefront/_no_order.html"), 404)
    orders.watch(order)
    shown = _mark(_said(view, order))
    if (
        request.args.get("v") == str(order.version)
        and request.args.get("s", shown) == shown
    ):
        g.is_still_true = partial(_is_true, view.store.slug, order, shown)
        return Response(status=204)
    whole = order_view.by_code(g.store.slug, code, is_whole=True)
    if whole is None or whole.order is None:
        return make_response(render_template("storefront/_no_order.html"), 404)
    response = make_response(
        render_template(
            "storefront/_order_status.html", **_status_inputs(whole, whole.order)
        )
    )
    response.headers["Cache-Control"] = "no-store"
    return response


@bp.post("/orders/<code>/cancel")
@for_its_device(
    later("Not cancelled"),
    later(
        "Only the phone or computer that placed this order can cancel it here. %(store)s can cancel"
        " it too."
    ),
)
def cancel_order(order: Order) -> BaseResponse:
    """Cancel a pending order, from the device that made it."""
    try:
        orders.cancel(order.code, audit.CUSTOMER)
    except orders.OrderRefused as refused:
        say_refused(order, refused.sentence)
    return redirect(own(f"/orders/{order.code}"), 303)


@bp.get("/track")
def track() -> Response | BaseResponse:
    """Find an order by its code, typed or somewhere in what was pasted: our own share text, a link,
    a line of a chat."""
    if "code" not in request.args:
        return make_response(
            render_template("storefront/track.html", typed="", errors={})
        )
    pasted = request.args["code"]
    order = orders.by_code(pasted)
    if order is not None:
        return redirect(own(f"/orders/{order.code}"), 303)
    shown = text_input.one_line(pasted, orders.LONGEST_PASTED)
    page = render_template(
        "storefront/track.html",
        typed=shown,
        errors={"code": _why_not_found(shown)},
    )
    return make_response(page, 404 if shown else 422)


def _why_not_found(typed: str) -> str:
    if not typed:
        return say("Type the code of your order.")
    if not re.search(r"[^\W\d]", typed):
        return say(
            "This is no order code. With a phone number or a pay code, look under Track by phone"
            " number."
        )
    return say("No order here has this code. Check it letter by letter.")


def _order_page(view: OrderView, order: Order) -> Response:
    inputs = _status_inputs(view, order)
    if order.state in ("pending", "awaiting_payment") and inputs["ours"]:
        device.bind_session(g.store.id)
    poll_s = inputs["poll_s"]
    can_buy = view.now.why_not(order.network, order.bundle_id) is None
    is_open = g.store.is_open and not opening_hours.is_shut(g.store)
    still_sold = is_open and can_buy and view.is_sold
    page = render_template(
        "storefront/order.html",
        **inputs,
        notice=said_refused(order),
        network_name=phones.NETWORKS[order.network].name,
        again_id=order.bundle_id if still_sold else None,
        refresh_s=max(LEAST_REFRESH_S, math.ceil(poll_s)) if poll_s else None,
        share_text=message(
            "Order %(code)s at %(store)s:", code=order.shown_code, store=g.store.name
        ),
    )
    return make_response(page)


def _status_inputs(view: OrderView, order: Order) -> dict[str, Any]:
    """What `_order_status.html` needs, the same in the page and alone."""
    said = _said(view, order)
    return {
        "order": order,
        "words": said.words,
        "pay": paying.panel(order),
        "may_pay": orders.held_up.may_pay(order, view.now, view.bundle),
        "reference": _reference(order),
        "may_tell": orders.telling.may_tell(order),
        "is_told": orders.telling.is_told(order),
        "answers_in": _answers_in(order),
        "chat_text": message("Hello, about my order %(code)s.", code=order.shown_code),
        "may_report": said.may_report,
        "report_from": _report_from(order),
        "bundle": view.bundle,
        "events": [event for event in view.events if event.customer_text],
        "ahead": said.ahead,
        "away": said.away,
        "ours": is_ours(order),
        "poll_s": said.poll_s,
        "poll_ms": round(said.poll_s * 1_000) if said.poll_s else None,
        "status_url": own(
            f"/orders/{order.code}/status?v={order.version}&s={_mark(said)}"
        ),
    }


def _reference(order: Order) -> str:
    """What the customer types as the reference of the payment."""
    if order.pay_code is None:
        return order.shown_code
    return orders.pay_codes.shown(order.pay_code)


def _answers_in(order: Order) -> str:
    """How long the store usually takes to see a payment, while it is looked for; empty when unsure,
    or when it takes longer this time."""
    telling = orders.telling
    if not telling.is_told(order) or telling.is_not_found(order):
        return ""
    usual = telling.usually_answers_min()
    waited = (clock.now() - (order.told_at or clock.now())).total_seconds() / 60
    if usual is None:
        return ""
    if waited > 2 * usual:
        return say(
            "It takes longer than usual: %(store)s usually answers within %(n)s min.",
            store=g.store.name,
            n=usual,
        )
    return say(
        "%(store)s usually answers within %(n)s min.", store=g.store.name, n=usual
    )


def _report_from(order: Order) -> datetime | None:
    """From when its customer may say that nothing came, while that is still to come."""
    opens = orders.not_received.opens_at(order)
    is_ahead = order.state == "completed" and opens is not None and opens > clock.now()
    return opens if is_ahead else None


def _ahead(view: OrderView, order: Order) -> list[str]:
    """The steps still to come; before the payment, with how long the last one usually takes."""
    steps = [say(step) for step in AHEAD.get(order.state, ())]
    usual = view.now.estimate(order.network, order.bundle_id)
    if order.state == "pending" and usual is not None:
        steps[-1] = say(
            "Delivered, usually within %(time)s of the confirmed payment",
            time=usual.within,
        )
    return steps


def _is_true(slug: str, before: Order, shown: str) -> bool:
    """Whether the page of an order, as it was and as it was `shown`, has nothing new to say."""
    view = order_view.by_code(slug, before.code, is_whole=False)
    if view is None or view.order is None:
        return False
    orders.watch(view.order)
    is_same = (view.order.id, view.order.version) == (before.id, before.version)
    return is_same and _mark(_said(view, view.order)) == shown


class Said(NamedTuple):
    """What may change without a new version: the interval step and words that depend on age."""

    poll_s: float | None
    words: Words
    ahead: list[str]
    may_report: bool
    away: str


def _said(view: OrderView, order: Order) -> Said:
    return Said(
        orders.next_poll_s(order),
        orders.customer_words(order, view.store, view.now, view.bundle),
        _ahead(view, order),
        orders.not_received.may_report(order),
        opening_hours.handled(view.store) if order.state == "pending" else "",
    )


def _mark(said: Said) -> str:
    """A short mark of it, the same for the same."""
    return f"{zlib.crc32(str(tuple(said)).encode()):08x}"
