"""From the store page to an order: the two posts, of the shop and of the review page.

Decides which page answers which kind of post. What may be ordered is decided by `core.orders`; the
door has already checked host, origin and size. The first post keeps a draft and nothing else, and
so needs no token; the confirmed one is checked here, because only this view can show the review
again with everything kept.
"""

from __future__ import annotations

from dataclasses import replace

from flask import Response, g, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from core import orders, stores
from core.base import browsers
from core.base.language import later, say
from core.stores import Store
from storefront import bp, device, review
from storefront.addresses import own
from storefront.forms import OrderForm
from storefront.views import store_page

STALE = later(
    "This page had grown old, so nothing has been ordered yet. Check it once more and press the"
    " button again."
)
SLOW_DOWN = later(
    "Very many orders come from your connection just now, so this one has not been placed. "
    "Wait a minute and press the button again: everything is kept."
)
UNREADABLE = later(
    "Something in this form was not readable, so nothing has been ordered yet. Check it and press"
    " the button again."
)


def read_store(slug: str) -> Store | None:
    """The store of a post. For one that begins an order, what that is checked by comes in the same
    exchange: `g.wanted`."""
    g.form, g.wanted = OrderForm.parse(request.form), None
    form: OrderForm = g.form
    if form.errors or form.confirmed or request.args.get("change") == "1":
        return stores.by_slug_at_once(slug)
    assert form.bundle_id is not None and form.recipient_msisdn is not None
    g.wanted = wanted = orders.wanted_at(slug, form.bundle_id, form.recipient_msisdn)
    return wanted.store if wanted is not None else None


@bp.post("/orders")
def create_order() -> Response | BaseResponse:
    """Keep a draft and go to its review page, or, when confirmed, place the order. `?change=1` goes
    back to the shop."""
    form: OrderForm = g.form
    if request.args.get("change") == "1":
        return store_page(form)
    if form.errors:
        return store_page(form, 422, form.errors)
    try:
        if form.confirmed:
            return _confirmed(form)
        return review.begin(form)
    except orders.OrderRefused as refusal:
        status = 429 if isinstance(refusal, orders.TooManyOrders) else 422
        leads_back = review.back_to_it(form, status) if form.confirmed else None
        return leads_back or store_page(form, status, {"": refusal.sentence})


def _confirmed(form: OrderForm) -> Response | BaseResponse:
    if not browsers.keeps_ours(request.cookies):
        return review.no_cookies_page(form)
    if not _is_ours():
        return review.ask_again(form, 400, say(STALE))
    if form.idempotency_key is None or form.price_is_bad:
        return review.review_page(
            replace(form, idempotency_key=None), 422, say(UNREADABLE)
        )
    if "slow_down_s" in g:
        return review.ask_again(form, 429, say(SLOW_DOWN), g.slow_down_s)
    assert form.bundle_id is not None and form.recipient_msisdn is not None
    try:
        placed = orders.place(
            bundle_id=form.bundle_id,
            recipient_msisdn=form.recipient_msisdn,
            idempotency_key=form.idempotency_key,
            price_seen_pesewas=form.price_seen_pesewas,
            repeat_confirmed=form.repeat_confirmed,
            caller=device.caller(g.store.id),
            online=form.pays_online,
            by_prompt=form.by_prompt,
        )
    except orders.TooManyOpen as many:
        return review.ask_again(
            form,
            429,
            many.sentence,
            many.wait_s,
        )
    except orders.PriceChanged as moved:
        return review.ask_again(
            form, 422, review.price_sentence(form, moved.price_pesewas)
        )
    except (orders.RepeatAsked, orders.NotPaidOnline) as refusal:
        return review.ask_again(form, 422, refusal.sentence)
    g.order_created = placed.created
    response = redirect(own(_page_after(placed.order, form)), 303)
    device.remember(response, g.store.id, placed.order.code)
    return response


def _page_after(order: orders.Order, form: OrderForm) -> str:
    """Where its customer goes on: the order's page, or where it is paid."""
    page = f"/orders/{order.code}"
    if order.state != "awaiting_payment":
        return page
    return page + ("/prompt" if form.by_prompt else "/pay")


def _is_ours() -> bool:
    """Whether this very browser was given the form; the edge has looked at its token."""
    return bool(g.get("form_token_fits")) and device.owns_session(g.store.id)
