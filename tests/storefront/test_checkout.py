"""Ordering: the review step, the confirmed post, and everything that can be wrong with a form."""

from __future__ import annotations

import re

import pytest
import tables_owner
from store_customers import NUMBER, OTHER_NUMBER, fields, parse_clean, plain, set_order

from core import catalog, orders
from core.audit import SYSTEM, Actor
from core.base import clock, config

pytestmark = pytest.mark.slow(seconds=0.1)

AMA = Actor("agent", "Ama")


def key_of(html: str) -> str:
    return fields(html)["idempotency_key"]


# The review page


def test_the_review_shows_what_will_be_sent_where_and_for_how_much(
    shop, bundle, change_store, counts
):
    change_store("ama", momo_number="+233240000001")
    before = counts()
    page = shop("ama").review(bundle("mtn"), "+233 (0)24-123-4567")
    assert page.status_code == 200
    assert ">024 123 4567<" in page.text
    assert "cannot be taken back" in page.text
    assert re.search(r"GH₵\s\d+\.\d\d", page.text)
    assert "024 000 0001" in plain(page.text) and "cash" in page.text
    assert "The order page always says where your data is." in page.text
    assert page.headers["Cache-Control"] == "no-store"
    assert counts() == before
    parse_clean(page.text)


def test_the_review_form_carries_what_confirming_needs(shop, bundle):
    first, second = shop("ama").review(bundle()), shop("ama").review(bundle())
    sent = fields(first.text)
    assert set(sent) == {
        "csrf_token",
        "idempotency_key",
        "bundle",
        "recipient",
        "confirm",
        "price",
    }
    assert (
        sent["confirm"] == "1"
        and sent["recipient"] == NUMBER
        and sent["bundle"] == str(bundle())
    )
    assert re.fullmatch("[0-9a-f]{32}", sent["idempotency_key"])
    assert key_of(first.text) != key_of(second.text)


def test_a_number_of_another_network_is_asked_about_and_never_refused(shop, bundle):
    customer = shop("ama")
    page = customer.review(bundle("mtn"), OTHER_NUMBER)
    assert page.status_code == 200
    assert (
        "This looks like a Telecel number." in page.text
        and "Send an MTN bundle anyway?" in page.text
    )
    assert customer.post("/orders", fields(page.text)).status_code == 303
    assert (
        "This looks like an MTN number."
        in shop("ama").review(bundle("telecel"), NUMBER).text
    )
    assert "looks like" not in shop("ama").review(bundle("mtn"), NUMBER).text


@pytest.mark.parametrize(
    "typed",
    [
        "\u202d024 123 4567\u202c",
        "\u2068024\u2069\u200b1234567",
        "0\u00ad24\u3000123\u20034567",
        "*024 123 4567*",
        "https://wa.me/233241234567?text=" + "Hello%20" * 40,
        "\u200b" * 300 + "024 123 4567",
    ],
)
def test_a_number_is_read_as_it_is_seen_and_stays_that_number_until_it_is_ordered(
    shop, bundle, in_store, typed
):
    customer = shop("ama")
    page = customer.review(bundle(), typed)
    assert ">024 123 4567<" in page.text
    code = customer.post("/orders", fields(page.text)).location.rsplit("/", 1)[1]
    assert (
        in_store("ama", lambda: orders.by_code(code)).recipient_msisdn
        == "+233241234567"
    )


def test_change_something_goes_back_with_everything_kept(shop, bundle):
    customer = shop("ama")
    page = customer.post(
        "/orders?change=1", fields(customer.review(bundle("at"), "026 111 2222").text)
    )
    assert page.status_code == 200
    assert 'value="026 111 2222"' in page.text
    assert re.search(rf'value="{bundle("at")}" required checked', page.text)


# Confirming


@pytest.mark.parametrize(
    "kind",
    ["a mistake", "change something", "confirmed, not sold any more, its draft gone"],
)
def test_the_shop_that_answers_a_post_is_one_page_for_all(shop, bundle, in_store, kind):
    """Back shows its copy only while it varies by no cookie: an order, or a review, changes one."""
    stranger, customer, telecel = shop("ama"), shop("ama"), bundle("telecel")
    customer.order(bundle("mtn"))
    both = (stranger, customer)
    sent = {each: fields(each.review(telecel, OTHER_NUMBER).text) for each in both}
    path = "/orders?change=1" if kind == "change something" else "/orders"
    if kind == "a mistake":
        sent = {
            each: {"recipient": "024 123 456", "bundle": str(telecel)} for each in sent
        }
    if kind.startswith("confirmed"):
        in_store("ama", lambda: catalog.save_price(telecel, 3_000, True, SYSTEM))
        tables_owner.execute("DELETE FROM order_drafts")
    answers = [each.post(path, form) for each, form in sent.items()]
    assert answers[0].data == answers[1].data and 'name="recipient"' in answers[0].text
    for answer in answers:
        assert answer.status_code == (200 if kind == "change something" else 422)
        assert (
            "Cookie" not in answer.headers["Vary"]
            and "Set-Cookie" not in answer.headers
        )
        assert answer.headers["Cache-Control"] == "private, no-cache"


def test_a_confirmed_form_makes_one_order_and_goes_to_its_page(
    shop, bundle, in_store, counts
):
    customer, before = shop("ama"), counts()
    response = customer.post("/orders", fields(customer.review(bundle()).text))
    assert response.status_code == 303
    code = re.fullmatch(r"/orders/([0-9A-Z]{10})", response.location)[1]
    order = in_store("ama", lambda: orders.by_code(code))
    assert (order.state, order.recipient_msisdn, order.source) == (
        "pending",
        "+233241234567",
        "store",
    )
    assert counts() == (before[0] + 1, before[1] + 1, before[2], before[3])


def test_the_same_form_again_names_the_same_order(shop, bundle, counts):
    customer = shop("ama")
    form = fields(customer.review(bundle()).text)
    first = customer.post("/orders", form)
    after_first = counts()
    again = customer.post("/orders", form)
    assert (again.status_code, again.location) == (303, first.location)
    assert counts() == after_first


def test_the_same_key_in_another_store_is_another_order(shop, bundle):
    ama, kofi = shop("ama"), shop("kofi")
    form = fields(ama.review(bundle()).text)
    other = fields(kofi.review(bundle("mtn", "kofi")).text) | {
        "idempotency_key": form["idempotency_key"]
    }
    assert ama.post("/orders", form).location != kofi.post("/orders", other).location


@pytest.mark.parametrize("token", [None, "", "stale", "x" * 5_000, "\x00"])
def test_a_wrong_token_shows_the_review_again_with_everything_kept(
    shop, bundle, counts, token
):
    customer = shop("ama")
    form = fields(customer.review(bundle()).text)
    key = form["idempotency_key"]
    form.pop("csrf_token")
    before = counts()
    page = customer.post(
        "/orders", form if token is None else form | {"csrf_token": token}
    )
    assert page.status_code == 400
    assert "nothing has been ordered yet" in page.text
    assert counts() == before
    fresh = fields(page.text)
    assert (fresh["recipient"], fresh["bundle"], fresh["idempotency_key"]) == (
        NUMBER,
        form["bundle"],
        key,
    )
    parse_clean(page.text)
    assert customer.post("/orders", fresh).status_code == 303


def test_another_visitors_token_does_not_confirm(shop, bundle, counts):
    mine, theirs = shop("ama"), shop("ama")
    token = fields(theirs.review(bundle()).text)["csrf_token"]
    form = fields(mine.review(bundle()).text)
    before = counts()
    assert mine.post("/orders", form | {"csrf_token": token}).status_code == 400
    assert counts() == before


@pytest.mark.parametrize(
    "key",
    [
        None,
        "",
        "short",
        "x" * 65,
        "has space in the key",
        "ключ-ключ-ключ-ключ",
        "a" * 20 + "\x00",
    ],
)
def test_a_bad_key_shows_the_review_again_with_a_fresh_one(shop, bundle, counts, key):
    customer = shop("ama")
    form = fields(customer.review(bundle()).text)
    old = form.pop("idempotency_key")
    before = counts()
    page = customer.post(
        "/orders", form if key is None else form | {"idempotency_key": key}
    )
    assert page.status_code == 422
    assert counts() == before
    assert re.fullmatch("[0-9a-f]{32}", key_of(page.text)) and key_of(
        page.text
    ) not in (old, key)
    assert customer.post("/orders", fields(page.text)).status_code == 303


def test_a_price_that_moved_is_shown_before_anything_is_ordered(shop, bundle, counts):
    customer = shop("ama")
    form = fields(customer.review(bundle()).text)
    before = counts()
    page = customer.post("/orders", form | {"price": str(int(form["price"]) - 1)})
    assert page.status_code == 422 and "The price has changed from" in page.text
    assert counts() == before
    assert fields(page.text)["price"] == form["price"]
    assert customer.post("/orders", fields(page.text)).status_code == 303


def test_a_price_nobody_can_read_is_asked_again(shop, bundle, counts):
    customer = shop("ama")
    form = fields(customer.review(bundle()).text)
    before = counts()
    page = customer.post("/orders", form | {"price": "5.00"})
    assert page.status_code == 422 and counts() == before


def test_a_repeat_within_five_minutes_is_asked_and_then_allowed(shop, bundle, counts):
    customer, stranger = shop("ama"), shop("ama")
    code = customer.order(bundle())
    page = customer.review(bundle())
    assert page.status_code == 200
    assert "You ordered this" in page.text and f'href="/orders/{code}"' in page.text
    asked = fields(page.text)
    assert asked["again"] == "1"
    other = stranger.review(
        bundle()
    )  # somebody else learns that it was ordered, not where to look at it
    assert "was ordered" in other.text and code not in other.text
    before = counts()
    hasty = {name: value for name, value in asked.items() if name != "again"}
    assert customer.post("/orders", hasty).status_code == 422
    assert counts() == before
    assert customer.post("/orders", asked).location != f"/orders/{code}"


def test_a_repeat_is_forgotten_after_five_minutes_and_for_another_size(
    app, shop, bundle
):
    customer = shop("ama")
    code = customer.order(bundle())
    assert "again" not in fields(customer.review(bundle("at")).text)
    set_order(
        app,
        "ama",
        code,
        created_at=clock.now() - clock.delta(config.current().repeat_window_s + 1),
    )
    assert "again" not in fields(customer.review(bundle()).text)


@pytest.mark.slow(seconds=0.3)
def test_too_many_orders_for_one_number_are_refused(shop, bundle, counts, in_store):
    customer = shop("ama")
    for _ in range(config.current().orders_per_recipient_hour):
        code = customer.order(bundle(), "024 555 0001")
        in_store("ama", lambda code=code: orders.release(code, AMA))
    before = counts()
    page = customer.review(bundle(), "024 555 0001")
    assert page.status_code == 429 and "Try again later" in page.text
    assert counts() == before
    assert customer.review(bundle(), "024 555 0002").status_code == 200
    assert shop("kofi").review(bundle("mtn", "kofi"), "024 555 0001").status_code == 200


def test_a_bundle_taken_off_the_shelf_meanwhile_is_refused_with_the_shop(
    in_store, shop, bundle, counts
):
    customer, mtn = shop("ama"), bundle()
    form = fields(customer.review(mtn).text)

    in_store("ama", lambda: catalog.save_price(mtn, 1_000, True, SYSTEM))
    before = counts()
    page = customer.post("/orders", form)
    assert (
        page.status_code == 422
        and "not on sale" in page.text
        and f'value="{NUMBER}"' in page.text
    )
    assert counts() == before


# Bad input: each gets its status and a sentence, keeps what was typed, and loses nothing

BAD = {
    "nothing at all": ({}, "Type the number"),
    "no bundle": ({"recipient": NUMBER}, "Choose a bundle."),
    "no number": ({"bundle": "1"}, "Type the number"),
    "a bundle that is not there": (
        {"bundle": "999999999", "recipient": NUMBER},
        "not on sale",
    ),
    "a bundle of letters": (
        {"bundle": "MTN 5", "recipient": NUMBER},
        "Choose a bundle from the list.",
    ),
    "a bundle below zero": (
        {"bundle": "-1", "recipient": NUMBER},
        "Choose a bundle from the list.",
    ),
    "a bundle in other digits": (
        {"bundle": "١", "recipient": NUMBER},
        "Choose a bundle from the list.",
    ),
    "a bundle no column holds": (
        {"bundle": "9" * 30, "recipient": NUMBER},
        "Choose a bundle from the list.",
    ),
    "markup for a number": (
        {"bundle": "1", "recipient": "<b>024</b>"},
        "Use digits only",
    ),
    "bytes for a number": (
        {"bundle": "1", "recipient": b"\xff\xfe024\xed\xa0\x80"},
        "Use digits only",
    ),
    "a number with NUL": (
        {"bundle": "1", "recipient": "024 123\x00 4567"},
        "Use digits only",
    ),
    "a number without end": ({"bundle": "1", "recipient": "0" * 20_000}, "too long"),
    "the first of two numbers": (
        {"bundle": "1", "recipient": ["12", NUMBER]},
        "2 digits",
    ),
}


@pytest.mark.parametrize("confirmed", [False, True])
@pytest.mark.parametrize("case", BAD)
def test_bad_forms_are_answered_with_a_sentence(shop, counts, case, confirmed):
    form, sentence = BAD[case]
    before = counts()
    page = shop("ama").post(
        "/orders", form | ({"confirm": "1", "csrf_token": "x"} if confirmed else {})
    )
    assert page.status_code == 422
    assert sentence in page.text
    assert 'role="alert"' in page.text
    assert counts() == before
    parse_clean(page.text)


def test_what_was_typed_is_kept_and_the_error_stands_at_its_field(shop, bundle):
    page = shop("ama").post("/orders", {"bundle": bundle("at"), "recipient": "024 12"})
    assert (
        'value="024 12" aria-invalid="true" aria-describedby="recipient-error hint"'
        in page.text
    )
    assert 'id="recipient-error"' in page.text and '<a href="#recipient">' in page.text
    assert re.search(rf'value="{bundle("at")}" required checked', page.text)
    assert page.text.count("5 digits") == 2
    assert "<title>Error: " in page.text
    assert page.headers["Cache-Control"] == "private, no-cache", (
        "or Back asks whether to send the form again"
    )


def test_other_names_are_ignored_and_too_much_is_refused(shop, bundle, counts):
    before = counts()
    extra = {
        "bundle": bundle(),
        "recipient": NUMBER,
        "state": "completed",
        "price_pesewas": "1",
        "é\x00": "x",
    }
    assert shop("ama").post("/orders", extra).status_code == 303
    huge = shop("ama").post(
        "/orders", {"bundle": bundle(), "recipient": NUMBER, "x": "y" * 200_000}
    )
    assert huge.status_code == 413
    assert counts() == before


def test_confirm_is_only_the_word_one(shop, bundle, counts):
    customer = shop("ama")
    form = fields(customer.review(bundle()).text)
    before = counts()
    for confirm in ("", "0", "yes", "true", "1 "):
        answer = customer.post("/orders", form | {"confirm": confirm})
        assert (
            answer.status_code == 303
            and "Check before you order" in customer.get(answer.location).text
        )
    assert counts() == before


def test_a_post_from_elsewhere_orders_nothing(shop, bundle, counts):
    customer = shop("ama")
    form = fields(customer.review(bundle()).text)
    before = counts()
    for origin in ("http://kofi.localhost", "http://ama.localhost.evil.example"):
        assert (
            customer.post("/orders", form, headers={"Origin": origin}).status_code
            == 403
        )
    assert (
        customer.post(
            "/orders", form | {"csrf_token": "x"}, headers={"Origin": "null"}
        ).status_code
        == 400
    )
    assert counts() == before


@pytest.mark.parametrize("origin", ["null", None])
def test_an_old_browser_that_says_no_origin_orders_with_the_forms_own_token(
    app, bundle, origin
):
    """KaiOS 2.5, Firefox before 70, the old Edge and Presto send neither Origin nor Sec-Fetch-Site
    with a form."""
    client, headers = app.test_client(), {} if origin is None else {"Origin": origin}

    def post(form):
        return client.post(
            "/orders", data=form, base_url="http://ama.localhost", headers=headers
        )

    review = client.get(
        post({"bundle": bundle(), "recipient": NUMBER}).location,
        base_url="http://ama.localhost",
    )
    assert post(fields(review.text)).location.startswith("/orders/")


def test_reloading_the_address_of_the_review_goes_to_the_shop(shop):
    response = shop("ama").get("/orders")
    assert (response.status_code, response.location) == (303, "/")
