"""Pages that only the device which placed an order may open: one door for all of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from flask import Response, g, make_response, render_template, request, session
from werkzeug.wrappers import Response as BaseResponse

from core import orders
from core.base.language import later, say
from core.orders import Order
from storefront import device

Answer = Response | BaseResponse

_SAID = "refused"
"""What the session holds between a press that was refused and its order's page."""
NOT_THIS_PAGE = later("This form does not belong to this browser, so nothing was done.")
OPEN_AGAIN = later("Open the order's page once more and press again.")


def for_its_device(
    title: str, sentence: str
) -> Callable[[Callable[[Order], Answer]], Callable[[str], Answer]]:
    """A view of one order, for the device that placed it alone. Others read `title` and `sentence`,
    in which `%(store)s` is the store's name."""

    def wrap(view: Callable[[Order], Answer]) -> Callable[[str], Answer]:
        @wraps(view)
        def looked(code: str) -> Answer:
            order = orders.by_code(code)
            if order is None:
                return unknown()
            if not is_ours(order):
                said = say(sentence, store=g.store.name)
                advice = say("Open this page where you ordered, or message the store.")
                return refusal(say(title), said, advice, 403)
            if request.method == "POST" and not device.owns_session(g.store.id):
                return refusal(say(title), say(NOT_THIS_PAGE), say(OPEN_AGAIN), 403)
            return view(order)

        return looked

    return wrap


def is_ours(order: Order) -> bool:
    """Whether this device placed the order."""
    return order.code in device.codes(g.store.id)


def say_refused(order: Order, sentence: str) -> None:
    """Have the order's page say, once, why a press on it was refused: the press itself leads there,
    so that a reload sends nothing."""
    session[_SAID] = [order.code, sentence]


def said_refused(order: Order) -> str:
    """What `say_refused` kept for this order, once; empty when there is nothing."""
    code, sentence = session.get(_SAID) or ("", "")
    if code != order.code:
        return ""
    session.pop(_SAID)
    return str(sentence)


def unknown() -> Response:
    sentence = say(
        "No order here has this code. Codes have ten letters and digits, like K7QM-2XR9-4T."
    )
    return refusal(
        say("We do not know this order"),
        sentence,
        say("Check the code letter by letter."),
        404,
    )


def refusal(title: str, sentence: str, advice: str, status: int) -> Response:
    page = render_template(
        "storefront/error.html", title=title, sentence=sentence, advice=advice
    )
    return make_response(page, status)
