"""The order page: who sees what, what polling brings, cancelling, and finding an order again."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import unquote

import pytest
from flask import Response
from store_customers import OTHER_NUMBER, fields, parse_clean, plain, set_order

from core import orders
from core.audit import Actor
from core.base import clock, tenancy
from storefront import device

pytestmark = pytest.mark.slow(seconds=0.1)

AGENT = Actor("agent", "Ama")
WHOLE, MASKED = "024 123 4567", "024 ••• 4567"


def status_url(html: str) -> str:
    return re.search(r'data-hx-get="([^"]+)"', html)[1].replace("&amp;", "&")


def poll_ms(html: str) -> int:
    return int(re.search(r'data-hx-trigger="every (\d+)ms', html)[1])


# Who sees what


def test_the_ordering_device_sees_the_number_and_others_see_it_masked(shop, bundle):
    customer, friend = shop("ama"), shop("ama")
    code = customer.order(bundle())
    mine, theirs = (
        customer.get(f"/orders/{code}").text,
        friend.get(f"/orders/{code}").text,
    )
    assert WHOLE in plain(mine)
    assert (
        MASKED in plain(theirs)
        and WHOLE not in plain(theirs)
        and "4567" in plain(theirs)
    )
    assert "241234567" not in theirs and "0241234567" not in theirs
    for html in (mine, theirs):
        assert f"{code[:4]}-{code[4:8]}-{code[8:]}" in html
        assert "Ordered" in html and "<time " in html
        parse_clean(html)


@pytest.mark.slow(seconds=2.5)
def test_the_device_cookie_is_host_only_signed_and_remembers_twenty(
    app, shop, bundle, change_store, using
):
    using(orders_open_per_device=30)
    customer = shop("ama")
    customer.order(bundle())
    response = customer.post("/orders", fields(customer.review(bundle("at")).text))
    header = next(
        h
        for h in response.headers.getlist("Set-Cookie")
        if h.startswith("__Host-device=")
    )
    for part in ("Secure", "HttpOnly", "Path=/", "SameSite=Lax"):
        assert part in header
    assert "Domain" not in header
    codes = [customer.order(bundle(), f"024 777 00{n:02}") for n in range(21)]
    cookie = customer.client.get_cookie("__Host-device", "ama.localhost")
    assert len(cookie.value) < 500
    assert "024 777 0020" in plain(customer.get(f"/orders/{codes[20]}").text)
    assert "024 777 0001" in plain(customer.get(f"/orders/{codes[1]}").text)
    assert "024 ••• 0000" in plain(
        customer.get(f"/orders/{codes[0]}").text
    )  # the twenty-first is forgotten


@pytest.mark.parametrize("forged", ["", "x", "[]", "WyJBIl0.AAAA", "a" * 5_000, "é"])
def test_a_forged_device_cookie_shows_nothing_more(shop, bundle, forged):
    code = shop("ama").order(bundle())
    friend = shop("ama")
    page = friend.get_carrying(f"/orders/{code}", f"__Host-device={forged}")
    assert (
        page.status_code == 200
        and MASKED in plain(page.text)
        and WHOLE not in plain(page.text)
    )


def test_a_device_cookie_of_one_store_says_nothing_in_another(
    app, shop, bundle, in_store
):
    code = shop("kofi").order(bundle("mtn", "kofi"))
    ids = {slug: in_store(slug, tenancy.current_store_id) for slug in ("ama", "kofi")}
    seen = {}
    for slug, store_id in ids.items():
        with app.test_request_context("/", base_url="http://kofi.localhost"):
            answer = Response()
            device.remember(answer, store_id, code)
        cookie = answer.headers["Set-Cookie"].partition(";")[0]
        seen[slug] = WHOLE in plain(
            shop("kofi").get_carrying(f"/orders/{code}", cookie).text
        )
    assert seen == {"ama": False, "kofi": True}


def test_another_stores_code_is_not_found(shop, bundle):
    code = shop("kofi").order(bundle("mtn", "kofi"))
    assert shop("kofi").get(f"/orders/{code}").status_code == 200
    ama = shop("ama")
    for path in (f"/orders/{code}", f"/orders/{code}/status", f"/track?code={code}"):
        answer = ama.get(path)
        assert answer.status_code == 404, path
        assert "4567" not in answer.text and "Kofi" not in answer.text
    ama.review(bundle())
    token = fields(ama.review(bundle()).text)["csrf_token"]
    assert ama.post(f"/orders/{code}/cancel", {"csrf_token": token}).status_code == 404


@pytest.mark.parametrize("typed", ["{}", "{0}-{1}-{2}", " {0} {1} {2} ", "lower"])
def test_a_code_is_read_however_it_is_typed(shop, bundle, typed):
    code = shop("ama").order(bundle())
    parts = (code[:4], code[4:8], code[8:])
    spelled = (
        code.lower()
        if typed == "lower"
        else code
        if typed == "{}"
        else typed.format(*parts)
    )
    found = shop("ama").get("/track", query_string={"code": spelled})
    assert (found.status_code, found.location) == (303, f"/orders/{code}")
    assert shop("ama").get(f"/orders/{spelled.strip()}").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/orders/ZZZZZZZZZZ",
        "/orders/x",
        "/orders/" + "9" * 3_000,
        "/orders/%FF%FE",
        "/orders/٣",
    ],
)
def test_an_unknown_code_is_not_found_in_the_stores_theme(shop, path):
    page = shop("ama").get(path)
    assert page.status_code == 404 and "See the bundles" in page.text
    assert "data-hx-trigger" not in page.text
    parse_clean(page.text)


# What the page says


def test_while_pending_it_says_what_to_pay_to_whom(shop, bundle, change_store):
    change_store("ama", momo_number="+233240000001", whatsapp="+233240000002")
    customer = shop("ama")
    code = customer.order(bundle())
    html = customer.get(f"/orders/{code}").text
    assert (
        "024 000 0001" in plain(html)
        and "Reference" in plain(html)
        and "Safe to close" in plain(html)
    )
    assert "Pending" in html
    chat = re.search(r'href="(https://wa\.me/233240000002\?text=[^"]+)"', html)[1]
    assert code[:4] in chat
    shared = re.search(r'href="(https://wa\.me/\?text=[^"]+)"', html)[1]
    assert (
        code in shared
        and "4567" not in shared
        and "123" not in shared.replace(code, "")
    )


def test_buying_again_takes_two_taps_and_no_number_in_an_address(shop, bundle):
    customer = shop("ama")
    code = customer.order(bundle())
    html = customer.get(f"/orders/{code}").text
    again = re.search(
        r'<form method="post" action="/orders">(.*?)</form>', html, re.DOTALL
    )[1]
    page = customer.get(customer.post("/orders", fields(again)).location)
    assert (
        page.status_code == 200
        and "Check before you order" in plain(page.text)
        and WHOLE in plain(page.text)
    )
    friend = shop("ama").get(f"/orders/{code}").text
    assert f'href="/?bundle={bundle()}"' in friend
    assert not re.search(r'(?:href|action)="[^"]*(?:4567|1234567)', html + friend)


def test_without_javascript_the_page_reloads_itself_until_it_is_final(
    app, shop, bundle
):
    customer = shop("ama")
    code = customer.order(bundle())
    html = customer.get(f"/orders/{code}").text
    seconds = re.search(
        r'<noscript><meta http-equiv="refresh" content="(\d+)"></noscript>', html
    )[1]
    assert 5 <= int(seconds) <= 60
    set_order(
        app,
        "ama",
        code,
        state="completed",
        completed_at=clock.now(),
        final_at=clock.now(),
    )
    final = customer.get(f"/orders/{code}").text
    assert "Completed" in final and "http-equiv" not in final and "htmx" not in final
    parse_clean(final)


STATES = ["awaiting_payment", *orders.STATES[1:]]


@pytest.mark.parametrize("state", STATES)
def test_every_state_has_a_page_and_polls_only_while_it_may_change(
    app, shop, bundle, state
):
    customer = shop("ama")
    code = customer.order(bundle())
    moments = dict.fromkeys(
        ("processing_at", "completed_at", "failed_since", "submitted_at", "queued_at"),
        clock.now(),
    )
    set_order(app, "ama", code, state=state, **moments)
    page = customer.get(f"/orders/{code}")
    fragment = customer.get(f"/orders/{code}/status")
    assert page.status_code == fragment.status_code == 200
    assert (
        orders.LOOKS[state].label in page.text
        and orders.LOOKS[state].label in fragment.text
    )
    for html in (page.text, fragment.text):
        assert ("data-hx-trigger" in html) == (state not in orders.FINAL)
        parse_clean(html)
    assert "failed" not in page.text.lower() and "unknown" not in page.text.lower()
    assert ("/cancel" in page.text) == (state in ("pending", "awaiting_payment"))


# Polling


def test_the_fragment_is_the_same_in_the_page_and_alone(shop, bundle):
    friend = shop("ama")
    code = shop("ama").order(bundle())
    page, fragment = (
        friend.get(f"/orders/{code}").text,
        friend.get(f"/orders/{code}/status").text,
    )
    assert fragment[fragment.index("<section") :].strip() in page


def test_nothing_new_is_204_and_news_is_a_fresh_fragment(shop, bundle, in_store):
    customer = shop("ama")
    code = customer.order(bundle())
    url = status_url(customer.get(f"/orders/{code}").text)
    assert re.match(rf"/orders/{code}/status\?v=1&", url)
    quiet = customer.get(url)
    assert (quiet.status_code, quiet.data) == (204, b"")
    in_store("ama", lambda: orders.cancel(code, AGENT))
    news = customer.get(url)
    assert news.status_code == 200 and "Cancelled" in news.text
    assert "data-hx-trigger" not in news.text and "data-hx-get" not in news.text
    assert len(news.data) < 2_500


def test_the_version_alone_is_enough_to_ask(shop, bundle):
    code = shop("ama").order(bundle())
    friend = shop("ama")
    assert friend.get(f"/orders/{code}/status?v=1").status_code == 204
    for version in ("2", "0", "", "x", "1.0", "٣", "9" * 400):
        assert (
            friend.get(
                f"/orders/{code}/status", query_string={"v": version}
            ).status_code
            == 200
        )


def test_the_interval_grows_with_age_by_one_fresh_fragment_each(app, shop, bundle):
    customer = shop("ama")
    code = customer.order(bundle())
    html = customer.get(f"/orders/{code}").text
    seen = [poll_ms(html)]
    for age_s in (61, 1_801):
        url = status_url(html)
        set_order(
            app, "ama", code, created_at=clock.now() - clock.delta(age_s), version=0
        )
        html = customer.get(url).text
        assert 'id="order-status"' in html
        seen.append(poll_ms(html))
        assert customer.get(status_url(html)).status_code == 204
    assert seen == sorted(set(seen)) and len(seen) == 3


def test_words_that_change_with_age_alone_are_news(app, shop, bundle):
    customer = shop("ama")
    code = customer.order(bundle())
    set_order(app, "ama", code, state="submitting", submitted_at=clock.now())
    url = status_url(customer.get(f"/orders/{code}").text)
    assert customer.get(url).status_code == 204
    set_order(app, "ama", code, submitted_at=clock.now() - clock.delta(600), version=1)
    news = customer.get(url)
    assert news.status_code == 200 and "Checking with the network" in news.text


def test_polling_an_unknown_order_ends(shop):
    answer = shop("ama").get(
        "/orders/ZZZZZZZZZZ/status?v=1", headers={"HX-Request": "true"}
    )
    assert answer.status_code == 404
    assert 'id="order-status"' in answer.text and "data-hx-" not in answer.text
    assert "<html" not in answer.text


def test_a_poll_gives_no_number_to_a_stranger(shop, bundle):
    code = shop("ama").order(bundle())
    assert "1234567" not in re.sub(
        r"\D", "", shop("ama").get(f"/orders/{code}/status").text
    )


# Cancelling


def cancel(customer, code):
    token = fields(customer.get(f"/orders/{code}").text).get("csrf_token") or fields(
        customer.review(1, OTHER_NUMBER).text
    ).get("csrf_token", "")
    return customer.post(f"/orders/{code}/cancel", {"csrf_token": token})


def test_the_ordering_device_cancels_while_pending(shop, bundle, in_store):
    customer = shop("ama")
    code = customer.order(bundle())
    response = cancel(customer, code)
    assert (response.status_code, response.location) == (303, f"/orders/{code}")
    assert in_store("ama", lambda: orders.by_code(code)).state == "cancelled"
    assert "Nothing was sent" in customer.get(f"/orders/{code}").text
    assert (
        customer.post(f"/orders/{code}/cancel", {"csrf_token": "x"}).status_code == 400
    )


def test_another_device_cannot_cancel(shop, bundle, in_store):
    code = shop("ama").order(bundle())
    friend = shop("ama")
    friend.order(bundle("at"), OTHER_NUMBER)
    token = fields(friend.review(bundle()).text)["csrf_token"]
    refused = friend.post(f"/orders/{code}/cancel", {"csrf_token": token})
    assert refused.status_code == 403 and "Only the phone or computer" in refused.text
    assert "/cancel" not in friend.get(f"/orders/{code}").text
    assert in_store("ama", lambda: orders.by_code(code)).state == "pending"


def test_cancelling_too_late_says_so_and_shows_the_order(shop, bundle, in_store):
    customer = shop("ama")
    code = customer.order(bundle())
    token = fields(customer.get(f"/orders/{code}").text)["csrf_token"]
    in_store("ama", lambda: orders.release(code, AGENT))
    answer = customer.post(f"/orders/{code}/cancel", {"csrf_token": token})
    assert (answer.status_code, answer.location) == (303, f"/orders/{code}"), (
        "a reload sends nothing again"
    )
    page = customer.get(f"/orders/{code}")
    assert page.status_code == 200
    assert "cannot be cancelled" in page.text and "Payment confirmed" in page.text
    assert 'http-equiv="refresh" content="30"' in page.text, "time to read it"
    assert "cannot be cancelled" not in customer.get(f"/orders/{code}").text, (
        "said once"
    )
    assert in_store("ama", lambda: orders.by_code(code)).state == "queued"


def test_a_refused_cancel_is_said_of_its_own_order_alone(shop, bundle, in_store):
    customer = shop("ama")
    gone, waiting = customer.order(bundle()), customer.order(bundle("at"), OTHER_NUMBER)
    token = fields(customer.get(f"/orders/{gone}").text)["csrf_token"]
    in_store("ama", lambda: orders.release(gone, AGENT))
    customer.post(f"/orders/{gone}/cancel", {"csrf_token": token})
    assert "cannot be cancelled" not in customer.get(f"/orders/{waiting}").text
    assert "cannot be cancelled" in customer.get(f"/orders/{gone}").text


def test_cancelling_twice_leads_to_the_cancelled_order(shop, bundle):
    customer = shop("ama")
    code = customer.order(bundle())
    token = fields(customer.get(f"/orders/{code}").text)["csrf_token"]
    for _ in range(2):
        answer = customer.post(f"/orders/{code}/cancel", {"csrf_token": token})
        assert (answer.status_code, answer.location) == (303, f"/orders/{code}")
    assert "Cancelled" in customer.get(f"/orders/{code}").text


def test_cancelling_needs_the_token(shop, bundle, in_store):
    customer = shop("ama")
    code = customer.order(bundle())
    assert customer.post(f"/orders/{code}/cancel", {}).status_code == 400
    assert in_store("ama", lambda: orders.by_code(code)).state == "pending"


@pytest.mark.parametrize("state", ["completed", "refunded", "cancelled", "expired"])
def test_an_order_that_is_over_goes_on_nowhere_also_where_the_page_was_open(
    app, shop, bundle, state
):
    customer = shop("ama")
    code = customer.order(bundle())
    page = customer.get(f"/orders/{code}").text
    assert "Safe to close" in page
    set_order(
        app,
        "ama",
        code,
        state=state,
        attempt=1,
        version=9,
        final_at=clock.now(),
        completed_at=clock.now(),
    )
    fragment = customer.get(status_url(page)).text
    assert 'id="order-status"' in fragment and "Safe to close" not in fragment
    outside = page.split('id="order-status"')[0] + page.split("</section>", 1)[1]
    assert "Safe to close" not in outside  # what the fragment does not replace


# Tracking


AROUND = [
    "{})",
    "{},",
    "*{}*",
    "{}.",
    "{}”",
    "({})",
    "{}/",
    "{})./",
    "{}\u200b",
    "\u202a{}\u202c",
    "{}!",
    "_{}_",
    "{};",
    "{}>",
]


@pytest.mark.parametrize("around", AROUND)
def test_a_link_leads_to_its_order_with_whatever_a_chat_program_took_along(
    shop, bundle, around
):
    code = shop("ama").order(bundle())
    stranger = shop("ama")
    for spelt in (code, f"{code[:4]}-{code[4:8]}-{code[8:]}".lower()):
        page = stranger.get("/orders/" + around.format(spelt))
        assert page.status_code == 200 and f"/orders/{code}/status" in page.text
    assert shop("kofi").get("/orders/" + around.format(code)).status_code == 404


def test_tracking_finds_the_order_in_our_own_words(shop, bundle, change_store):
    """Whatever our own pages put into a chat: the text of *Share*, the message to the store, the
    links themselves."""
    change_store("ama", whatsapp="+233240000001")
    customer = shop("ama")
    code = customer.order(bundle())
    html = customer.get(f"/orders/{code}").text
    links = [
        unescape(link) for link in re.findall(r'href="(https://wa\.me/[^"]+)"', html)
    ]
    texts = [unquote(link.partition("?text=")[2]) for link in links]
    assert len(links) == 2 and all(texts)
    lines = [f"[10:02, 29/11/2026] Ama: {text}\nThanks!" for text in texts]
    for pasted in (
        *links,
        *texts,
        *lines,
        f"http://ama.localhost/orders/{code}?v=1",
        f"my code is *{code}*, please",
    ):
        found = shop("ama").get("/track", query_string={"code": pasted})
        assert (found.status_code, found.location) == (303, f"/orders/{code}"), pasted
    assert (
        shop("kofi").get("/track", query_string={"code": links[0]}).status_code == 404
    )


def test_tracking_asks_for_a_code_and_keeps_what_was_typed(shop):
    empty = shop("ama").get("/track")
    assert empty.status_code == 200 and "Set-Cookie" not in empty.headers
    for typed in ("024 123 4567", "482 913"):
        elsewhere = shop("ama").get("/track", query_string={"code": typed})
        assert "look under Track by phone number" in elsewhere.text, typed
    blank = shop("ama").get("/track?code=")
    assert blank.status_code == 422 and "Type the code" in blank.text
    wrong = shop("ama").get("/track", query_string={"code": "<i>K7QM-2XR9"})
    assert wrong.status_code == 404 and 'value="&lt;i&gt;K7QM-2XR9"' in wrong.text
    assert 'aria-describedby="code-hint code-error"' in wrong.text
    for page in (empty, blank, wrong):
        parse_clean(page.text)


@pytest.mark.parametrize(
    "code",
    [
        "\ud800".encode("utf-8", "surrogatepass"),
        b"\xff\xfe",
        "9" * 5_000,
        "٣" * 10,
        "' OR 1=1 --",
    ],
)
def test_tracking_survives_anything(shop, code):
    page = shop("ama").get("/track", query_string={"code": code})
    assert page.status_code == 404
    parse_clean(page.text)


def test_a_refunded_order_that_comes_after_all_is_not_called_lost(
    app, shop, bundle, in_store
):
    customer = shop()
    code = customer.order(bundle())
    set_order(app, "ama", code, state="refunded", attempt=1, final_at=clock.now())
    assert "Not delivered: " in customer.get(f"/orders/{code}").text
    order_id = in_store("ama", lambda: orders.by_code(code).id)

    def late(delivered: bool) -> None:
        in_store(
            "ama",
            lambda: orders.raise_case(
                order_id, "late_success", {"delivered": delivered}
            ),
        )

    late(delivered=False)
    page = customer.get(f"/orders/{code}").text
    assert "it may still come" in page and "Not delivered: " not in page
    late(delivered=True)
    page = customer.get(f"/orders/{code}").text
    assert (
        "Delivered late" in page
        and "now the network says it was" in page
        and "Not delivered: " not in page
    )
    parse_clean(page)
