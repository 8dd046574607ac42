"""The header set on every answer, the origin matrix, and cookies."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable

import pytest
from flask import Flask
from visitors import Visitor

from edge import hosts, origins
from edge.security import inline_style, policy

ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
ANSWERS = [
    ("ama", "GET", "/", 200),
    ("ama", "HEAD", "/", 200),
    ("ama", "OPTIONS", "/", 200),
    ("ama", "GET", "/no-such-page", 404),
    ("ama", "DELETE", "/", 405),
    ("ama", "POST", "/orders", 422),
    ("ama", "GET", "/track", 200),
    ("portal", "GET", "/login", 200),
    ("portal", "GET", "/orders", 303),
    ("portal", "POST", "/login", 400),
    ("admin", "POST", "/login", 403),
    ("admin", "GET", "/login", 200),
    ("admin", "GET", "/", 303),
    ("hooks", "GET", "/", 404),
    ("hooks", "POST", "/datamart/wrong", 404),
    ("nobody", "GET", "/", 404),
    ("bad_host", "GET", "/", 400),
    ("ama", "GET", "/healthz", 200),
    ("nobody", "GET", "/healthz", 200),
    ("ama", "GET", "/static/{css}", 200),
    ("ama", "GET", "/static/none.css", 404),
]


def test_every_answer_carries_the_headers(app: Flask) -> None:
    client = app.test_client(use_cookies=False)
    for host, method, path, status in ANSWERS:
        what = f"{method} {host} {path}"
        path = path.replace("{css}", app.extensions["static_names"]["app.css"])
        origin = {"Origin": "http://ama.localhost"} if method == "DELETE" else {}
        with client.open(
            path, method=method, base_url=f"http://{host}.localhost", headers=origin
        ) as answer:
            assert answer.status_code == status, what
            for name, value in ALWAYS.items():
                assert answer.headers.getlist(name) == [value], (what, name)
            (csp,) = answer.headers.getlist("Content-Security-Policy")
        assert (
            csp.startswith("default-src 'none'") and "frame-ancestors 'none'" in csp
        ), what
        assert "unsafe" not in csp and "*" not in csp and "http:" not in csp, what
        assert "Server" not in answer.headers, what
        assert answer.headers.get("Cache-Control"), (
            f"{what} does not say how it may be kept"
        )


def test_the_policy_is_the_written_one() -> None:
    assert (
        policy([], hosts.STORE)
        == "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
        " connect-src 'self'; manifest-src 'self'; worker-src 'self'; form-action 'self';"
        " base-uri 'none'; frame-ancestors 'none'"
    )
    assert policy([], hosts.PORTAL) == policy([], hosts.STORE)
    for room in (hosts.CONSOLE, hosts.BARE, hosts.NOWHERE):
        assert "worker-src 'none'" in policy([], room)
    assert "style-src 'self' 'sha256-a' 'sha256-b';" in policy(
        ["'sha256-a'", "'sha256-b'", "'sha256-a'"], hosts.STORE
    )


def test_a_style_in_the_page_is_named_by_its_hash(customer: Visitor) -> None:
    answer = customer.get("/")
    styles = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    assert styles
    for css in styles:
        digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in answer.headers["Content-Security-Policy"]
    assert " style=" not in answer.text and "<script>" not in answer.text


def test_a_style_cannot_end_its_own_element(app: Flask) -> None:
    with app.test_request_context("/"), pytest.raises(ValueError, match="could end"):
        inline_style("a{}</style><script>alert(1)</script>")


@pytest.mark.slow(seconds=0.4)
def test_hsts_only_over_https(app: Flask, door_app: object) -> None:
    assert (
        "Strict-Transport-Security"
        not in app.test_client().get("/", base_url="http://ama.localhost").headers
    )
    assert (
        "Strict-Transport-Security"
        in app.test_client().get("/", base_url="https://ama.localhost").headers
    )
    behind_tls = door_app(public_scheme="https")  # type: ignore[operator]
    assert (
        behind_tls.test_client()
        .get("/", base_url="http://ama.localhost")
        .headers["Strict-Transport-Security"]
        == "max-age=31536000; includeSubDomains"
    )


def test_portal_and_console_are_never_kept(ama_agent: Visitor, owner: Visitor) -> None:
    for visitor in (ama_agent, owner):
        assert visitor.get("/orders").headers["Cache-Control"] == "no-store"


PASS, REFUSE, TOKEN = origins.PASSES, origins.REFUSED, origins.BY_TOKEN
ORIGINS = [
    # (headers, what they are worth)
    ({"Origin": "http://portal.localhost"}, PASS),
    ({"Origin": "http://PORTAL.localhost"}, PASS),
    ({"Origin": "http://portal.localhost:80"}, PASS),
    ({"Origin": "http://portal.localhost", "Sec-Fetch-Site": "same-origin"}, PASS),
    ({"Sec-Fetch-Site": "same-origin"}, PASS),
    ({"Sec-Fetch-Site": "none"}, PASS),
    # a proxy that adds `Referrer-Policy: no-referrer` makes a browser send null for our own pages
    # too
    ({"Origin": "null", "Sec-Fetch-Site": "same-origin"}, PASS),
    ({"Origin": "null", "Sec-Fetch-Site": "none"}, PASS),
    (
        {
            "Origin": "null",
            "Sec-Fetch-Site": "same-origin",
            "Referer": "http://evil.example/",
        },
        PASS,
    ),
    ({"Origin": "null", "Sec-Fetch-Site": "same-site"}, REFUSE),
    ({"Origin": "null", "Sec-Fetch-Site": "cross-site"}, REFUSE),
    ({"Origin": "null", "Sec-Fetch-Site": ""}, REFUSE),
    # neither of the newer headers: Firefox before 70, KaiOS 2.5, the old Edge, Presto
    ({}, TOKEN),
    ({"Origin": "null"}, TOKEN),
    # cut to nothing on the way: as good as not there, and no better
    ({"Origin": ""}, TOKEN),
    ({"Referer": ""}, TOKEN),
    ({"Origin": "", "Referer": ""}, TOKEN),
    ({"Origin": "", "Referer": "http://portal.localhost/orders"}, PASS),
    ({"Origin": "", "Referer": "http://ama.localhost/"}, REFUSE),
    ({"Origin": "http://ama.localhost", "Referer": ""}, REFUSE),
    ({"Origin": "", "Sec-Fetch-Site": "same-origin"}, PASS),
    ({"Origin": "", "Sec-Fetch-Site": "same-site"}, REFUSE),
    ({"Sec-Fetch-Site": "", "Origin": ""}, REFUSE),
    ({"Referer": "http://portal.localhost/login"}, PASS),
    ({"Referer": "http://PORTAL.localhost:80/orders?tab=new#x"}, PASS),
    ({"Referer": "http://portal.localhost/login", "Origin": "null"}, PASS),
    ({"Referer": "http://portal.localhost"}, PASS),
    ({"Referer": "http://ama.localhost/"}, REFUSE),
    ({"Referer": "http://ama.localhost/", "Origin": "null"}, REFUSE),
    ({"Referer": "https://portal.localhost/"}, REFUSE),
    ({"Referer": "http://portal.localhost:8000/"}, REFUSE),
    ({"Referer": "http://portal.localhost@evil.example/"}, REFUSE),
    ({"Referer": "http://portal.localhost.evil.example/"}, REFUSE),
    ({"Referer": "http://evil.example/http://portal.localhost/"}, REFUSE),
    ({"Referer": "/orders"}, REFUSE),
    ({"Referer": "about:blank"}, REFUSE),
    # a good Referer mends no bad header before it
    ({"Referer": "http://portal.localhost/", "Origin": "http://ama.localhost"}, REFUSE),
    ({"Referer": "http://portal.localhost/", "Sec-Fetch-Site": "same-site"}, REFUSE),
    ({"Origin": "NULL"}, REFUSE),
    ({"Origin": "null, http://portal.localhost"}, REFUSE),
    ({"Origin": "http://ama.localhost"}, REFUSE),
    ({"Origin": "http://localhost"}, REFUSE),
    ({"Origin": "https://portal.localhost"}, REFUSE),
    ({"Origin": "http://portal.localhost:8000"}, REFUSE),
    ({"Origin": "http://portal.localhost:0"}, REFUSE),
    ({"Origin": "http://portal.localhost.evil.example"}, REFUSE),
    ({"Origin": "http://evil.example/portal.localhost"}, REFUSE),
    ({"Origin": "http://portal.localhost@evil.example"}, REFUSE),
    ({"Origin": "http://user@portal.localhost"}, REFUSE),
    ({"Origin": "http://portal.localhost, http://evil.example"}, REFUSE),
    ({"Origin": "http://portal.localhost:99999"}, REFUSE),
    ({"Origin": "portal.localhost"}, REFUSE),
    ({"Sec-Fetch-Site": "same-site"}, REFUSE),
    ({"Sec-Fetch-Site": "cross-site"}, REFUSE),
    ({"Sec-Fetch-Site": "SAME-ORIGIN, x"}, REFUSE),
    ({"Origin": "http://portal.localhost", "Sec-Fetch-Site": "same-site"}, REFUSE),
    ({"Origin": "http://ama.localhost", "Sec-Fetch-Site": "same-origin"}, REFUSE),
]


@pytest.mark.slow(seconds=0.2)
def test_only_this_very_host_may_change_things(ama_agent: Visitor) -> None:
    for headers, worth in ORIGINS:
        answer = ama_agent.post(
            "/theme", {"theme": "dark", "back": "/orders"}, origin=None, headers=headers
        )
        assert answer.status_code == (403 if worth == REFUSE else 303), headers
        assert worth != REFUSE or "nothing was done" in answer.text, headers
        assert worth != REFUSE or "Set-Cookie" not in answer.headers, headers


def test_where_only_a_token_can_tell_it_must_fit_its_cookie(
    ama_agent: Visitor, kofi_agent: Visitor, visitor: Callable[[str], Visitor]
) -> None:
    silent = [headers for headers, worth in ORIGINS if worth == TOKEN]
    assert silent
    for headers in silent:
        for token in ("", "wrong", kofi_agent.csrf_token, visitor("portal").csrf_token):
            form = {"theme": "dark", "csrf_token": token}
            assert (
                ama_agent.post(
                    "/theme", form, csrf=False, origin=None, headers=headers
                ).status_code
                == 400
            ), headers
        planted = ama_agent.post(
            "/theme",
            {"theme": "dark", "csrf_token": kofi_agent.csrf_token},
            csrf=False,
            origin=None,
            headers={**headers, "Cookie": "__Host-makola=planted; __Host-makola=twice"},
        )
        assert planted.status_code == 400, headers


def test_the_console_never_goes_by_a_token_alone(owner: Visitor) -> None:
    """Engines that send none of the three headers know no `__Host-`: a sibling could plant cookie
    and token together."""
    for headers, worth in ORIGINS:
        mine = {
            name: re.sub("portal[.]", "admin.", value, flags=re.IGNORECASE)
            for name, value in headers.items()
        }
        answer = owner.post(
            "/theme", {"theme": "dark", "back": "/orders"}, origin=None, headers=mine
        )
        assert answer.status_code == (303 if worth == PASS else 403), mine
        assert worth == PASS or "Set-Cookie" not in answer.headers, mine


def test_the_first_post_of_a_store_needs_no_token_but_stands_under_the_same_table(
    visitor: Callable[..., Visitor],
) -> None:
    for headers, worth in ORIGINS:
        mine = {
            name: re.sub("portal[.]", "kofi.", value, flags=re.IGNORECASE)
            for name, value in headers.items()
        }
        answer = visitor("kofi").post(
            "/orders", {"recipient": "12"}, csrf=False, origin=None, headers=mine
        )
        assert answer.status_code == (403 if worth == REFUSE else 422), mine


def test_no_address_of_ours_is_judged_as_nothing() -> None:
    assert origins.judge({"Origin": "x"}, "y") == REFUSE
    assert origins.judge({"Referer": "x"}, "y") == REFUSE


def test_the_port_is_part_of_the_origin(app: Flask) -> None:
    client = app.test_client()
    for origin, status in (
        ("http://ama.localhost:8000", 422),
        ("http://ama.localhost", 403),
        ("http://ama.localhost:8001", 403),
    ):
        answer = client.post(
            "/orders",
            base_url="http://ama.localhost:8000",
            headers={"Origin": origin},
            data={},
        )
        assert answer.status_code == status, origin


def test_reading_needs_no_origin(customer: Visitor) -> None:
    assert (
        customer.get(
            "/",
            headers={"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"},
        ).status_code
        == 200
    )


def test_webhooks_come_from_anywhere(app: Flask, config: object) -> None:
    answer = app.test_client().post(
        f"/datamart/{config.webhook_token}",  # type: ignore[attr-defined]
        base_url="http://hooks.localhost",
        headers={"Origin": "http://evil.example"},
        data=b"{}",
    )
    assert answer.status_code == 204


def test_a_form_without_its_token_changes_nothing(ama_agent: Visitor) -> None:
    answer = ama_agent.post("/theme", {"theme": "dark"}, csrf=False)
    assert answer.status_code == 400
    assert "Set-Cookie" not in answer.headers
    wrong = ama_agent.post(
        "/theme", {"theme": "dark", "csrf_token": "wrong"}, csrf=False
    )
    assert wrong.status_code == 400
    by_header = ama_agent.post(
        "/theme",
        {"theme": "dark"},
        csrf=False,
        headers={"X-CSRFToken": ama_agent.csrf_token},
    )
    assert by_header.status_code == 303


def test_a_token_of_another_session_does_not_fit(
    ama_agent: Visitor, kofi_agent: Visitor
) -> None:
    answer = ama_agent.post(
        "/theme", {"theme": "dark", "csrf_token": kofi_agent.csrf_token}, csrf=False
    )
    assert answer.status_code == 400


def test_the_session_cookie_is_locked_to_its_host(app: Flask) -> None:
    answer = app.test_client().get("/login", base_url="http://portal.localhost")
    (cookie,) = answer.headers.getlist("Set-Cookie")
    name, _, rest = cookie.partition("=")
    parts = {part.strip().lower() for part in rest.split(";")[1:]}
    assert name == "__Host-makola"
    assert {"secure", "httponly", "samesite=lax", "path=/"} <= parts
    assert not any(part.startswith("domain") for part in parts)


def test_the_store_page_is_the_same_for_everyone(app: Flask) -> None:
    one, two = app.test_client(), app.test_client()
    two.set_cookie("__Host-makola", "junk", domain="ama.localhost")
    first, second = (c.get("/", base_url="http://ama.localhost") for c in (one, two))
    assert first.data == second.data
    for answer in (first, second):
        assert "Set-Cookie" not in answer.headers
        assert "cookie" not in answer.headers.get("Vary", "").lower()
        assert "csrf" not in answer.text


def test_the_theme_is_remembered_on_this_device_only(ama_agent: Visitor) -> None:
    answer = ama_agent.post("/theme", {"theme": "dark", "back": "/orders?tab=done"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/orders?tab=done")
    assert "__Host-theme=dark" in answer.headers["Set-Cookie"]
    assert 'data-theme="dark"' in ama_agent.get("/orders").text
    ama_agent.post("/theme", {"theme": "auto", "back": "//evil.example"})
    page = ama_agent.get("/orders").text
    assert "data-theme" not in page
    strange = ama_agent.post(
        "/theme", {"theme": 'x"><script>', "back": "https://evil.example"}
    )
    assert strange.headers["Location"] == "/"
    assert "data-theme" not in ama_agent.get("/orders").text


def test_bytes_no_address_of_ours_has(customer: Visitor) -> None:
    for where in ("/a%00b", "/track?code=%00", "/orders/%00"):
        assert customer.get(where).status_code == 400, where
