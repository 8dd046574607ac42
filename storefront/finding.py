"""Finding orders by a phone number: only those of this device, and the one whose pay code is typed
with it.

The page is the same, and looks the same rows up, whether or not anybody ever ordered for a number:
it tells nobody who buys here.
"""

from __future__ import annotations

from flask import Response, g, make_response, render_template, request

from core import orders
from core.base import phones, text_input
from core.base.language import later, say
from core.orders import Order
from storefront import bp, device

SLOW_DOWN = later(
    "Too many tries from your connection or for this number. Wait an hour, for one number perhaps"
    " until tomorrow. The link of an order goes on working."
)
WAIT_S = 3_600
"""What who guessed too often is told to wait."""
NO_PAY_CODE = later(
    "A pay code has six digits, like 482 913; it stands on the order's page. Check it digit by"
    " digit, or leave it empty."
)


@bp.get("/track/number")
def track_number() -> Response:
    return _page("", "", {})


@bp.post("/track/number")
def find_by_number() -> Response:
    """Orders for a number, with proof."""
    typed = text_input.one_line(request.form.get("number", ""), 60)
    typed_code = text_input.one_line(request.form.get("pay_code", ""), 20)
    errors: dict[str, str] = {}
    number, pay_code = None, orders.pay_codes.read(typed_code)
    try:
        number = phones.parse(typed)
    except phones.BadNumber as bad:
        errors["number"] = bad.sentence
    if typed_code and pay_code is None:
        errors["pay_code"] = say(NO_PAY_CODE)
    if errors or number is None:
        return _page(typed, typed_code, errors)
    is_over = "slow_down_s" in g
    # of who guesses too often no code is looked at; the device is proof as before
    found = orders.with_proof(
        number, device.codes(g.store.id), None if is_over else pay_code
    )
    if is_over and pay_code is not None and not found:
        response = _page(typed, typed_code, {"": say(SLOW_DOWN)}, 429)
        response.headers["Retry-After"] = str(WAIT_S)
        return response
    g.pay_code_missed = pay_code is not None and not found
    return _page(typed, typed_code, {}, found=found)


def _page(
    typed: str,
    typed_code: str,
    errors: dict[str, str],
    status: int = 0,
    found: list[Order] | None = None,
) -> Response:
    page = render_template(
        "storefront/track_number.html",
        typed=typed,
        typed_code=typed_code,
        errors=errors,
        found=found,
        labels={state: say(look.label) for state, look in orders.LOOKS.items()},
        network_names={key: one.name for key, one in phones.NETWORKS.items()},
    )
    response = make_response(page, status or (422 if errors else 200))
    response.headers["Cache-Control"] = "no-store"
    return response
