"""Engines for which `__Host-` is only a name: somebody at a sibling's address plants a cookie that
is sent before ours."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from visitors import Visitor

NAME = "__Host-makola"
TWO = "This browser sends two log-ins"
PLANTED = ["x", "", "e30.forged.sig", "y" * 3_000]


def own(visitor: Visitor) -> str:
    """The session this browser was given, as it sends it."""
    host = visitor.base_url.partition("://")[2]
    found = visitor.client.get_cookie(NAME, domain=host)
    assert found is not None
    return f"{NAME}={found.value}"


def ask(
    visitor: Visitor,
    method: str,
    path: str,
    cookies: list[str],
    form: dict[str, str] | None = None,
) -> Any:
    """As an engine does that says nothing about where a form came from."""
    client = visitor.app.test_client(use_cookies=False)
    headers = {"Cookie": "; ".join(cookies)}
    return client.open(
        path, method=method, base_url=visitor.base_url, headers=headers, data=form
    )


def token_of(visitor: Visitor, path: str = "/") -> str:
    """What a page of this browser's sends with its forms."""
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', visitor.get(path).text)
    assert found is not None
    return found[1]


def orders_of(both: list[str]) -> list[list[str]]:
    return [both, both[::-1]]


@pytest.mark.parametrize("planted", PLANTED)
def test_what_we_did_not_sign_locks_nobody_out(
    ama_agent: Visitor, planted: str
) -> None:
    form = {"theme": "dark", "csrf_token": token_of(ama_agent)}
    for cookies in orders_of([f"{NAME}={planted}", own(ama_agent)]):
        assert ask(ama_agent, "GET", "/orders", cookies).status_code == 200
        assert ask(ama_agent, "POST", "/theme", cookies, form).status_code == 303


def test_a_log_in_goes_before_an_empty_session(
    ama_agent: Visitor, visitor: Callable[[str], Visitor]
) -> None:
    stranger = visitor("portal")
    theirs = token_of(stranger, "/login")
    for cookies in orders_of([own(stranger), own(ama_agent)]):
        assert "Ama" in ask(ama_agent, "GET", "/", cookies).text
        mine = {"theme": "dark", "csrf_token": token_of(ama_agent)}
        assert ask(ama_agent, "POST", "/theme", cookies, mine).status_code == 303
        forged = {"theme": "dark", "csrf_token": theirs}
        assert ask(ama_agent, "POST", "/theme", cookies, forged).status_code == 400


def test_logging_in_works_beside_a_planted_session(
    visitor: Callable[[str], Visitor],
) -> None:
    mine, theirs = visitor("portal"), visitor("portal")
    token, _ = token_of(mine, "/login"), token_of(theirs, "/login")
    for cookies in orders_of([own(theirs), own(mine)]):
        answer = ask(
            mine,
            "POST",
            "/login",
            cookies,
            {"email": "a@b.example", "password": "x", "csrf_token": token},
        )
        assert answer.status_code == 422 and "grown old" not in answer.text


def test_two_log_ins_do_nothing_for_either_and_say_what_to_do(
    ama_agent: Visitor, kofi_agent: Visitor
) -> None:
    for cookies in orders_of([own(kofi_agent), own(ama_agent)]):
        for path in ("/", "/orders", "/wallet"):
            page = ask(ama_agent, "GET", path, cookies)
            assert (
                page.status_code == 400
                and TWO in page.text
                and "Clear the cookies" in page.text
            )
            assert "Kofi" not in page.text and "Ama" not in page.text
        for token in (token_of(ama_agent), token_of(kofi_agent)):
            answer = ask(
                ama_agent,
                "POST",
                "/theme",
                cookies,
                {"theme": "dark", "csrf_token": token},
            )
            assert answer.status_code == 400 and "Set-Cookie" not in answer.headers


def test_a_log_in_that_is_over_is_no_second_one(
    ama_agent: Visitor, kofi_agent: Visitor
) -> None:
    over = own(kofi_agent)
    assert kofi_agent.post("/logout").status_code == 303
    for cookies in orders_of([over, own(ama_agent)]):
        assert "Ama" in ask(ama_agent, "GET", "/", cookies).text
        mine = {"theme": "dark", "csrf_token": token_of(ama_agent)}
        assert ask(ama_agent, "POST", "/theme", cookies, mine).status_code == 303


def test_the_console_goes_by_nothing_of_this(
    owner: Visitor, visitor: Callable[[str], Visitor]
) -> None:
    stranger = visitor("admin")
    assert token_of(stranger, "/login")
    for cookies in orders_of([own(stranger), own(owner)]):
        assert ask(owner, "GET", "/", cookies).status_code == 200
        mine = {"theme": "dark", "csrf_token": token_of(owner)}
        assert ask(owner, "POST", "/theme", cookies, mine).status_code == 403
