"""Between the shop and the order: a draft for one device and one hour, Back from the order,
browsers without cookies."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any
from urllib.parse import unquote

import pytest
import tables_owner
from flask import Flask
from sqlalchemy import select
from store_customers import NUMBER, Shop, fields, parse_clean, set_order

from core import catalog, orders
from core.audit import SYSTEM
from core.base import tenancy
from core.base.db import db
from core.orders import OrderDraft

HOUR_S = 3_600
SHOWN = ">024 123 4567<"


def begin(shop: Shop, bundle_id: int, number: str = NUMBER) -> str:
    """The first post; where it leads."""
    answer = shop.post("/orders", {"bundle": bundle_id, "recipient": number})
    assert answer.status_code == 303, answer.text
    return str(answer.location)


def drafts(app: Flask) -> list[OrderDraft]:
    with app.app_context(), tenancy.across_stores():
        found = list(
            db.session.scalars(select(OrderDraft).order_by(OrderDraft.created_at))
        )
        db.session.remove()
        return found


# The draft


def test_the_first_post_keeps_one_draft_and_nothing_else(app, shop, bundle, counts):
    before = counts()
    where = begin(shop("ama"), bundle())
    (draft,) = drafts(app)
    assert where == f"/review/{draft.id}" and re.fullmatch(
        "[A-Za-z0-9_-]{22}", draft.id
    )
    assert (draft.recipient_msisdn, draft.bundle_id) == ("+233241234567", bundle())
    assert draft.idempotency_key not in where and counts() == before


def test_a_form_that_cannot_be_used_keeps_none(app, shop, bundle):
    customer = shop("ama")
    for form in (
        {},
        {"bundle": bundle(), "recipient": "12"},
        {"bundle": 999_999, "recipient": NUMBER},
    ):
        assert customer.post("/orders", form).status_code == 422
    assert drafts(app) == []


def test_only_the_browser_that_began_sees_the_review(app, shop, bundle):
    mine, theirs = shop("ama"), shop("ama")
    where = begin(mine, bundle())
    begin(theirs, bundle("at"), "026 111 2222")  # a browser with a cookie of its own
    page = mine.get(where)
    assert (
        page.status_code == 200
        and SHOWN in page.text
        and page.headers["Cache-Control"] == "no-store"
    )
    other = theirs.get(where)
    assert (
        other.status_code == 404
        and "4567" not in other.text
        and other.headers["Cache-Control"] == "no-store"
    )
    parse_clean(other.text)
    assert mine.get(where).status_code == 200, "it may be looked at again"


def test_a_draft_of_one_store_is_nothing_in_another(app, shop, bundle):
    ama, kofi = shop("ama"), shop("kofi")
    where = begin(ama, bundle())
    begin(kofi, bundle("mtn", "kofi"))
    assert kofi.get(where).status_code == 404
    cookie = ama.client.get_cookie("__Host-device", domain="ama.localhost")
    assert cookie is not None
    carried = kofi.get_carrying(where, f"__Host-device={cookie.value}")
    assert carried.status_code == 404 and "4567" not in carried.text


@pytest.mark.parametrize(
    "draft_id", ["x", "A" * 22, "A" * 3_000, "%FF", "..", "'", "%E2%80%AE"]
)
def test_a_draft_nobody_made_is_gone(shop, bundle, draft_id):
    customer = shop("ama")
    begin(customer, bundle())
    page = customer.get(f"/review/{draft_id}")
    assert page.status_code == 404
    assert "Traceback" not in page.text


def test_after_an_hour_it_is_put_away_and_then_deleted(app, shop, bundle, jump):
    customer = shop("ama")
    where = begin(customer, bundle())
    jump(HOUR_S - 5)
    assert customer.get(where).status_code == 200
    assert prune(app) == 0
    jump(10)
    gone = customer.get(where)
    assert (
        gone.status_code == 404
        and "put away" in gone.text
        and "If you pressed Yes" in gone.text
    )
    assert prune(app) == 1 and drafts(app) == []


def prune(app: Flask) -> int:
    with app.app_context(), tenancy.across_stores():
        return orders.prune_unplaced()


def test_a_forgotten_number_is_in_no_draft(app, shop, bundle):
    begin(shop("ama"), bundle())
    begin(shop("kofi"), bundle("mtn", "kofi"))
    begin(shop("ama"), bundle(), "024 765 4321")
    with app.app_context(), tenancy.across_stores():
        orders.forget_number("+233241234567", SYSTEM)
    assert [draft.recipient_msisdn for draft in drafts(app)] == ["+233247654321"]


def test_what_changed_since_is_said_by_the_review_itself(app, shop, bundle, in_store):
    customer, mtn = shop("ama"), bundle()
    where = begin(customer, mtn)
    dearer = fields(customer.get(where).text)["price"]
    in_store("ama", lambda: catalog.save_price(mtn, int(dearer) + 100, False, SYSTEM))
    page = customer.get(where)
    assert "The price has changed from" in page.text
    assert fields(page.text)["price"] == str(int(dearer) + 100)
    in_store("ama", lambda: catalog.save_price(mtn, int(dearer) + 100, True, SYSTEM))
    off = customer.get(where)
    assert (
        off.status_code == 422
        and "not on sale" in off.text
        and f'value="{NUMBER}"' in off.text
    )


# Back


def test_back_shows_which_order_it_became_and_nothing_that_orders_unseen(
    app, shop, bundle, counts
):
    customer = shop("ama")
    where = begin(customer, bundle())
    form = fields(customer.get(where).text)
    code = customer.post("/orders", form).location.rsplit("/", 1)[1]
    before = counts()
    page = customer.get(where)
    assert (
        page.status_code == 200
        and "You placed this order" in page.text
        and SHOWN in page.text
    )
    assert (
        f'href="/orders/{code}"' in page.text
        and f"{code[:4]}-{code[4:8]}-{code[8:]}" in page.text
    )
    assert (
        "confirm" not in fields(page.text)
        and page.headers["Cache-Control"] == "no-store"
    )
    parse_clean(page.text)
    assert customer.post("/orders", form).location == f"/orders/{code}", (
        "the old form is the same order"
    )
    assert counts() == before
    again = customer.get(customer.post("/orders", fields(page.text)).location)
    assert (
        "You ordered this" in again.text
        and fields(again.text)["idempotency_key"] != form["idempotency_key"]
    )


def test_back_names_the_order_also_when_it_is_over_or_no_longer_sold(
    app, shop, bundle, in_store
):
    customer, mtn = shop("ama"), bundle()
    where = begin(customer, mtn)
    code = customer.post("/orders", fields(customer.get(where).text)).location.rsplit(
        "/", 1
    )[1]
    in_store("ama", lambda: catalog.save_price(mtn, 5_000, True, SYSTEM))
    page = customer.get(where)
    assert f'href="/orders/{code}"' in page.text and "once more" not in page.text
    in_store("ama", lambda: orders.cancel(code, SYSTEM))
    with app.app_context(), tenancy.across_stores():
        assert orders.forget_number("+233240000000", SYSTEM).masked == 0
    assert customer.get(where).status_code == 200


def test_nobody_else_learns_which_order_it_became(shop, bundle):
    mine, theirs = shop("ama"), shop("ama")
    where = begin(mine, bundle())
    code = mine.post("/orders", fields(mine.get(where).text)).location.rsplit("/", 1)[1]
    begin(theirs, bundle("at"), "026 111 2222")
    assert code not in theirs.get(where).text


@pytest.mark.parametrize(
    "cause", ["an old form", "ordered in another tab", "a price that moved"]
)
def test_a_confirmed_form_that_is_not_taken_leads_back_to_its_review_which_says_why_once(
    shop, bundle, counts, in_store, cause
):
    """An answer to the post would stand in the history, and Back would offer to send the form
    again."""
    customer, mtn = shop("ama"), bundle()
    other, where = begin(customer, bundle("at"), "026 111 2222"), begin(customer, mtn)
    form = fields(customer.get(where).text)
    if cause == "an old form":
        form["csrf_token"], said, status = "old", "grown old", 400
    elif cause == "a price that moved":
        in_store(
            "ama",
            lambda: catalog.save_price(mtn, int(form["price"]) + 100, False, SYSTEM),
        )
        said, status = "The price has changed from", 422
    else:
        customer.order(mtn)
        said, status = "Order it again only if you want two", 422
    before = counts()
    answer = customer.client.post(
        "/orders", data=form, base_url=customer.base, headers={"Origin": customer.base}
    )
    assert (answer.status_code, answer.location) == (303, where)
    assert said not in customer.get(other).text, "another tab's review"
    page = customer.get(where)
    assert page.status_code == status and said in page.text and counts() == before
    parse_clean(page.text)
    again = customer.get(where)
    assert again.status_code == 200 and (said in again.text) == (
        cause == "a price that moved"
    )
    answer = customer.post("/orders", fields(again.text))
    assert answer.location.startswith("/orders/") and counts()[0] == before[0] + 1
    assert "You placed this order" in customer.get(where).text


@pytest.mark.parametrize("cause", ["paused", "hidden", "closed"])
def test_what_cannot_be_ordered_just_now_is_said_by_the_review_until_it_can(
    shop, bundle, counts, in_store, change_store, cause
):
    customer, mtn = shop("ama"), bundle()
    where = begin(customer, mtn)
    form = fields(customer.get(where).text)

    def turn(off: bool) -> None:
        if cause == "paused":
            change = lambda: (
                catalog.pause_network("mtn", "why", SYSTEM)
                if off
                else catalog.resume_network("mtn", SYSTEM)
            )
            in_store("ama", change)
        elif cause == "hidden":
            in_store(
                "ama", lambda: catalog.save_price(mtn, int(form["price"]), off, SYSTEM)
            )
        else:
            change_store("ama", status="closed" if off else "open")

    before = counts()
    turn(True)
    answer = customer.client.post(
        "/orders", data=form, base_url=customer.base, headers={"Origin": customer.base}
    )
    assert (answer.status_code, answer.location) == (303, where)
    for _ in range(2):
        page = customer.get(where)
        assert page.status_code == 422 and 'role="alert"' in page.text
    turn(False)
    assert customer.get(where).status_code == 200 and counts() == before
    assert customer.post("/orders", form).location.startswith("/orders/")


def test_a_form_that_says_something_else_than_its_draft_is_answered_as_it_stands(
    shop, bundle, counts
):
    customer = shop("ama")
    form = fields(customer.review(bundle()).text) | {
        "csrf_token": "old",
        "recipient": "026 111 2222",
    }
    before = counts()
    page = customer.client.post(
        "/orders", data=form, base_url=customer.base, headers={"Origin": customer.base}
    )
    assert (
        page.status_code == 400 and ">026 111 2222<" in page.text and counts() == before
    )


# No cookies


@pytest.mark.parametrize("whatsapp", ["+233240000001", None])
def test_a_browser_without_cookies_is_told_so_and_how_to_order_anyway(
    app, bundle, change_store, counts, whatsapp
):
    change_store("ama", whatsapp=whatsapp)
    client, before = app.test_client(use_cookies=False), counts()
    at: dict[str, Any] = {
        "base_url": "http://ama.localhost",
        "headers": {"Origin": "http://ama.localhost"},
    }
    where = client.post(
        "/orders", data={"bundle": bundle(), "recipient": NUMBER}, **at
    ).location
    for page in (
        client.get(where, **at),
        client.post(
            "/orders",
            data={
                "bundle": bundle(),
                "recipient": NUMBER,
                "confirm": "1",
                "price": "1",
            },
            **at,
        ),
    ):
        assert page.status_code == 400 and page.headers["Cache-Control"] == "no-store"
        assert "keeps no cookies" in page.text and "grown old" not in page.text
        assert (
            "nothing has been ordered yet" in page.text and "Allow cookies" in page.text
        )
        assert ("https://wa.me/233240000001?text=" in page.text) == bool(whatsapp)
        parse_clean(page.text)
    assert counts() == before
    if whatsapp:
        link = unescape(re.findall(r'href="(https://wa\.me/[^"]+)"', page.text)[-1])
        assert "MTN 1 GB for 024 123 4567" in unquote(link)


@pytest.mark.parametrize(
    "foreign", ["_ga=GA1.2.3; consent=1", "__Secure-proxy=1", "makola=__Host-makola"]
)
def test_a_cookie_that_is_not_ours_does_not_count_as_one(app, bundle, counts, foreign):
    """A proxy or a sibling address may add cookies of its own to a browser that keeps none of
    ours."""
    client, before = app.test_client(use_cookies=False), counts()
    headers = {"Origin": "http://ama.localhost", "Cookie": foreign}
    at: dict[str, Any] = {"base_url": "http://ama.localhost", "headers": headers}
    form = {"bundle": bundle(), "recipient": NUMBER}
    where = client.post("/orders", data=form, **at).location
    for page in (
        client.get(where, **at),
        client.post("/orders", data=form | {"confirm": "1", "price": "1"}, **at),
    ):
        assert page.status_code == 400 and "keeps no cookies" in page.text
        assert "grown old" not in page.text and "put away" not in page.text
    assert counts() == before


@pytest.mark.parametrize("site", ["none", "cross-site", "same-site"])
def test_a_review_opened_in_another_browser_is_not_blamed_on_its_cookies(
    app, shop, bundle, site
):
    where = begin(shop("ama"), bundle())
    at: dict[str, Any] = {
        "base_url": "http://ama.localhost",
        "headers": {"Sec-Fetch-Site": site},
    }
    page = app.test_client().get(where, **at)
    assert page.status_code == 404 and page.headers["Cache-Control"] == "no-store"
    assert "for the browser in which you chose it" in page.text
    assert "cookies" not in page.text and "4567" not in page.text


def test_nobody_sees_a_number_by_leaving_the_cookie_away(app, shop, bundle):
    where = begin(shop("ama"), bundle())
    page = app.test_client(use_cookies=False).get(
        where, base_url="http://ama.localhost"
    )
    assert "4567" not in page.text


@pytest.mark.parametrize("foreign", ["", "_ga=GA1.2.3"])
@pytest.mark.parametrize("host", ["portal", "admin"])
def test_a_log_in_without_cookies_is_told_so(app, host, foreign):
    client = app.test_client(use_cookies=False)
    headers = {"Origin": f"http://{host}.localhost"} | (
        {"Cookie": foreign} if foreign else {}
    )
    at: dict[str, Any] = {"base_url": f"http://{host}.localhost", "headers": headers}
    token = fields(client.get("/login", **at).text)["csrf_token"]
    page = client.post(
        "/login",
        data={"csrf_token": token, "email": "ama@example.test", "password": "x"},
        **at,
    )
    assert page.status_code == 400
    assert (
        "keeps no cookies" in page.text
        and "Allow cookies" in page.text
        and 'href="/login"' in page.text
    )
    assert "grown old" not in page.text and 'value="x"' not in page.text


def test_an_old_form_of_a_browser_that_keeps_cookies_is_old_and_no_more(
    app, visitor: Callable[..., Any]
):
    agent = visitor("portal")
    agent.get("/login")
    page = agent.post(
        "/login", {"email": "ama@example.test", "csrf_token": "old"}, csrf=False
    )
    assert (
        page.status_code == 400
        and "grown old" in page.text
        and "cookies" not in page.text
    )


# Where only a token speaks for a browser, a session planted by a sibling store fits no device of
# its own


def planted(victim: Shop, attacker: Shop) -> None:
    """The attacker's session beside the victim's device, as a sibling plants it where `__Host-`
    means nothing."""
    session = attacker.client.get_cookie("__Host-makola", domain="ama.localhost")
    assert session is not None
    victim.client.set_cookie(
        "__Host-makola", session.value, domain="ama.localhost", secure=True
    )


def silent(shop: Shop, path: str, form: dict[str, str]) -> Any:
    return shop.client.post(path, data=form, base_url=shop.base)


def test_a_planted_session_cancels_and_confirms_nothing(shop, bundle, in_store, counts):
    victim, attacker = shop("ama"), shop("ama")
    code = victim.order(bundle())
    theirs = attacker.order(bundle("at"), "026 111 2222")
    html = attacker.get(f"/orders/{theirs}").text
    token = re.search(r'name="csrf_token" value="([^"]+)"', html)[1]
    order_form = fields(attacker.review(bundle(), "024 555 0001").text)
    planted(victim, attacker)
    before = counts()
    assert (
        silent(victim, f"/orders/{code}/cancel", {"csrf_token": token}).status_code
        == 403
    )
    assert silent(victim, "/orders", order_form).status_code == 400
    assert (
        counts() == before
        and in_store("ama", lambda: orders.by_code(code)).state == "pending"
    )
    # a page of ours sets it right, and its form works
    own = victim.get(f"/orders/{code}").text
    token = re.search(r'name="csrf_token" value="([^"]+)"', own)[1]
    assert (
        silent(victim, f"/orders/{code}/cancel", {"csrf_token": token}).status_code
        == 303
    )


@pytest.mark.parametrize("planted", ["x", "~forged", "", "W10.sig", "y" * 3_000])
def test_a_device_cookie_planted_before_our_own_locks_nobody_out(shop, bundle, planted):
    """A cookie with a longer path, or of a parent domain, is sent first by browsers that know no
    `__Host-`."""
    customer = shop("ama")
    where = begin(customer, bundle())
    own = customer.client.get_cookie("__Host-device", domain="ama.localhost").value
    for both in (
        f"__Host-device={planted}; __Host-device={own}",
        f"__Host-device={own}; __Host-device={planted}",
    ):
        page = customer.get_carrying(where, both)
        assert page.status_code == 200 and SHOWN in page.text


def test_an_order_that_is_over_and_forgotten_is_named_without_its_number(
    app, shop, bundle
):
    customer = shop("ama")
    where = begin(customer, bundle())
    code = customer.post("/orders", fields(customer.get(where).text)).location.rsplit(
        "/", 1
    )[1]
    tables_owner.execute(
        f"UPDATE order_drafts SET recipient_msisdn = '+233200000000' WHERE id = '{where[8:]}'"
    )
    set_order(app, "ama", code, state="cancelled", recipient_msisdn="+23324xxx4567")
    page = customer.get(where)
    assert (
        page.status_code == 200 and "•••" in page.text and "once more" not in page.text
    )


def test_a_session_planted_before_our_own_neither_locks_out_nor_learns_what_forms_are_checked_by(
    app, shop, bundle
):
    """A sibling may plant, for the review page alone, a session that it was given here itself."""
    stranger, customer = shop("ama"), shop("ama")
    assert stranger.get(begin(stranger, bundle())).status_code == 200
    theirs = stranger.client.get_cookie("__Host-makola", domain="ama.localhost").value
    where = begin(customer, bundle())
    device = customer.client.get_cookie("__Host-device", domain="ama.localhost").value
    page = customer.get_carrying(
        where, f"__Host-makola={theirs}; __Host-device={device}"
    )
    assert page.status_code == 200
    given = re.search(r"__Host-makola=([^;]+)", page.headers["Set-Cookie"])[1]
    with stranger.client.session_transaction(base_url=stranger.base) as session:
        learnt = session["csrf_token"]
    signer = app.session_interface.get_signing_serializer(app)
    assert signer.loads(given)["csrf_token"] != learnt
    fields = {"confirm": "1", **form_fields(page.text)}
    for both in (
        f"__Host-makola={theirs}; __Host-makola={given}",
        f"__Host-makola={given}; __Host-makola={theirs}",
    ):
        client = app.test_client(use_cookies=False)
        answer = client.post(
            "/orders",
            base_url=customer.base,
            data=fields,
            headers={"Cookie": f"{both}; __Host-device={device}"},
        )
        assert answer.status_code == 303 and answer.location.startswith("/orders/"), (
            answer.text
        )


def form_fields(page):
    form = page.partition('action="/orders"')[2].partition("</form>")[0]
    return dict(re.findall(r'name="([a-z_]+)" value="([^"]*)"', form))
