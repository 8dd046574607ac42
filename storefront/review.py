"""The step between the shop and an order: what is about to be ordered, kept as a draft and shown
for a last look.

Decides what the review page shows and to whom: to the browser in which it was begun. What may be
ordered is decided by `core.orders`; the confirmed form is taken by `checkout`.
"""

from __future__ import annotations

from datetime import datetime

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

from core import availability, catalog, opening_hours, orders
from core.availability import Now
from core.base import browsers, clock, money, phones
from core.base.language import later, say
from core.base.sms import message
from core.orders import Order
from core.stores import Store
from storefront import bp, device
from storefront.addresses import own
from storefront.forms import OrderForm, new_key
from storefront.views import FOLLOW, store_page

SLOW_DOWN = later(
    "Very many orders are begun from your connection just now. Wait a minute and press Continue"
    " again: everything is kept."
)
GONE = later(
    "What you choose here is kept for an hour, and for the browser in which you chose it. If you"
    " pressed Yes, the order has been placed and has a page of its own."
)

_REFUSED = "refused"
"""What the session holds between a confirmed form that was not taken and its review page."""


def begin(form: OrderForm) -> Response | BaseResponse:
    """Keep a form that can be used as a draft and go to its review page. Raises
    `orders.OrderRefused`."""
    assert form.bundle_id is not None and form.recipient_msisdn is not None
    line = orders.check(form.bundle_id, form.recipient_msisdn, g.wanted).line
    if "slow_down_s" in g:
        response = store_page(form, 429, {"": say(SLOW_DOWN)})
        response.headers["Retry-After"] = str(g.slow_down_s)
        return response
    draft_id = orders.draft(
        bundle_id=form.bundle_id,
        recipient_msisdn=form.recipient_msisdn,
        recipient_text=form.recipient_text,
        price_pesewas=line.price_pesewas,
        key=new_key(),
        caller=device.caller(g.store.id),
    )
    g.draft_made = True
    to_review = redirect(own(f"/review/{draft_id}"), 303)
    device.greet(to_review, g.store.id)
    return to_review


def read_store(slug: str) -> Store | None:
    """The store of a review page, and in the same exchange its draft: `g.drafted`."""
    draft_id = (request.view_args or {})["draft_id"]
    found = orders.drafted_at(slug, draft_id, device.caller)
    if found is None:
        return None
    store, g.drafted = found
    return store


@bp.get("/review/<draft_id>")
def show_review(draft_id: str) -> Response:
    """The review page of a draft; of one that has become an order, which order that is."""
    is_known = browsers.keeps_ours(request.cookies)
    if not is_known and not _is_opened_elsewhere():
        return no_cookies_page()
    found = g.drafted if is_known else None
    if found is None:
        page = render_template(
            "storefront/error.html",
            title=say("This page has been put away"),
            sentence=say(GONE),
            advice=say("Choose the bundle again."),
        )
        return make_response(page, 404)
    if found.order is not None:
        return _placed_page(found.order)
    form = OrderForm.of_draft(found.draft)
    try:
        return _as_refused(draft_id, form) or review_page(form)
    except orders.TooManyOrders as refusal:
        return _kept_by_nobody(store_page(form, 429, {"": refusal.sentence}))
    except orders.OrderRefused as refusal:
        return _kept_by_nobody(store_page(form, 422, {"": refusal.sentence}))


def ask_again(
    form: OrderForm, status: int, sentence: str, wait_s: int | None = None
) -> Response | BaseResponse:
    """Lead a confirmed form that was not taken back to its review page, which says why, once.

    One whose draft is gone has no page to go to. Raises `orders.OrderRefused` as `review_page`
    does.
    """
    leads_back = back_to_it(form, status)
    if leads_back is None:
        return review_page(form, status, sentence, wait_s)
    session[_REFUSED] = [
        leads_back.location.rpartition("/")[2],
        status,
        sentence,
        wait_s,
    ]
    return leads_back


def back_to_it(form: OrderForm, status: int) -> BaseResponse | None:
    """To the review page of a confirmed form that was refused with `status`; None when its draft is
    gone.

    An answer to the post itself would stand in the browser's history, and Back from the order would
    offer to send it again. What cannot be ordered just now is said by the page each time it is
    asked for, until it can.
    """
    assert form.bundle_id is not None and form.recipient_msisdn is not None
    caller = device.caller(g.store.id)
    draft_id = orders.draft_of(
        form.idempotency_key or "", form.bundle_id, form.recipient_msisdn, caller
    )
    if draft_id is None:
        return None
    g.refused_as = status
    return redirect(own(f"/review/{draft_id}"), 303)


def _as_refused(draft_id: str, form: OrderForm) -> Response | None:
    """The review page with what `ask_again` had to say about this draft; None when that was said,
    or is about another."""
    if _REFUSED not in session or session[_REFUSED][0] != draft_id:
        return None
    _id, status, sentence, wait_s = session.pop(_REFUSED)
    return review_page(form, status, sentence, wait_s)


def _is_opened_elsewhere() -> bool:
    """Whether no page of ours led here: a link from a chat, or the address typed in another
    browser."""
    return request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin"


def review_page(
    form: OrderForm, status: int = 200, sentence: str = "", wait_s: int | None = None
) -> Response:
    """The last look before an order exists. Raises `orders.OrderRefused` when it could not be
    placed anyway."""
    assert form.bundle_id is not None and form.recipient_msisdn is not None
    orders.look()
    review = orders.check(form.bundle_id, form.recipient_msisdn)
    line = review.line
    earlier = review.earlier
    if form.price_seen_pesewas not in (None, line.price_pesewas) and not sentence:
        sentence = price_sentence(form, line.price_pesewas)
    device.bind_session(g.store.id)
    page = render_template(
        "storefront/review.html",
        form=form,
        errors={"": sentence} if sentence else {},
        key=form.idempotency_key or new_key(),
        line=line,
        network_name=phones.NETWORKS[line.network].name,
        network_with_article=_with_article(line.network),
        mismatch_with_article=(
            _with_article(review.mismatch_network) if review.mismatch_network else ""
        ),
        away="" if review.pays_online else opening_hours.handled(g.store),
        pays_online=review.pays_online,
        by_prompt=review.by_prompt,
        estimate=_estimate(line, review.now),
        earlier=earlier,
        earlier_is_ours=earlier is not None
        and earlier.code in device.codes(g.store.id),
        earlier_ago=_ago(earlier.created_at) if earlier else "",
    )
    response = _kept_by_nobody(make_response(page, status))
    if wait_s is not None:
        response.headers["Retry-After"] = str(wait_s)
    device.greet(response, g.store.id)
    return response


def no_cookies_page(form: OrderForm | None = None) -> Response:
    """For a browser that keeps no cookies: nothing can be ordered in it, and how to order anyway.

    Raises `orders.OrderRefused` when what the form asks for could not be ordered by anybody.
    """
    wish = message("Hello, I would like to order data.")
    if (
        form is not None
        and form.bundle_id is not None
        and form.recipient_msisdn is not None
    ):
        line = orders.check(form.bundle_id, form.recipient_msisdn).line
        bundle = f"{phones.NETWORKS[line.network].name} {line.size_text}"
        wish = message(
            "Hello, I would like %(bundle)s for %(number)s.",
            bundle=bundle,
            number=phones.show(form.recipient_msisdn),
        )
    page = render_template("storefront/no_cookies.html", wish=wish)
    return _kept_by_nobody(make_response(page, 400))


def price_sentence(form: OrderForm, price_pesewas: int) -> str:
    now = f"GH₵ {money.format_ghs(price_pesewas)}"
    if form.price_seen_pesewas is None:
        return say("The price is %(now)s now. Nothing has been ordered yet.", now=now)
    was = f"GH₵ {money.format_ghs(form.price_seen_pesewas)}"
    return say(
        "The price has changed from %(was)s to %(now)s. Nothing has been ordered yet.",
        was=was,
        now=now,
    )


def _placed_page(order: Order) -> Response:
    """What Back shows after the order: which one it became, and no button that could order again
    unseen."""
    page = render_template(
        "storefront/placed.html",
        order=order,
        network_name=phones.NETWORKS[order.network].name,
        can_repeat=not order.is_masked and g.store.is_open and _is_sold(order),
    )
    return _kept_by_nobody(make_response(page))


def _is_sold(order: Order) -> bool:
    can_buy = availability.now().why_not(order.network, order.bundle_id) is None
    return (
        can_buy
        and not opening_hours.is_shut(g.store)
        and catalog.shelf_line(order.bundle_id) is not None
    )


def _kept_by_nobody(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response


def _estimate(line: catalog.ShelfLine, now: Now) -> str:
    """How long it usually takes, when that may be said; else what is true of every order."""
    usual = now.estimate(line.network, line.bundle_id)
    if usual is None:
        return say(FOLLOW)
    within = say(
        "Usually within %(time)s once %(store)s has your payment.",
        time=usual.within,
        store=g.store.name,
    )
    return f"{within} {usual.how_right}"


def _with_article(network: str) -> str:
    """As spoken: "an MTN", "a Telecel", "an AT"."""
    name = phones.NETWORKS[network].name
    if network == "telecel":
        return say("a %(network)s", network=name)
    return say("an %(network)s", network=name)


def _ago(moment: datetime) -> str:
    minutes = int((clock.now() - moment).total_seconds() // 60)
    if minutes < 1:
        return say("less than a minute ago")
    if minutes == 1:
        return say("a minute ago")
    return say("%(n)s minutes ago", n=minutes)
