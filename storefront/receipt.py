"""The receipt of an order: a page to print and to share, with a code that leads to the order.

Decides how it is laid out and what a device sees of the number: as on the order's page. What it may
claim is decided in `core.orders.receipts`.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

from flask import Response, g, make_response, render_template
from markupsafe import Markup

from core import orders
from core.base import clock, config, phones
from core.base.sms import message
from core.order_view import OrderView
from storefront import bp, theme
from storefront.addresses import own
from storefront.own_order import is_ours, unknown

_MASK = 2
"""One of the eight patterns of a QR code. Any can be read; to choose the best of them takes longer
than the page."""


@bp.get("/orders/<code>/receipt")
def show_receipt(code: str) -> Response:
    view: OrderView = g.view
    order = view.order
    if order is None:
        return unknown()
    address = config.current().address(g.store.slug) + own(f"/orders/{order.code}")
    page = render_template(
        "storefront/receipt.html",
        order=order,
        ours=is_ours(order),
        network_name=phones.NETWORKS[order.network].name,
        words=orders.customer_words(order, g.store, view.now, view.bundle),
        moments=[(what, _when(at)) for what, at in orders.receipts.moments(order)],
        payment=orders.receipts.payment_words(order, g.store.name),
        shown_at=_when(clock.now()),
        address=address,
        qr=_qr(address),
        style=theme.stylesheet(g.store.colour, "receipt.css"),
        share_text=message(
            "Receipt of order %(code)s at %(store)s:",
            code=order.shown_code,
            store=g.store.name,
        ),
    )
    response = make_response(page)
    response.headers["Cache-Control"] = "no-store"
    return response


def _when(moment: datetime) -> str:
    """With its day and year, since paper is kept."""
    local = moment.astimezone(clock.ACCRA)
    return f"{local.day} {local:%b %Y, %H:%M}"


@lru_cache(maxsize=512)
def _qr(address: str) -> Markup:
    """An SVG element."""
    import segno  # a process that shows no receipt stays light

    code = segno.make(address, error="m", micro=False, mask=_MASK)
    drawn = code.svg_inline(border=2, omitsize=True, svgclass=None, lineclass=None)
    return Markup(drawn)  # noqa: S704 - made of numbers only
