"""A press after the log-in has ended: nothing is done, nothing is lost, and nobody else sees what
was chosen."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
import tables_owner
from flask import Flask
from sqlalchemy import update
from visitors import Visitor

from core import orders
from core.accounts import logins
from core.audit import Actor
from core.base import config
from core.catalog import Bundle

pytestmark = pytest.mark.slow(seconds=0.2)

PASSWORD = "correct horse battery"
HTMX = {"HX-Request": "true"}


@pytest.fixture
def portal(app: Flask) -> Visitor:
    return Visitor(app, "portal")


def log_in(portal: Visitor, who: str, **more: str) -> Any:
    # somebody is: on a phone that two people share
    if portal.get("/login").status_code == 303:
        portal.post("/logout")
    page = portal.get(
        "/login" + (f"?next={more['next']}" if "next" in more else "")
    ).text
    fields = {
        "email": f"{who}@example.test",
        "password": PASSWORD,
        "csrf_token": field(page, "csrf_token"),
    }
    return portal.post("/login", fields | more, csrf=False)


def field(html: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', html)
    assert found, name
    return unescape(found[1])


def form_of(portal: Visitor, path: str = "/orders?tab=new") -> dict[str, Any]:
    """The hidden fields of the queue's forms, as a browser would send them."""
    page = portal.get(path).text
    return {name: field(page, name) for name in ("csrf_token", "drawn_for", "back")}


def ticked(html: str) -> list[str]:
    return re.findall(
        r'name="order" value="([0-9A-Z]{10})" form="selection" checked', html
    )


def ended(
    app: Flask, portal: Visitor, how: str, jump: Callable[[float], None]
) -> Visitor:
    """End a log-in: by time, on the server from elsewhere, by the button, or with the browser's
    cookies."""
    if how == "idle":
        jump(config.current().own_idle_s + 60)
    elif how == "ended elsewhere":
        with (
            portal.client.session_transaction(base_url=portal.base_url) as session,
            app.app_context(),
        ):
            logins.end_login(session["_user_id"])
    elif how == "logged out":
        portal.post("/logout")
    else:
        return Visitor(app, "portal")
    return portal


WAYS = ["idle", "ended elsewhere", "logged out", "cookies gone"]


@pytest.mark.slow(seconds=0.7)
@pytest.mark.parametrize("how", WAYS)
def test_thirty_ticks_come_back_and_go_with_one_more_press(
    app: Flask, portal: Visitor, place: Any, order_of: Any, jump: Any, how: str
) -> None:
    log_in(portal, "ama")
    codes = [place(number=f"02411100{index:02}", gb=1) for index in range(30)]
    form = form_of(portal) | {"order": codes[::2]}
    portal = ended(app, portal, how, jump)
    answer = portal.post("/orders/process", form, csrf=False)
    assert (answer.status_code, answer.location) == (
        303,
        "/login?next=/orders%3Ftab%3Dnew",
    )
    asked = portal.get(answer.location).text
    assert "You were logged out, so nothing was done" in asked and codes[0] not in asked
    back = log_in(portal, "ama", next="/orders?tab=new").location
    assert back == "/orders?tab=new"
    page = portal.get(back).text
    assert ticked(page) == codes[::2] and "15 orders are ticked as before" in page
    assert {order_of(code).state for code in codes} == {"pending"}, (
        "nothing is done unasked"
    )
    assert ticked(portal.get(back).text) == [], "shown once"
    sent = portal.post(
        "/orders/process", form_of(portal) | {"order": ticked(page)}, csrf=False
    )
    assert "<h1>15 sent</h1>" in sent.text


@pytest.mark.parametrize("how", WAYS)
def test_one_press_leads_back_to_its_queue_and_is_not_done_unasked(
    app: Flask, portal: Visitor, place: Any, order_of: Any, jump: Any, how: str
) -> None:
    log_in(portal, "ama")
    code = place()
    form = form_of(portal, "/orders?q=024")
    portal = ended(app, portal, how, jump)
    answer = portal.post(f"/orders/{code}/process", form, csrf=False)
    assert answer.location == "/login?next=/orders%3Fq%3D024"
    page = portal.get(log_in(portal, "ama", next="/orders?q=024").location).text
    assert "Nothing was sent yet" in page and order_of(code).state == "pending"
    named = page[page.index("You had pressed Process for MTN 5 GB to") :].partition(
        "</p>"
    )[0]
    assert (
        f'href="/orders/{code}"' in named
        and f'<tr id="o-{code}" data-row tabindex="-1" aria-current="true">' in page
    )


def test_an_undo_that_came_too_late_does_not_read_as_if_nothing_was_sent(
    app: Flask, portal: Visitor, place: Any, jump: Any, in_store: Any
) -> None:
    log_in(portal, "ama")
    code, form = place(), form_of(portal) | {"press": "1.0"}
    in_store("ama", lambda: orders.release(code, Actor("agent", "Ama")))
    ended(app, portal, "idle", jump)
    portal.post(f"/orders/{code}/undo", form, csrf=False)
    log_in(portal, "ama", next="/orders?tab=new")
    page = portal.get("/orders?tab=new").text
    assert "Your undo was not done" in page and ": it has gone meanwhile." in page
    assert "Nothing was sent yet" not in page and "Press once more" not in page


def test_a_press_in_the_row_brings_its_page_s_ticks_along(
    app: Flask, portal: Visitor, place: Any, jump: Any
) -> None:
    log_in(portal, "ama")
    one, two, three = place(), place(number="0241110001"), place(number="0241110002")
    assert (
        'data-hx-include-inherited="[name=order]:checked"' in portal.get("/orders").text
    )
    form = form_of(portal) | {"order": [two, three]}
    ended(app, portal, "idle", jump)
    answer = portal.post(f"/orders/{one}/process?row=1", form, csrf=False, headers=HTMX)
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (
        401,
        "/login?next=/orders%3Ftab%3Dnew",
    )
    assert ticked(portal.get(log_in(portal, "ama", next="/orders").location).text) == [
        two,
        three,
    ]


def test_nobody_else_sees_them_and_after_somebody_else_they_are_gone(
    app: Flask, portal: Visitor, place: Any, jump: Any
) -> None:
    log_in(portal, "ama")
    code = place()
    form = form_of(portal) | {"order": [code]}
    for other in ("cashier", "both", "kofi"):
        log_in(portal, "ama")
        ended(app, portal, "logged out", jump)
        portal.post("/orders/process", form, csrf=False)
        if log_in(portal, other).location == "/stores":
            portal.post("/stores", {"store": "ama"})
        page = portal.get("/orders").text
        assert ticked(page) == [] and "ticked as before" not in page
        log_in(portal, "ama")
        assert ticked(portal.get("/orders").text) == []


def test_of_two_stores_the_one_comes_back_where_they_were_ticked(
    app: Flask, portal: Visitor, place: Any, jump: Any
) -> None:
    log_in(portal, "both")
    code, other = place("kofi", number="0241110001"), place("ama", number="0241110002")
    portal.post("/stores", {"store": "kofi"})
    form = form_of(portal) | {"order": [code, other]}
    ended(app, portal, "idle", jump)
    portal.post("/orders/process", form, csrf=False)
    assert log_in(portal, "both", next="/orders").location == "/orders"
    page = portal.get("/orders").text
    assert "Kofi" in page and ticked(page) == [code] and other not in page
    # with the token of the earlier log-in
    portal.post("/orders/process", form, csrf=False)
    portal.post("/stores", {"store": "ama"})
    assert ticked(portal.get("/orders").text) == []


@pytest.mark.parametrize("drawn", ["", "[1, 1]", "WzEsMV0.AAAA", None])
def test_a_page_that_does_not_show_for_whom_it_was_drawn_keeps_nothing(
    app: Flask, portal: Visitor, place: Any, jump: Any, drawn: str | None
) -> None:
    log_in(portal, "ama")
    form = form_of(portal) | {"order": [place()], "drawn_for": drawn}
    ended(app, portal, "logged out", jump)
    answer = portal.post(
        "/orders/process", {k: v for k, v in form.items() if v is not None}, csrf=False
    )
    assert (
        answer.status_code == 303
        and "Log in and press once more" in portal.get(answer.location).text
    )
    assert ticked(portal.get(log_in(portal, "ama", next="/orders").location).text) == []


def test_a_page_from_before_a_new_log_in_does_nothing_and_comes_back_ticked(
    portal: Visitor, place: Any, order_of: Any
) -> None:
    log_in(portal, "ama")
    code = place()
    form = form_of(portal) | {"order": [code]}
    portal.post("/logout")
    log_in(portal, "ama")  # in another tab
    answer = portal.post("/orders/process", form, csrf=False)
    assert (answer.status_code, answer.location) == (303, "/orders?tab=new")
    page = portal.get(answer.location).text
    assert (
        "older than your log-in" in page
        and ticked(page) == [code]
        and order_of(code).state == "pending"
    )


def test_a_page_of_half_a_day_ago_does_nothing_and_comes_back_ticked_though_the_log_in_goes_on(
    portal: Visitor, place: Any, order_of: Any, jump: Any
) -> None:
    log_in(portal, "ama")
    code = place()
    form = form_of(portal) | {"order": [code]}
    jump(43_000)
    assert portal.get("/prices").status_code == 200
    jump(300)
    answer = portal.post("/orders/process", form, csrf=False)
    assert (answer.status_code, answer.location) == (303, "/orders?tab=new")
    assert ticked(portal.get(answer.location).text) == [code]
    assert order_of(code).state == "pending"


def test_a_page_of_somebody_else_s_log_in_is_refused_whole(
    portal: Visitor, place: Any, order_of: Any
) -> None:
    log_in(portal, "ama")
    code = place()
    form = form_of(portal) | {"order": [code]}
    portal.post("/logout")
    log_in(portal, "cashier")
    assert portal.post("/orders/process", form, csrf=False).status_code == 400
    assert (
        ticked(portal.get("/orders").text) == [] and order_of(code).state == "pending"
    )


def test_two_hundred_ticks_fit_into_the_cookie(
    app: Flask, portal: Visitor, place: Any, jump: Any
) -> None:
    log_in(portal, "ama")
    real = place()
    form = form_of(portal) | {
        "order": [real, *(f"{index:05}ABCDE" for index in range(199))]
    }
    ended(app, portal, "idle", jump)
    answer = portal.post("/orders/process", form, csrf=False)
    assert all(len(value) < 4_093 for value in answer.headers.getlist("Set-Cookie"))
    page = portal.get(log_in(portal, "ama", next="/orders").location).text
    assert (
        ticked(page) == [real]
        and "199 of those you had ticked are not new any more" in page
    )


def test_no_password_is_ever_kept(app: Flask, portal: Visitor, jump: Any) -> None:
    log_in(portal, "ama")
    form = form_of(portal)
    ended(app, portal, "idle", jump)
    portal.post(
        "/account/password",
        {"csrf_token": form["csrf_token"], "present_password": PASSWORD},
        csrf=False,
    )
    with portal.client.session_transaction(base_url=portal.base_url) as session:
        assert PASSWORD not in str(dict(session))


def test_on_one_s_own_phone_a_log_in_lives_half_a_day_unused_and_a_week_in_all(
    portal: Visitor, jump: Any
) -> None:
    answer = log_in(portal, "ama")
    assert "Expires=" in next(
        one
        for one in answer.headers.getlist("Set-Cookie")
        if one.startswith("__Host-makola")
    )
    for _ in range(15):
        jump(43_200 - 60)
        if portal.get("/orders").status_code != 200:
            break
    assert 13 <= _ <= 14, "a week"
    log_in(portal, "ama")
    jump(43_200 + 61)
    assert portal.get("/orders").status_code == 303


def test_on_a_shared_computer_it_ends_after_half_an_hour_and_with_the_browser(
    portal: Visitor, jump: Any
) -> None:
    answer = log_in(portal, "ama", shared="on")
    assert not any(
        one.startswith("__Host-makola") and "Expires=" in one
        for one in answer.headers.getlist("Set-Cookie")
    )
    jump(1_790)
    assert portal.get("/orders").status_code == 200
    jump(1_801)
    assert portal.get("/orders").status_code == 303


def test_typed_prices_come_back_typed_and_unsaved(
    app: Flask, portal: Visitor, line_of: Any, jump: Any
) -> None:
    log_in(portal, "ama")
    line = line_of("mtn", 5)
    name, page = f"price-{line.bundle_id}", portal.get("/prices").text
    form = {each: field(page, each) for each in ("csrf_token", "drawn_for")} | {
        name: "133.70"
    }
    ended(app, portal, "idle", jump)
    portal.post("/prices", form, csrf=False)
    page = portal.get(log_in(portal, "ama", next="/prices").location).text
    assert "What you had typed is here again" in page and 'value="133.70"' in page
    assert line_of("mtn", 5).price_pesewas == line.price_pesewas


def test_a_rule_for_many_prices_comes_back_shown_and_unsaved(
    app: Flask, portal: Visitor, line_of: Any, jump: Any
) -> None:
    log_in(portal, "ama")
    line, where = line_of("mtn", 5), "/prices/bulk?network=mtn&amount=33&step=100"
    page = portal.get(where).text
    names = ("csrf_token", "drawn_for", "network", "amount", "step", "seen")
    form = {name: field(page[page.index('class="sticky"') :], name) for name in names}
    ended(app, portal, "idle", jump)
    portal.post("/prices/bulk", form, csrf=False)
    page = portal.get(log_in(portal, "ama", next="/prices/bulk").location).text
    assert "What you had typed is here again" in page and 'value="33"' in page
    assert "would change" in page
    assert line_of("mtn", 5).price_pesewas == line.price_pesewas


def chosen(html: str) -> list[str]:
    return re.findall(r'<option value="(\w+)" selected', html)


@pytest.mark.parametrize("how", WAYS)
def test_how_the_money_went_back_stands_there_again_and_is_not_said_unasked(
    app: Flask, portal: Visitor, place: Any, order_of: Any, jump: Any, how: str
) -> None:
    log_in(portal, "ama")
    code = place(state="refunded")
    where = f"/orders/{code}"
    page = portal.get(where).text
    assert chosen(page) == []
    form = {name: field(page, name) for name in ("csrf_token", "drawn_for")} | {
        "how": "cash"
    }
    portal = ended(app, portal, how, jump)
    sent_from = {"Referer": portal.base_url + where}
    answer = portal.post(f"{where}/give-back", form, csrf=False, headers=sent_from)
    assert (
        answer.location == f"/login?next={where}"
        and "what you had chosen is kept" in portal.get(answer.location).text
    )
    back = log_in(portal, "ama", next=where).location
    assert (
        not ticked(portal.get("/orders").text)
        and "Nothing was sent yet" not in portal.get("/orders").text
    )
    page = portal.get(back).text
    assert (
        back == where
        and "You had chosen “in cash”. Press once more." in page
        and chosen(page) == ["cash"]
    )
    assert (
        order_of(code).given_back_at is None and chosen(portal.get(where).text) == []
    ), "shown once"
    assert (
        portal.post(f"{where}/give-back", {"how": chosen(page)[0]}).status_code == 303
    )
    assert order_of(code).given_back_how == "cash"


def test_why_nothing_is_owed_stands_there_again_too(
    app: Flask, portal: Visitor, place: Any, jump: Any
) -> None:
    log_in(portal, "ama")
    where = f"/orders/{place(state='refunded')}"
    page = portal.get(where).text
    assert (
        page.count('name="drawn_for"') == 4
        and "<details><summary>Nothing to give back" in page
    )
    form = {name: field(page, name) for name in ("csrf_token", "drawn_for")} | {
        "how": "unpaid"
    }
    ended(app, portal, "idle", jump)
    portal.post(f"{where}/give-back", form, csrf=False)
    log_in(portal, "ama")
    page = portal.get(where).text
    assert "You had chosen “nothing to give back, the customer had not paid”" in page
    assert "<details open><summary>Nothing to give back" in page


def test_a_note_and_a_reason_stand_there_again(
    app: Flask, portal: Visitor, place: Any, jump: Any, order_of: Any
) -> None:
    code = place()
    for act, typed, shown in (
        ("note", {"note": "pays at six"}, 'value="pays at six"'),
        ("hold", {"reason": "price"}, 'value="price" selected'),
    ):
        log_in(portal, "ama")
        page = portal.get(f"/orders/{code}").text
        form = {name: field(page, name) for name in ("csrf_token", "drawn_for")}
        ended(app, portal, "idle", jump)
        portal.post(f"/orders/{code}/{act}", form | typed, csrf=False)
        log_in(portal, "ama")
        assert shown in portal.get(f"/orders/{code}").text
        assert (order_of(code).note, order_of(code).aside) == (None, None)
        portal.post("/logout")


def test_a_loss_that_was_accepted_is_ticked_again_while_it_is_the_same(
    app: Flask, portal: Visitor, place: Any, jump: Any, order_of: Any
) -> None:
    log_in(portal, "ama")
    where = f"/orders/{place()}"
    for cost, is_ticked in ((5_000, True), (5_100, False)):
        costs(5_000)
        page = portal.get(where).text
        names = ("csrf_token", "drawn_for", "cost", "accept")
        form = {name: field(page, name) for name in names}
        ended(app, portal, "idle", jump)
        portal.post(f"{where}/reprice", form, csrf=False)
        log_in(portal, "ama")
        costs(cost)
        page = portal.get(where).text
        assert "Nothing was sent yet. Press once more." in page
        assert (" required checked>" in page) is is_ticked
    assert order_of(where[-10:]).state == "pending"


def costs(pesewas: int) -> None:
    """What five gigabytes of MTN cost the platform from now on; agents pay two cedis more."""
    tables_owner.execute(
        update(Bundle).where(Bundle.network == "mtn", Bundle.mb == 5120)
        .values(cost_pesewas=pesewas, agent_price_pesewas=pesewas + 200)
    )  # fmt: skip
