"""From the store page to an order: the review step and the confirmed post.

Decides which page answers which kind of post. What may be ordered is decided by `core.orders`; the door has already
checked host, origin and size. The first post changes nothing and so needs no token; the confirmed one is checked here,
because only this view can show the review again with everything kept.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from flask import Response, g, make_response, redirect, render_template, request
from flask_wtf.csrf import validate_csrf
from werkzeug.wrappers import Response as BaseResponse
from wtforms import ValidationError

from core import addresses, buying, clock, money, orders, phones
from storefront import bp, device
from storefront.forms import OrderForm, new_key
from storefront.views import ESTIMATE, store_page

STALE = "This page had grown old, so nothing has been ordered yet. Check it once more and press the button again."
SLOW_DOWN = (
    "Very many orders come from your connection just now, so this one has not been placed. "
    "Wait a minute and press the button again: everything is kept."
)
UNREADABLE = (
    "Something in this form was not readable, so nothing has been ordered yet. Check it and press the button again."
)


@bp.post("/orders")
def create_order() -> Response | BaseResponse:
    """Show the review page, or, when confirmed, place the order and go to its page. `?change=1` goes back."""
    form = OrderForm.parse(request.form)
    if request.args.get("change") == "1":
        return store_page(form)
    if form.errors:
        return store_page(form, 422, form.errors)
    try:
        return _confirmed(form) if form.confirmed else review_page(form)
    except orders.TooManyOrders as refusal:
        return store_page(form, 429, {"": refusal.sentence})
    except orders.Refused as refusal:
        return store_page(form, 422, {"": refusal.sentence})


def _confirmed(form: OrderForm) -> Response | BaseResponse:
    try:
        validate_csrf(form.csrf_token)
    except ValidationError:
        return review_page(form, 400, STALE)
    if form.idempotency_key is None or form.price_is_bad:
        return review_page(replace(form, idempotency_key=None), 422, UNREADABLE)
    if "slow_down_s" in g:
        response = review_page(form, 429, SLOW_DOWN)
        response.headers["Retry-After"] = str(g.slow_down_s)
        return response
    assert form.bundle_id is not None and form.recipient_msisdn is not None
    try:
        placed = orders.place(
            bundle_id=form.bundle_id,
            recipient_msisdn=form.recipient_msisdn,
            idempotency_key=form.idempotency_key,
            price_seen_pesewas=form.price_seen_pesewas,
            repeat_confirmed=form.repeat_confirmed,
            caller=orders.Caller(device.id_of(g.store.id), addresses.key(request.remote_addr)),
        )
    except orders.TooManyOpen as many:
        response = review_page(form, 429, many.sentence)
        response.headers["Retry-After"] = str(many.wait_s)
        return response
    except orders.PriceChanged as moved:
        return review_page(form, 422, _price_sentence(form, moved))
    except orders.RepeatAsked as asked:
        return review_page(form, 422, asked.sentence)
    g.order_created = placed.created
    response = redirect(f"/orders/{placed.order.code}", 303)
    device.remember(response, g.store.id, placed.order.code)
    return response


def review_page(form: OrderForm, status: int = 200, sentence: str = "") -> Response:
    """The last look before an order exists. Raises `orders.Refused` when it could not be placed anyway."""
    assert form.bundle_id is not None and form.recipient_msisdn is not None
    review = orders.check(form.bundle_id, form.recipient_msisdn)
    line, earlier = review.line, review.earlier
    page = render_template(
        "storefront/review.html",
        form=form,
        errors={"": sentence} if sentence else {},
        key=form.idempotency_key or new_key(),
        line=line,
        network_name=phones.NETWORKS[line.network].name,
        network_with_article=_with_article(line.network),
        mismatch_with_article=_with_article(review.mismatch_network) if review.mismatch_network else "",
        estimate=_estimate(line.network),
        earlier=earlier,
        earlier_is_ours=earlier is not None and earlier.code in device.codes(g.store.id),
        earlier_ago=_ago(earlier.created_at) if earlier else "",
    )
    response = make_response(page, status)
    response.headers["Cache-Control"] = "no-store"
    device.greet(response, g.store.id)
    return response


def _estimate(network: str) -> str:
    """An honest sentence: this store's own recent record when there is one, else what is true of every order."""
    usual = orders.usual_minutes(network, buying.now())
    if usual is None:
        return ESTIMATE
    name = phones.NETWORKS[network].name
    return f"Lately {name} orders here took about {usual} min after payment; some take a few hours."


def _price_sentence(form: OrderForm, moved: orders.PriceChanged) -> str:
    now = f"GH₵ {money.format_ghs(moved.price_pesewas)}"
    if form.price_seen_pesewas is None:
        return f"The price is {now} now. Nothing has been ordered yet."
    was = f"GH₵ {money.format_ghs(form.price_seen_pesewas)}"
    return f"The price has changed from {was} to {now}. Nothing has been ordered yet."


def _with_article(network: str) -> str:
    """As spoken: "an MTN", "a Telecel", "an AT"."""
    name = phones.NETWORKS[network].name
    return f"{'a' if network == 'telecel' else 'an'} {name}"


def _ago(moment: datetime) -> str:
    minutes = int((clock.now() - moment).total_seconds() // 60)
    if minutes < 1:
        return "less than a minute ago"
    return "a minute ago" if minutes == 1 else f"{minutes} minutes ago"
