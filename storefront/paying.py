"""Paying an order online: the page that leads to the gateway, the way back, and another try.

Decides what is shown and where it leads. No call is made here: an attempt is opened, and looked up,
by a worker. Nothing that comes back in an address is believed; it only has the gateway asked.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, TypeVar

from flask import Response, g, make_response, redirect, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from core import online, orders, taking
from core.base import clock, phones
from core.base.language import later
from core.online import OnlinePayment
from core.orders import Order
from storefront import bp
from storefront.addresses import own
from storefront.own_order import for_its_device, is_ours, say_refused, unknown

Answer = TypeVar("Answer", bound=BaseResponse)
REFRESH_S = 2
SLOW = timedelta(seconds=20)
"""Longer than opening a payment usually takes, by far."""
_LONGEST_REFERENCE = 100


@bp.get("/orders/<code>/pay")
def show_pay(code: str) -> Response | BaseResponse:
    """Leads to the page at the gateway once there is one, and is loaded again by itself until then.

    A form's answer must lead to pages of ours alone, so the first look never leads away.
    """
    order = orders.by_code(code)
    if order is None:
        return unknown()
    newest = _to_pay(order)
    if newest is None:
        return redirect(own(f"/orders/{order.code}"), 303)
    address = newest.authorization_url if newest.state == "open" else None
    if address and "go" in request.args:
        return _kept_by_nobody(redirect(address, 303))
    goes_to = own(f"/orders/{order.code}/pay{'?go=1' if address else ''}")
    page = render_template(
        "storefront/pay.html",
        order=order,
        network_name=phones.NETWORKS[order.network].name,
        is_open=address is not None,
        is_slow=clock.now() - newest.created_at > SLOW,
        goes_to=goes_to,
    )
    response = make_response(page)
    response.headers["Refresh"] = f"{0 if address else REFRESH_S};url={goes_to}"
    return _kept_by_nobody(response)


@bp.get("/orders/<code>/back")
def come_back(code: str) -> Response | BaseResponse:
    """Where the gateway sends its customer, in whatever browser: it is asked, and the order's page
    says what came of it."""
    order = orders.by_code(code)
    if order is None:
        return unknown()
    taking.returned(order, request.args.get("reference", "")[:_LONGEST_REFERENCE])
    return _kept_by_nobody(redirect(own(f"/orders/{order.code}"), 303))


@bp.post("/orders/<code>/pay")
@for_its_device(
    later("Not opened"),
    later(
        "Only the phone or computer that placed this order can try again to pay it here. %(store)s"
        " can help too."
    ),
)
def pay_again(order: Order) -> BaseResponse:
    """Another try to pay, with a reference of its own; `after` is the one that the page showed."""
    after = request.form.get("after", "")
    try:
        taking.try_again(order.code, int(after) if after.isdecimal() else 0)
    except orders.OrderRefused as refused:
        say_refused(order, refused.sentence)
        return redirect(own(f"/orders/{order.code}"), 303)
    return redirect(own(f"/orders/{order.code}/pay"), 303)


def panel(order: Order) -> dict[str, Any] | None:
    """What an order's page shows of its payments; None for one that is paid to its store."""
    if not order.paid_online:
        return None
    tries = online.of_order(order.id)
    newest = tries[0] if tries else None
    waits = order.state == "awaiting_payment" and newest is not None
    may_ask = waits and taking.may_be_asked(order)
    return {
        "said": orders.paying.of_payments(order, tries),
        "back": orders.paying.of_refund(order, g.store.name),
        "waits": waits,
        "may_pay": may_ask and newest is not None and newest.state in online.OPEN,
        "may_try": may_ask and is_ours(order) and taking.may_try(tries),
        "has_failed": waits and newest is not None and newest.state == "failed",
        "after": newest.id if newest is not None else 0,
        "until": online.expires_at(newest.created_at) if newest is not None else None,
    }


def _to_pay(order: Order) -> OnlinePayment | None:
    """The attempt at which this order may be paid now, or which is about to be opened."""
    if order.state != "awaiting_payment" or not taking.may_be_asked(order):
        return None
    newest = next(iter(online.of_order(order.id)), None)
    return newest if newest is not None and newest.state in online.OPEN else None


def _kept_by_nobody(response: Answer) -> Answer:
    response.headers["Cache-Control"] = "no-store"
    return response
