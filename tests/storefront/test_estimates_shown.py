"""How long deliveries take, as customers and agents read it on their pages."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from store_customers import parse_clean, plain, set_order

from core import orders
from core.audit import Actor
from core.base import clock
from tests.support.deliveries import deliver, estimate, renew

pytestmark = pytest.mark.slow(seconds=0.1)

AMA = Actor("agent", "Ama")


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", plain(html)))


@pytest.fixture
def released(shop, bundle, as_store):
    """A customer, and the address of an order of theirs that the agent has processed."""

    def release():
        customer = shop("ama")
        code = customer.order(bundle())
        as_store("ama", lambda: orders.release(code, AMA))
        return customer, code

    return release


def test_the_shop_says_it_at_each_network_that_knows_it(shop):
    fresh = text_of(shop("ama").get("/").text)
    assert "Usually" not in fresh and "Delivered" not in fresh
    estimate()
    estimate("at", minutes=60, in_time=45, estimated=50)
    html = shop("ama").get("/").text
    parse_clean(html)
    for network, said in (
        (
            "mtn",
            "Usually within 40 min. Right for 93 of 100 last week.",
        ),
        (
            "at",
            "Usually within 1 hour. Right for 45 of 50 last week.",
        ),
    ):
        part = re.search(rf'<div class="net" id="{network}".*?</div>', html, re.DOTALL)
        assert part is not None and said in text_of(part[0])
    assert html.count("Usually") == 2
    starts = "Times count from when Ama's Data has your payment."
    assert starts in text_of(html).replace("&#39;", "'") and starts not in fresh


def test_a_closed_shop_says_nothing_of_the_next_delivery(shop, change_store):
    estimate()
    change_store("ama", status="closed")
    assert "Usually" not in shop("ama").get("/").text


def test_a_form_that_comes_back_says_it_too(shop):
    estimate()
    back = shop("ama").post("/orders", {"bundle": "", "recipient": "12"})
    assert back.status_code == 422 and "Usually within 40 min" in back.text


def test_the_shop_shows_what_it_delivered(app, shop, bundle):
    code = shop("ama").order(bundle())
    deliver(code, [21.5] * 12)
    renew(app)
    html = shop("ama").get("/").text
    parse_clean(html)
    assert (
        "Delivered 12 orders in the last 30 days, half of them within 22 min."
        in text_of(html)
    )
    assert "Delivered" not in text_of(shop("kofi").get("/").text)


def test_the_review_says_it_or_where_to_look(shop, bundle):
    customer, mtn = shop("ama"), bundle()
    assert "The order page always says where your data is." in customer.review(mtn).text
    estimate()
    html = customer.review(mtn).text
    parse_clean(html)
    said = "Usually within 40 min once Ama's Data has your payment. Right for 93 of 100"
    assert said in text_of(html).replace("&#39;", "'")
    assert "The order page always" not in html


def test_before_the_payment_the_last_step_says_it(shop, bundle):
    estimate()
    customer = shop("ama")
    page = text_of(customer.get(f"/orders/{customer.order(bundle())}").text)
    assert "Delivered, usually within 40 min of the confirmed payment" in page


@pytest.mark.parametrize("state", ["queued", "submitting", "processing"])
def test_an_order_says_by_when_it_is_usually_done_and_then_what_next(
    app, released, clocks, state
):
    estimate()
    customer, code = released()
    now = clock.now()
    set_order(app, "ama", code, state=state, submitted_at=now, processing_at=now)
    by = (now + timedelta(minutes=40)).astimezone(clock.ACCRA)
    page = customer.get(f"/orders/{code}").text
    parse_clean(page)
    assert re.search(rf"Usually done by (\d+ \w+ )?{by:%H:%M}\.", text_of(page))
    assert "longer than usual" not in page
    clocks.pass_by(41 * 60)
    set_order(
        app,
        "ama",
        code,
        submitted_at=clock.now(),
        next_look_at=clock.now() + timedelta(minutes=10),
    )
    page = text_of(customer.get(f"/orders/{code}").text)
    assert "Usually done" not in page
    again = r" We ask the network again at (\d+ \w+ )?\d\d:\d\d\."
    assert re.search(
        rf"It takes longer than usual\.{again if state != 'queued' else ''}"
        r" If you cannot wait, send Ama's Data a message with this code\.",
        page.replace("&#39;", "'"),
    )


@pytest.mark.parametrize("state", ["completed", "failed", "refunded", "cancelled"])
def test_an_order_that_is_over_or_in_trouble_says_neither(app, released, clocks, state):
    estimate()
    customer, code = released()
    now = clock.now()
    over = {} if state == "failed" else {"final_at": now}
    set_order(app, "ama", code, state=state, completed_at=now, failed_since=now, **over)
    for _ in range(2):
        page = customer.get(f"/orders/{code}").text
        assert "Usually" not in page and "longer than usual" not in page
        clocks.pass_by(41 * 60)


def test_an_order_without_an_estimate_promises_nothing(released):
    customer, code = released()
    estimate()
    assert "Usually" not in customer.get(f"/orders/{code}").text


def test_the_page_learns_by_itself_that_the_time_has_passed(released, clocks):
    estimate(minutes=60)
    customer, code = released()
    clocks.pass_by(50 * 60)  # from when on it asks as seldom as ever
    page = customer.get(f"/orders/{code}").text
    address = re.search(rf"/orders/{code}/status\?v=\d+&amp;s=\w+", page)
    assert address is not None
    asks = address[0].replace("&amp;", "&")
    assert customer.get(asks).status_code == 204
    clocks.pass_by(11 * 60)
    answer = customer.get(asks)
    assert answer.status_code == 200 and "longer than usual" in answer.text


def test_the_agent_sees_by_when_their_customer_expects_it(app, released, ama_agent):
    estimate()
    _customer, code = released()
    page = text_of(ama_agent.get(f"/orders/{code}").text)
    assert re.search(r"Usually done by (\d+ \w+ )?\d\d:\d\d", page)
    set_order(app, "ama", code, state="completed", completed_at=clock.now())
    assert "Usually done by" not in ama_agent.get(f"/orders/{code}").text
