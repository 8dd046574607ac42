"""Our pages go out compressed, where their length tells nobody what is in them."""

from __future__ import annotations

import base64
import gzip
import re
from collections.abc import Callable

import brotli
import pytest
from flask import Flask, session
from visitors import Visitor
from werkzeug.test import TestResponse

from core.base.config import Config
from edge import tokens
from tests.support.settings import using

GZIP = {"Accept-Encoding": "gzip, deflate"}
OWN = {**GZIP, "Sec-Fetch-Site": "same-origin"}


def test_a_store_page_is_gzipped_when_the_browser_takes_it(customer: Visitor) -> None:
    plain, packed = customer.get("/"), customer.get("/", headers=GZIP)
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data
    assert len(packed.data) < 6_000
    for answer in (plain, packed):
        assert "Accept-Encoding" in answer.headers["Vary"]
        assert int(answer.headers["Content-Length"]) == len(answer.data)


@pytest.mark.parametrize(
    ("takes", "sent"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip, deflate", "gzip"),
        ("br;q=0, gzip", "gzip"),
        ("gzip;q=1, br;q=0.5", "gzip"),
        ("identity", None),
        ("zstd", None),
    ],
)
def test_a_page_goes_out_as_the_browser_likes_it_best(
    customer: Visitor, takes: str, sent: str | None
) -> None:
    plain, answer = (
        customer.get("/"),
        customer.get("/", headers={"Accept-Encoding": takes}),
    )
    assert answer.headers.get("Content-Encoding") == sent
    unpacked = {"br": brotli.decompress, "gzip": gzip.decompress, None: bytes}[sent](
        answer.data
    )
    assert unpacked == plain.data
    assert int(answer.headers["Content-Length"]) == len(answer.data)


def test_small_answers_stay_plain(customer: Visitor) -> None:
    assert "Content-Encoding" not in customer.get("/robots.txt", headers=GZIP).headers


def is_packed(answer: TestResponse) -> bool:
    packed = answer.headers.get("Content-Encoding") == "gzip"
    if packed:
        assert (
            b"<" in gzip.decompress(answer.data)
            and "Accept-Encoding" in answer.headers["Vary"]
        )
        assert answer.headers["Cache-Control"] == "no-store"
    return packed


ASKED = [
    # (path, what is said about who asked, compressed)
    ("/orders", {}, True),
    ("/", {}, True),
    ("/orders", {"Sec-Fetch-Site": "cross-site"}, True),
    ("/orders?q=akosua", {}, False),
    ("/orders?q=akosua", {"Sec-Fetch-Site": "cross-site"}, False),
    ("/orders?q=akosua", {"Sec-Fetch-Site": "same-site"}, False),
    ("/orders?q=akosua", {"Sec-Fetch-Site": "SAME-ORIGIN"}, False),
    ("/orders?q=akosua", {"Sec-Fetch-Site": "same-origin"}, True),
    ("/orders?q=akosua", {"Sec-Fetch-Site": "none"}, True),
    ("/orders?", {}, True),
    ("/orders/K7QM2XR94T", {}, False),
    ("/orders/K7QM2XR94T", {"Sec-Fetch-Site": "same-origin"}, True),
    ("/no/such/akosua", {"Sec-Fetch-Site": "cross-site"}, False),
    ("/login?next=/akosua", {}, False),
]


@pytest.mark.parametrize(("path", "said", "packed"), ASKED)
def test_portal_and_console_go_out_compressed_unless_somebody_else_may_have_put_words_into_them(
    ama_agent: Visitor, owner: Visitor, path: str, said: dict[str, str], packed: bool
) -> None:
    for visitor in (ama_agent, owner):
        answer = visitor.get(path, headers={**GZIP, **said})
        if len(answer.data) >= 500 or answer.status_code == 200:
            assert is_packed(answer) == packed, (path, said)


def test_a_refused_form_is_compressed_for_our_own_page_alone(
    visitor: Callable[[str], Visitor],
) -> None:
    for host in ("portal", "admin"):
        form = {"email": "akosua", "password": "x"}
        assert is_packed(visitor(host).post("/login", form, headers=OWN))
        assert not is_packed(visitor(host).post("/login", form, headers=GZIP))


def token_of(answer: TestResponse) -> str:
    found = set(
        re.findall(
            r'name="csrf_token" value="([^"]+)"|"X-CSRFToken": "([^"]+)"', answer.text
        )
    )
    (one,) = {first or second for first, second in found}
    return str(one)


def test_all_forms_of_a_page_have_one_token_and_no_two_pages_the_same(
    ama_agent: Visitor, owner: Visitor
) -> None:
    for visitor in (ama_agent, owner):
        made = [token_of(visitor.get("/")) for _ in range(4)]
        assert len(set(made)) == 4 and {len(token) for token in made} == {64}
        raw = [base64.urlsafe_b64decode(token) for token in made]
        for at in range(48):  # no byte stays, neither of the pad nor of what it hides
            assert (
                len({token[at] for token in raw}) > 1
                or len({token[at + 1 if at < 47 else 0] for token in raw}) > 1
            )
        for token in made:
            form = {"theme": "dark", "csrf_token": token}
            assert visitor.post("/theme", form, csrf=False).status_code == 303


def test_a_token_that_was_touched_fits_no_more(ama_agent: Visitor) -> None:
    token = token_of(ama_agent.get("/"))
    raw = base64.urlsafe_b64decode(token)
    for at in range(len(raw)):
        other = base64.urlsafe_b64encode(
            raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
        ).decode()
        assert (
            ama_agent.post(
                "/theme", {"theme": "dark", "csrf_token": other}, csrf=False
            ).status_code
            == 400
        ), at
    for other in (
        token[:-1],
        token + "A",
        token * 2,
        "é" * 64,
        "=" * 64,
        "A" * 64,
        " " + token,
    ):
        assert (
            ama_agent.post(
                "/theme", {"theme": "dark", "csrf_token": other}, csrf=False
            ).status_code
            == 400
        )


def test_a_token_ages_and_an_earlier_key_still_reads_it(
    app: Flask,
    config: Config,
    jump: Callable[[float], None],
) -> None:
    old, new = "o" * 40, "n" * 40

    def ask(made: str = "", **changes: str) -> str:
        """A token, or whether `made` fits, under these settings."""
        form = {tokens.FIELD: made}
        with using(**changes), app.test_request_context("/", method="POST", data=form):
            session["csrf_token"] = "secret"
            return ("fits" if tokens.fits() else "no") if made else tokens.token()

    made = ask(secret_key=old)
    assert (
        ask(made, secret_key=old)
        == ask(made, secret_key=new, secret_key_fallbacks=old)
        == "fits"
    )
    assert ask(made, secret_key=new) == "no"
    jump(config.session_absolute_s - 5)
    assert ask(made, secret_key=old) == "fits"
    jump(10)
    assert ask(made, secret_key=old) == "no"
