"""Logging in and out, the store chooser, and what each role may press."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from visitors import Visitor

from core.base import hashing

pytestmark = pytest.mark.slow(seconds=0.15)

PASSWORD = "correct horse battery"


def log_in(portal: Visitor, email: str, password: str = PASSWORD, **more: str) -> Any:
    return portal.post("/login", {"email": email, "password": password, **more})


def plain(html: str, typed: str) -> str:
    """A page without what differs on every answer: tokens and what was typed."""
    return re.sub(r'(value|X-CSRFToken)": ?"?[^"]*"|value="[^"]*"', "", html).replace(
        typed, ""
    )


@pytest.fixture
def portal(visitor: Callable[[str], Visitor]) -> Visitor:
    return visitor("portal")


def test_the_right_password_opens_the_portal(portal: Visitor) -> None:
    answer = log_in(portal, "ama@example.test")
    assert (answer.status_code, answer.location) == (303, "/")
    assert "Ama&#39;s Data" in portal.get("/").text


def test_the_address_may_be_typed_in_capitals_and_with_spaces(portal: Visitor) -> None:
    assert log_in(portal, "  Ama@Example.TEST ").status_code == 303


def test_unknown_and_wrong_read_the_same(
    portal: Visitor, visitor: Callable[[str], Visitor]
) -> None:
    wrong = log_in(portal, "ama@example.test", "not the password")
    unknown = log_in(visitor("portal"), "nobody-here@example.test", "not the password")
    assert wrong.status_code == unknown.status_code == 422
    assert "do not belong together" in wrong.text
    assert plain(wrong.text, "ama@example.test") == plain(
        unknown.text, "nobody-here@example.test"
    )


def test_a_person_without_a_store_is_told_so(portal: Visitor) -> None:
    answer = log_in(portal, "nobody@example.test")
    assert answer.status_code == 422 and "has no store" in answer.text
    assert portal.get("/").status_code == 303


def test_five_wrong_ones_are_said_and_hold_for_this_address_even_with_the_right_password(
    portal: Visitor,
) -> None:
    answers = [
        log_in(portal, "ama@example.test", "wrong").status_code for _ in range(5)
    ]
    assert answers == [422] * 5
    late = log_in(portal, "ama@example.test", next="/prices")
    assert late.status_code == 429 and "Wait 15 minutes" in late.text
    assert int(late.headers["Retry-After"]) in range(880, 901)
    assert (
        'value="ama@example.test"' in late.text
        and 'value="/prices"' in late.text
        and PASSWORD not in late.text
    )
    assert portal.get("/").status_code == 303
    assert log_in(portal, "kofi@example.test").status_code == 303, (
        "a neighbour behind the same address"
    )


def from_address(
    portal: Visitor, address: str, password: str = PASSWORD, **more: str
) -> Any:
    form = {"email": "ama@example.test", "password": password, **more}
    return portal.post("/login", form, environ_base={"REMOTE_ADDR": address})


def guessed_by_strangers(portal: Visitor) -> None:
    for n in range(5):
        assert from_address(portal, f"10.1.0.{n}", "wrong").status_code == 422


def test_while_others_guess_a_new_address_waits_a_moment_and_its_next_press_is_looked_at(
    visitor: Callable[[str], Visitor], jump: Callable[[float], None]
) -> None:
    guessed_by_strangers(visitor("portal"))
    ama = visitor("portal")
    waits = from_address(ama, "10.2.0.1", next="/prices")
    assert (
        waits.status_code == 429
        and "Wait 1 second," in waits.text
        and waits.headers["Retry-After"] == "1"
    )
    assert (
        'value="ama@example.test"' in waits.text
        and 'value="/prices"' in waits.text
        and PASSWORD not in waits.text
    )
    jump(1.01)
    assert from_address(ama, "10.2.0.1", next="/prices").location == "/prices"


def test_a_phone_that_logged_in_before_is_let_in_from_the_guesser_s_own_address(
    portal: Visitor, visitor: Callable[[str], Visitor]
) -> None:
    assert log_in(portal, "ama@example.test").status_code == 303
    portal.post("/logout")
    for _ in range(5):
        log_in(visitor("portal"), "ama@example.test", "wrong")
    assert log_in(visitor("portal"), "ama@example.test").status_code == 429
    assert log_in(portal, "ama@example.test").status_code == 303


def test_the_mark_of_a_known_device_is_locked_to_its_host_and_given_to_nobody_else(
    portal: Visitor,
) -> None:
    assert "__Host-known" not in str(
        log_in(portal, "ama@example.test", "wrong").headers
    )
    assert "__Host-known" not in str(log_in(portal, "nobody@example.test").headers), (
        "the password alone is not enough"
    )
    (cookie,) = [
        c
        for c in log_in(portal, "ama@example.test").headers.getlist("Set-Cookie")
        if "__Host-known" in c
    ]
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= {
        part.strip() for part in cookie.split(";")
    }
    assert "Domain" not in cookie


def test_the_mark_of_one_door_says_nothing_at_the_other(
    portal: Visitor, visitor: Callable[[str], Visitor]
) -> None:
    console = visitor("admin")
    owner = {"email": "owner@example.test", "password": PASSWORD}
    assert console.post("/login", owner).status_code == 303
    mark = console.client.get_cookie("__Host-known", "admin.localhost")
    assert mark is not None
    for _ in range(5):
        assert log_in(portal, "owner@example.test", "wrong").status_code == 422
    portal.client.set_cookie("__Host-known", mark.value, domain="portal.localhost")
    assert log_in(portal, "owner@example.test", "wrong").status_code == 429


@pytest.mark.parametrize(
    "mark", ["", "x", "x" * 43, "x" * 3_000, "\u00e9" * 43, "' OR 1=1 --"]
)
def test_an_invented_mark_is_none(portal: Visitor, mark: str) -> None:
    portal.client.set_cookie("__Host-known", mark, domain="portal.localhost")
    for _ in range(5):
        assert log_in(portal, "ama@example.test", "wrong").status_code == 422
    assert log_in(portal, "ama@example.test").status_code == 429


def test_addresses_of_one_line_count_as_one(portal: Visitor) -> None:
    for n in range(5):
        assert from_address(portal, f"2001:db8:1:2:{n}::1", "wrong").status_code == 422
    assert "Too many wrong tries" in from_address(portal, "2001:db8:1:2:ffff::9").text
    assert "Too many wrong tries" not in from_address(portal, "2001:db8:1:3::1").text


def test_a_busy_log_in_says_so_at_once_and_keeps_the_form(portal: Visitor) -> None:
    portal.get("/login")
    places = [hashing._inside.acquire(blocking=False) for _ in range(hashing.THREADS)]
    try:
        answer = log_in(portal, "ama@example.test", next="/prices")
    finally:
        for _ in filter(None, places):
            hashing._inside.release()
    assert answer.status_code == 503 and "press the button again" in answer.text
    assert answer.headers["Retry-After"] == "1"
    assert (
        'value="ama@example.test"' in answer.text and 'value="/prices"' in answer.text
    )
    assert log_in(portal, "ama@example.test", next="/prices").location == "/prices"


@pytest.mark.parametrize(
    ("wanted", "got"),
    [
        ("/orders?tab=late", "/orders?tab=late"),
        ("https://evil.example/", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/orders\r\nSet-Cookie: a=b", "/"),
        ("javascript:alert(1)", "/"),
        ("orders", "/"),
        ("/" + "a" * 2_100, "/"),
        ("", "/"),
    ],
)
def test_after_the_log_in_only_a_path_of_this_host_is_next(
    portal: Visitor, wanted: str, got: str
) -> None:
    assert log_in(portal, "ama@example.test", next=wanted).location == got


def test_the_page_asked_for_comes_back_after_the_log_in(portal: Visitor) -> None:
    sent = portal.get("/orders?tab=late&q=024")
    assert sent.status_code == 303 and sent.location.startswith("/login?next=")
    form = portal.get(sent.location).text
    assert 'name="next" value="/orders?tab=late&amp;q=024"' in form


def test_who_is_logged_in_needs_no_log_in_page(ama_agent: Visitor) -> None:
    answer = ama_agent.get("/login?next=/prices")
    assert (answer.status_code, answer.location) == (303, "/prices")


GUARDED = [
    ("GET", "/"), ("GET", "/orders"), ("GET", "/orders/news?since=0"), ("GET",
    "/orders/K7QM2XR94T"),
    ("GET", "/orders/K7QM2XR94T/status"), ("POST", "/orders/K7QM2XR94T/process"), ("POST",
    "/orders/K7QM2XR94T/cancel"),
    ("POST", "/orders/K7QM2XR94T/recheck"), ("POST", "/orders/process"), ("GET", "/prices"),
    ("POST", "/prices"),
    ("GET", "/orders/rows"), ("GET", "/prices/changes"), ("POST", "/prices/changes"), ("POST",
    "/orders/K7QM2XR94T/reprice"),
    ("GET", "/prices/bulk"), ("POST", "/prices/bulk"), ("GET", "/prices/history"),
    ("GET", "/prices/arrange"), ("POST", "/prices/arrange"),
    ("GET", "/store"), ("POST", "/store"), ("POST", "/store/pause"),
    ("GET", "/test-order"), ("POST", "/test-order"),
    ("GET", "/store/preview"), ("POST", "/store/preview"),
    ("GET", "/store/hours"), ("POST", "/store/hours"), ("GET", "/store/logo"),
    ("GET", "/store/logo.webp"), ("POST", "/store/logo"), ("POST", "/store/logo/off"),
    ("GET", "/store/address"), ("POST", "/store/address"), ("GET", "/store/address/check"),
    ("GET", "/orders/cancel"), ("POST", "/orders/cancel"), ("POST", "/orders/K7QM2XR94T/give-back"),
    ("POST", "/orders/K7QM2XR94T/give-back/undo"), ("POST", "/orders/K7QM2XR94T/not-found"),
    ("POST", "/orders/K7QM2XR94T/answer"), ("POST", "/orders/K7QM2XR94T/hold"),
    ("POST", "/orders/K7QM2XR94T/note"), ("POST", "/orders/K7QM2XR94T/take"),
    ("GET", "/orders/filter"), ("GET", "/orders/all"), ("GET", "/orders.csv"),
    ("GET", "/orders/K7QM2XR94T/row"), ("GET", "/orders/K7QM2XR94T/cancel"), ("POST",
    "/orders/K7QM2XR94T/undo"), ("POST", "/orders/undo"),
    ("GET", "/payments"), ("POST", "/payments"), ("GET", "/payments/process"),
    ("POST", "/payments/process"), ("POST", "/payments/K7QM2XR94T/match"),
    ("POST", "/payments/K7QM2XR94T/put-away"), ("POST", "/payments/K7QM2XR94T/take-back"),
    ("GET", "/wallet"), ("GET", "/wallet.csv"), ("GET", "/stores"), ("POST", "/stores"), ("POST",
    "/logout"), ("GET", "/stores/K7QM2XR94T"),
    ("GET", "/account/password"), ("POST", "/account/password"), ("GET", "/account/sessions"),
    ("POST", "/account/sessions/end"), ("POST", "/account/log-out-everywhere"),
    ("GET", "/orders/new"), ("POST", "/orders/new"), ("GET", "/lists"), ("POST", "/lists"),
    ("GET", "/lists/1"), ("GET", "/lists/1.csv"), ("POST", "/lists/1/lines"),
    ("POST", "/lists/1/confirm"), ("POST", "/lists/1/place"), ("POST", "/lists/1/throw-away"),
    # Open to who has a link; this is none.
    ("GET", "/reset/K7QM2XR94T"), ("POST", "/reset/K7QM2XR94T"),
    ("GET", "/confirm/K7QM2XR94T"), ("POST", "/confirm/K7QM2XR94T"),
    ("POST", "/confirm/K7QM2XR94T/send"), ("POST", "/open"), ("POST", "/approval"),
    ("GET", "/terms"), ("POST", "/terms"), ("GET", "/share"), ("GET", "/share/qr.svg"),
    ("GET", "/share/poster"), ("GET", "/earnings"), ("GET", "/earnings.csv"),
    ("GET", "/wallet/funding"), ("POST", "/wallet/funding"),
    ("GET", "/wallet/online"), ("POST", "/wallet/online"), ("GET", "/wallet/online/K7QM2XR94T"),
    ("GET", "/wallet/online/K7QM2XR94T/back"),
    ("POST", "/wallet/funding/K7QM2XR94T/withdraw"), ("GET", "/customers"),
    ("GET", "/customers/K7QM2XR94T"), ("POST", "/customers/K7QM2XR94T"),
    ("POST", "/customers/K7QM2XR94T/number"), ("POST", "/customers/K7QM2XR94T/block"),
    ("POST", "/customers/K7QM2XR94T/unblock"), ("POST", "/customers/K7QM2XR94T/order"),
    ("POST", "/customers/K7QM2XR94T/forget"), ("GET", "/orders/K7QM2XR94T/customer"),
    ("POST", "/orders/K7QM2XR94T/customer/block"),
    ("GET", "/people"), ("POST", "/people"), ("POST", "/people/K7QM2XR94T/role"),
    ("POST", "/people/K7QM2XR94T/remove"), ("POST", "/people/invitations/K7QM2XR94T/withdraw"),
    # Open to who has a link, or a right password; this is none.
    ("GET", "/join/K7QM2XR94T"), ("POST", "/join/K7QM2XR94T"),
    ("GET", "/login/code"), ("POST", "/login/code"),
    ("POST", "/account/devices/seen"), ("POST", "/account/log-out-elsewhere"),
    ("GET", "/account/confirm"), ("POST", "/account/confirm"),
    ("GET", "/account/second-step"), ("POST", "/account/second-step"),
    ("POST", "/account/second-step/first"), ("POST", "/account/second-step/codes"),
    ("POST", "/account/second-step/off"),
    ("POST", "/orders/K7QM2XR94T/customer/forget"), ("GET", "/news"), ("POST", "/news/read"),
    ("GET", "/notices"), ("POST", "/notices"), ("POST", "/notices/K7QM2XR94T"),
    ("POST", "/notices/K7QM2XR94T/remove"), ("GET", "/days"),
    ("GET", "/payouts"), ("POST", "/payouts"), ("GET", "/payouts/number"),
    ("POST", "/payouts/number"), ("GET", "/payouts/schedule"), ("POST", "/payouts/schedule"),
    ("GET", "/payouts/K7QM2XR94T"), ("GET", "/payouts/K7QM2XR94T.csv"),
    ("POST", "/payouts/K7QM2XR94T/cancel"),
    ("GET", "/online-payments"), ("GET", "/online-payments/orders"),
    ("GET", "/store/pay-online"),
    ("POST", "/store/pay-online"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), GUARDED)
def test_nobody_passes_without_a_log_in(
    portal: Visitor, method: str, path: str
) -> None:
    answer = portal.get(path) if method == "GET" else portal.post(path)
    assert answer.status_code == 303 and answer.location.startswith("/login")


def test_every_route_of_the_room_is_in_that_list(app: Any) -> None:
    ours = {
        (
            method,
            re.sub(r"<\w+>", "K7QM2XR94T", re.sub("<int:[^>]+>", "1", rule.rule)),
        )
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith("portal.")
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    assert ours == {(method, path.partition("?")[0]) for method, path in GUARDED} | {
        ("GET", "/login"),
        ("POST", "/login"),
        ("GET", "/sign-up"),
        ("POST", "/sign-up"),
        ("GET", "/sign-up/address"),
        ("GET", "/notices.js"),
    }


def test_a_poll_after_the_log_in_ended_ends_itself(portal: Visitor) -> None:
    answer = portal.get("/orders/news?since=0", headers={"HX-Request": "true"})
    assert answer.status_code == 401
    assert (
        "Log in again" in answer.text
        and "trigger" not in answer.text
        and "<html" not in answer.text
    )


def test_a_press_after_the_log_in_ended_goes_to_the_log_in_page_as_a_whole(
    portal: Visitor,
) -> None:
    answer = portal.post(
        "/orders/K7QM2XR94T/process?row=1", headers={"HX-Request": "true"}
    )
    assert answer.status_code == 401 and answer.headers["HX-Redirect"] == "/login"


def test_logging_out_ends_the_session_on_the_server(app: Any, portal: Visitor) -> None:
    log_in(portal, "ama@example.test")
    with portal.client.session_transaction(base_url=portal.base_url) as session:
        token = session["_user_id"]
    assert portal.post("/logout").location == "/login"
    assert Visitor(app, "portal", token).get("/").status_code == 303


def test_a_log_in_never_keeps_a_session_from_before(app: Any, portal: Visitor) -> None:
    with portal.client.session_transaction(base_url=portal.base_url) as session:
        session["planted"] = "by somebody else"
    log_in(portal, "ama@example.test")
    with portal.client.session_transaction(base_url=portal.base_url) as session:
        first = session["_user_id"]
        assert "planted" not in session
    log_in(portal, "kofi@example.test")
    assert Visitor(app, "portal", first).get("/").status_code == 303, (
        "the earlier log-in must have ended"
    )
    assert "Kofi&#39;s Data" in portal.get("/").text


def test_a_log_in_of_the_console_opens_nothing_here(
    app: Any, logged_in: Callable[..., Visitor]
) -> None:
    owner = logged_in("owner@example.test", "console", None)
    with owner.client.session_transaction(base_url=owner.base_url) as session:
        token = session["_user_id"]
    assert Visitor(app, "portal", token).get("/orders").status_code == 303


def test_a_session_used_for_a_while_still_shows_who_it_is(
    ama_agent: Visitor, jump: Callable[[float], None]
) -> None:
    jump(120)  # past the minute after which the session notes that it was seen
    assert "ama@example.test" in ama_agent.get("/orders").text


def test_an_idle_session_ends(
    ama_agent: Visitor, jump: Callable[[float], None]
) -> None:
    jump(31 * 60)
    assert ama_agent.get("/").location == "/login"


class TestSeveralStores:
    def test_the_chooser_comes_first_and_nothing_opens_before(
        self, portal: Visitor
    ) -> None:
        assert (
            log_in(portal, "both@example.test", next="/prices").location
            == "/stores?next=/prices"
        )
        assert (
            portal.get("/orders?tab=back").location == "/stores?next=/orders?tab%3Dback"
        )
        assert portal.get("/").location == portal.post("/prices").location == "/stores"
        page = portal.get("/stores").text
        assert "Ama&#39;s Data" in page and "Kofi&#39;s Data" in page

    @pytest.mark.parametrize(
        ("wanted", "led"),
        [
            ("/orders?tab=back", "/orders?tab=back"),
            ("//evil.test", "/"),
            ("https://evil.test/", "/"),
        ],
    )
    def test_choosing_leads_to_what_was_wanted_and_never_elsewhere(
        self, portal: Visitor, wanted: str, led: str
    ) -> None:
        log_in(portal, "both@example.test")
        page = portal.get(f"/stores?next={quote(wanted, safe='')}").text
        assert ('name="next"' in page) == (wanted == led)
        assert portal.post("/stores", {"store": "kofi", "next": wanted}).location == led

    def test_choosing_and_switching(self, portal: Visitor) -> None:
        log_in(portal, "both@example.test")
        assert portal.post("/stores", {"store": "kofi"}).location == "/"
        page = portal.get("/").text
        assert "Kofi&#39;s Data" in page and "Switch store" in page
        portal.post("/stores", {"store": "ama"})
        assert "Ama&#39;s Data<small" in portal.get("/").text

    @pytest.mark.parametrize(
        "store", ["kofi", "no-such-store", "", "1", "../ama", "\U0001f514"]
    )
    def test_a_store_one_does_not_work_in_is_unknown(
        self, ama_agent: Visitor, store: str
    ) -> None:
        assert ama_agent.post("/stores", {"store": store}).status_code == 404
        assert "Ama&#39;s Data" in ama_agent.get("/").text

    def test_a_link_of_a_notice_lands_in_the_store_that_it_names(
        self, portal: Visitor
    ) -> None:
        link = "/stores/kofi?next=/orders?tab%3Dpaid"
        assert portal.get(link).location == "/login?next=" + quote(link, safe="/")
        answer = log_in(portal, "both@example.test", next=link)
        portal.post("/stores", {"store": "ama", "next": link})
        assert answer.location.startswith("/stores?next=")
        # on another site it asks first, and nothing has changed
        for site in ({"Sec-Fetch-Site": "cross-site"}, {}):
            asked = portal.get(link, headers=site)
            assert asked.status_code == 200 and 'value="ama"' not in asked.text
            assert "This is in another store of yours" in asked.text
            assert "Ama&#39;s Data<small" in portal.get("/").text
        opened = portal.get(link, headers={"Sec-Fetch-Site": "same-origin"})
        assert opened.location == "/orders?tab=paid"
        page = portal.get("/").text
        assert "Kofi&#39;s Data<small" in page and "You are in Kofi" in page
        # in it already, from wherever
        assert portal.get(link).location == "/orders?tab=paid"
        evil = portal.get(
            "/stores/kofi?next=//evil.test", headers={"Sec-Fetch-Site": "none"}
        )
        assert evil.location == "/"

    def test_a_link_into_a_store_of_others_is_as_one_into_none(
        self, ama_agent: Visitor
    ) -> None:
        own = {"Sec-Fetch-Site": "same-origin"}
        for slug in ("kofi", "no-such-store"):
            answer = ama_agent.get(f"/stores/{slug}?next=/orders", headers=own)
            assert answer.status_code == 404
        assert "Ama&#39;s Data<small" in ama_agent.get("/").text

    def test_who_works_in_one_store_sees_no_switch(self, ama_agent: Visitor) -> None:
        assert "Switch store" not in ama_agent.get("/").text


class TestRoles:
    def test_a_viewer_looks_and_presses_nothing(
        self, logged_in: Callable[..., Visitor], place: Any, counts: Any
    ) -> None:
        viewer = logged_in("viewer@example.test", "portal", "ama")
        code, before = place(), counts()
        for path in ("/", "/orders", f"/orders/{code}", "/wallet", "/prices"):
            page = viewer.get(path)
            assert page.status_code == 200
            assert (
                "/process" not in page.text
                and "/cancel" not in page.text
                and "Save prices" not in page.text
            )
        for path in (
            f"/orders/{code}/process",
            f"/orders/{code}/cancel",
            f"/orders/{code}/recheck",
            "/orders/process",
            "/orders/cancel",
            "/prices",
        ):
            assert viewer.post(path, {"order": code}).status_code == 403
        assert counts()[2:5] == before[2:5]

    def test_a_cashier_processes_and_does_not_price(self, logged_in: Callable[..., Visitor],
    place: Any, order_of: Any,
                                                    line_of: Any) -> None:  # fmt: skip
        cashier, code = logged_in("cashier@example.test", "portal", "ama"), place()
        assert cashier.post(f"/orders/{code}/process").status_code == 303
        assert order_of(code).state == "queued"
        assert "Save prices" not in cashier.get("/prices").text
        assert (
            cashier.post(
                "/prices", {f"price-{line_of('mtn', 5).bundle_id}": "90.00"}
            ).status_code
            == 403
        )


# The log-in form, wrong in fifteen ways: (fields, status, what must be said).
WRONG = [
    ({}, 422, "Type your e-mail address or phone number."),
    ({"email": "ama@example.test"}, 422, "Type your password."),
    ({"password": PASSWORD}, 422, "Type your e-mail address or phone number."),
    ({"email": "ama", "password": PASSWORD}, 422, "like ama@example.com"),
    ({"email": "ama @example.test", "password": PASSWORD}, 422, "like ama@example.com"),
    ({"email": "   ", "password": PASSWORD}, 422, "like ama@example.com"),
    (
        {"email": "a" * 255 + "@x", "password": PASSWORD},
        422,
        "No e-mail address is that long.",
    ),
    ({"email": "ama@example.test", "password": "x" * 257}, 422, "at most 256"),
    (
        {"email": "ama@example.test\x00", "password": PASSWORD},
        422,
        "like ama@example.com",
    ),
    (
        {"email": "ama@example.test", "password": "\x00\x01\x02"},
        422,
        "do not belong together",
    ),
    (
        {"email": "ama@example.test' OR '1'='1", "password": "guess-1234"},
        422,
        "like ama@example.com",
    ),
    (
        {"email": ["kofi@example.test", "ama@example.test"], "password": "guess-1234"},
        422,
        "do not belong together",
    ),
    (
        {"email": "<script>@example.test", "password": "guess-1234"},
        422,
        "do not belong together",
    ),
    ({"email": "ama@example.test", "password": "x" * 70_000}, 413, "larger"),
    (
        {"email": "ama@example.test", "password": "Correct Horse Battery"},
        422,
        "do not belong together",
    ),
]


@pytest.mark.parametrize(("form", "status", "sentence"), WRONG)
def test_a_wrong_form_is_answered_with_a_sentence(
    portal: Visitor,
    counts: Callable[[], Any],
    form: dict[str, Any],
    status: int,
    sentence: str,
) -> None:
    before = counts()
    answer = portal.post("/login", form)
    assert answer.status_code == status and sentence in answer.text
    assert counts() == before and portal.get("/").status_code == 303
    typed = form.get("email")
    if (
        status == 422
        and isinstance(typed, str)
        and typed.isprintable()
        and "<" not in typed
        and "'" not in typed
    ):
        assert f'value="{typed}"' in answer.text, "what was typed is kept"
    assert form.get("password", PASSWORD) not in answer.text, (
        "a password is never shown again"
    )


@pytest.mark.parametrize(
    "typed",
    [
        "\u202dama@example.test\u202c",
        "ama\u200b@example\u00ad.test",
        "\ufeff Ama@Example.test\u3000",
        "ａｍａ@example.test",
    ],
)
def test_an_address_is_read_as_it_is_seen(portal: Visitor, typed: str) -> None:
    answer = portal.post("/login", {"email": typed, "password": PASSWORD})
    assert (answer.status_code, answer.location) == (303, "/")


def test_a_form_without_token_or_from_elsewhere_logs_nobody_in(portal: Visitor) -> None:
    right = {"email": "ama@example.test", "password": PASSWORD}
    assert portal.post("/login", right, csrf=False).status_code == 400
    assert portal.post("/login", right, csrf=False, origin=None).status_code == 400
    assert (
        portal.post("/login", right, origin="http://ama.localhost").status_code == 403
    )
    assert portal.get("/").status_code == 303
