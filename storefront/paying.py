"""Paying an order online: the page that leads to the gateway, the way back, and another try.

Decides what is shown and where it leads. No call is made here: an attempt is opened, and looked up,
by a worker. Nothing that comes back in an address is believed; it only has the gateway asked.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    paying = online.paying(order.id)
    came_late = [paying] if paying is not None and paying.order_id != order.id else []
    shown = {
        "said": orders.paying.of_payments(order, [*tries, *came_late]),
        "pays_others": _pays_others(order, tries),
        "back": orders.paying.of_refund(order, g.store.name),
        "waits": order.state == "awaiting_payment",
    }
    return shown | _awaited(order, tries) if shown["waits"] else shown


def _awaited(order: Order, tries: Sequence[OnlinePayment]) -> dict[str, Any]:
    """What is offered while a payment is awaited."""
    may_ask = taking.may_be_asked(order)
    may_try = may_ask and is_ours(order) and taking.may_try(tries)
    offered = {
        "may_pay": False,
        "is_prompt": False,
        "has_failed": False,
        "may_try": may_try,
        "by_prompt": may_try and online.prompts.are_on(),
        "until": online.expires_at(order.created_at),
        "after": 0,
    }
    return offered | (_of_newest(order, tries[0], may_ask) if tries else {})


def _of_newest(order: Order, newest: OnlinePayment, may_ask: bool) -> dict[str, Any]:
    is_prompt = newest.way == "prompt"
    may_see = is_ours(order) or not is_prompt
    return {
        "may_pay": may_ask and may_see and newest.state in online.OPEN,
        "is_prompt": is_prompt,
        "has_failed": newest.state == "failed",
        "after": newest.id,
        "until": online.expires_at(newest.created_at),
    }


def _pays_others(order: Order, tries: Sequence[OnlinePayment]) -> list[str]:
    """The codes of orders that late payments for this one pay."""
    ids = {one.pays_order_id for one in tries} - {None, order.id}
    return [orders.by_id(id_).code for id_ in sorted(id_ for id_ in ids if id_)]


def _to_pay(order: Order) -> OnlinePayment | None:
    """The attempt at which this order may be paid now, or which is about to be opened."""
    if order.state != "awaiting_payment" or not taking.may_be_asked(order):
        return None
    newest = next(iter(online.of_order(order.id)), None)
    is_page = newest is not None and newest.way == "page"
    return newest if newest and is_page and newest.state in online.OPEN else None


def _kept_by_nobody(response: Answer) -> Answer:
    response.headers["Cache-Control"] = "no-store"
    return response
