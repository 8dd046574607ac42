"""An order seen by its customer: its page, the part of it that polls, cancelling, and finding it by
code.

Decides who sees the whole number (the ordering device) and when the poll has something new to say.
States, words and intervals come from `core.orders`.
"""

from __future__ import annotations

import math
import zlib

from flask import (
    Response,
    g,
    make_response,
    redirect,
    render_template,
    request,
    session,
)
from werkzeug.wrappers import Response as BaseResponse

from core import audit, order_view, orders
from core.base import phones, text_input
from core.base.language import later, say
from core.base.sms import message
from core.order_view import OrderView
from core.orders import Order
from storefront import bp, device
from storefront.addresses import own

LEAST_REFRESH_S = 5
"""Without JavaScript the whole page is loaded again, so never more often than this."""

_REFUSED = "refused"
"""What the session holds between a cancel that was refused and its order's page."""
NOT_THIS_PAGE = later("This form does not belong to this browser, so nothing was done.")
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
        return _unknown()
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
    shown = _shown(view, order)
    if (
        request.args.get("v") == str(order.version)
        and request.args.get("s", shown) == shown
    ):
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
def cancel_order(code: str) -> Response | BaseResponse:
    """Cancel a pending order, from the device that made it."""
    order = orders.by_code(code)
    if order is None:
        return _unknown()
    if not _ours(order):
        sentence = say(
            "Only the phone or computer that placed this order can cancel it here. %(store)s can"
            " cancel it too.",
            store=g.store.name,
        )
        return _refusal(
            say("Not cancelled"),
            sentence,
            say("Open this page where you ordered, or message the store."),
            403,
        )
    if not device.owns_session(g.store.id):
        return _refusal(
            say("Not cancelled"),
            say(NOT_THIS_PAGE),
            say("Open the order's page once more and press again."),
            403,
        )
    try:
        orders.cancel(order.code, audit.CUSTOMER)
    except orders.OrderRefused as refusal:
        session[_REFUSED] = [order.code, refusal.sentence]
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
    wrong = (
        say("Type the code of your order.")
        if not shown
        else say("No order here has this code. Check it letter by letter.")
    )
    page = render_template(
        "storefront/track.html",
        typed=shown,
        errors={"code": wrong},
    )
    return make_response(page, 404 if shown else 422)


def _order_page(view: OrderView, order: Order) -> Response:
    if order.state == "pending" and _ours(order):
        device.bind_session(g.store.id)
    poll_s = orders.next_poll_s(order)
    can_buy = view.now.why_not(order.network, order.bundle_id) is None
    still_sold = g.store.is_open and can_buy and view.is_sold
    page = render_template(
        "storefront/order.html",
        **_status_inputs(view, order),
        notice=_refused(order),
        network_name=phones.NETWORKS[order.network].name,
        again_id=order.bundle_id if still_sold else None,
        refresh_s=max(LEAST_REFRESH_S, math.ceil(poll_s)) if poll_s else None,
        chat_text=message("Hello, about my order %(code)s.", code=order.shown_code),
        share_text=message(
            "Order %(code)s at %(store)s:", code=order.shown_code, store=g.store.name
        ),
    )
    return make_response(page)


def _refused(order: Order) -> str:
    """Why a cancel of this order was refused, said once: the press itself leads here, so that a
    reload sends nothing."""
    code, sentence = session.get(_REFUSED) or ("", "")
    if code != order.code:
        return ""
    session.pop(_REFUSED)
    return str(sentence)


def _status_inputs(view: OrderView, order: Order) -> dict[str, object]:
    """What `_order_status.html` needs, the same in the page and alone."""
    poll_s = orders.next_poll_s(order)
    return {
        "order": order,
        "words": orders.customer_words(order, g.store, view.now, view.bundle),
        "may_pay": orders.held_up.may_pay(order, view.now, view.bundle),
        "bundle": view.bundle,
        "events": [event for event in view.events if event.customer_text],
        "ahead": _ahead(view, order),
        "ours": _ours(order),
        "poll_ms": round(poll_s * 1_000) if poll_s else None,
        "status_url": own(
            f"/orders/{order.code}/status?v={order.version}&s={_shown(view, order)}"
        ),
    }


def _ahead(view: OrderView, order: Order) -> list[str]:
    """The steps still to come; the last one with this store's own recent record, when it has
    one."""
    steps = [say(step) for step in AHEAD.get(order.state, ())]
    usual = orders.usual_of(view.lately, order.network, view.now) if steps else None
    if usual is not None:
        steps[-1] = say("Delivered: lately about %(n)s min after payment", n=usual)
    return steps


def _shown(view: OrderView, order: Order) -> str:
    """A short mark of what may change without a new version: the interval step and words that
    depend on age."""
    words = orders.customer_words(order, g.store, view.now, view.bundle)
    may_promise = view.now.may_promise(order.network)
    text = f"{orders.next_poll_s(order)}|{words.label}|{words.sentence}|{may_promise}"
    return f"{zlib.crc32(text.encode()):08x}"


def _ours(order: Order) -> bool:
    return order.code in device.codes(g.store.id)


def _unknown() -> Response:
    sentence = say(
        "No order here has this code. Codes have ten letters and digits, like K7QM-2XR9-4T."
    )
    return _refusal(
        say("We do not know this order"),
        sentence,
        say("Check the code letter by letter."),
        404,
    )


def _refusal(
    title: str,
    sentence: str,
    advice: str,
    status: int,
) -> Response:
    page = render_template(
        "storefront/error.html", title=title, sentence=sentence, advice=advice
    )
    return make_response(page, status)
