"""Payouts in the console: what waits for a person, two who say yes, numbers, and the stop."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from typing import Any

import psycopg
import pytest
import tables_owner
from flask import Flask
from visitors import Visitor

from core import online
from core.audit import SYSTEM
from core.base import tenancy
from tests.support.kept import Keep
from tests.support.payouts_desk import OTHER, Payday, apart, paydays
from tests.support.settings import Using

pytestmark = pytest.mark.slow(seconds=0.15)


@pytest.fixture
def payday(
    context: Flask,
    tmp_path: Path,
    superuser: psycopg.Connection[Any],
    jump: Callable[[float], None],
    kept: Keep[None],
) -> Iterator[Payday]:
    with paydays(context, tmp_path, superuser, jump) as build:
        made = build()
        kept("earned", made.earned)
        made.with_number()
        yield made
        tenancy.clear()


@pytest.fixture
def finance(logged_in: Callable[..., Visitor]) -> Visitor:
    return logged_in("finance@example.test", "console")


def text_of(visitor: Visitor, path: str = "/payouts") -> str:
    return unescape(apart(lambda: visitor.get(path)).text).replace(
        "\N{NO-BREAK SPACE}", " "
    )


def press(visitor: Visitor, path: str, **data: Any) -> Any:
    return apart(lambda: visitor.post(path, data=data))


def test_two_people_say_yes(
    payday: Payday, owner: Visitor, finance: Visitor, using: Using
) -> None:
    using(payout_by_itself_pesewas=1_000)
    payout = payday.ask()
    path = f"/payouts/{payout.id}"
    assert "1 payout waits for your word." in text_of(owner, "/")
    assert "Needs your word" in text_of(owner)
    assert "First yes: pay out GH₵ 59.00" in text_of(owner, path)
    assert press(owner, f"{path}/approve").status_code == 303
    assert "You said yes." in text_of(owner, path)
    refused = press(owner, f"{path}/approve")
    assert refused.status_code == 422 and "two people" in unescape(refused.text)
    assert payday.read(payout).state == "requested"
    assert "Owner said yes" in text_of(finance)
    press(finance, f"{path}/approve")
    assert payday.settle(payout).approved_by == "Finance"
    assert "waits for your word" not in text_of(owner, "/")
    actions = tables_owner.read("SELECT action FROM audit WHERE action LIKE '%payout%'")
    assert {"ask_payout", "approve_payout_first", "approve_payout"} <= set(actions)


def test_called_off_with_words(payday: Payday, finance: Visitor, using: Using) -> None:
    using(payout_by_itself_pesewas=1_000)
    payout = payday.ask()
    path = f"/payouts/{payout.id}/refuse"
    bare = press(finance, path, words=" ")
    assert bare.status_code == 422 and "Say why" in bare.text
    assert press(finance, path, words="Call me first.").status_code == 303
    assert payday.read(payout).words == "Call me first."
    assert press(finance, path, words="Call me first.").status_code == 303
    late = press(finance, f"/payouts/{payout.id}/approve")
    assert late.status_code == 422 and "is cancelled now" in unescape(late.text)


def test_a_number_of_another_name(payday: Payday, owner: Visitor) -> None:
    account = payday.with_number(OTHER)
    assert "1 payout number waits for your word." in text_of(owner, "/")
    page = text_of(owner)
    assert "KOFI MENSAH" in page and "024 123 4011" in page
    path = f"/payouts/numbers/{account.id}"
    bare = press(owner, f"{path}/refuse", words="")
    assert bare.status_code == 422 and "Say why" in bare.text
    assert press(owner, f"{path}/accept").status_code == 303
    assert payday.account().state == "usable" and payday.account().waits
    assert press(owner, "/payouts/numbers/99999/accept").status_code == 404
    press(owner, f"{path}/refuse", words="Not theirs after all.")
    assert payday.account().state == "refused"
    assert payday.account().words == "Not theirs after all."


def test_stop_and_go(payday: Payday, owner: Visitor) -> None:
    assert press(owner, "/payouts/stop", why="").status_code == 422
    press(owner, "/payouts/stop", why="Looking into it.")
    page = text_of(owner)
    assert "Nothing is paid out, since" in page and "Owner: Looking into it." in page
    assert "Nothing is paid out since" in text_of(owner, "/")
    assert payday.offer().problem.startswith("Nothing is paid out")
    press(owner, "/payouts/go")
    assert payday.offer().problem == ""
    assert press(owner, "/payouts/go").status_code == 303


def test_booking_what_moved_between_bank_and_gateway(
    payday: Payday, owner: Visitor
) -> None:
    page = text_of(owner)
    found = re.search(r'name="form_id" value="(\d+)"', page)
    assert found is not None
    form = {"form_id": found[1], "kind": "top_up", "amount": "1,250.00"}
    for odd in ("", "x", "-5", "0", "1.234", "9" * 30):
        answer = press(owner, "/payouts/book", **(form | {"amount": odd}))
        assert answer.status_code == 422, odd
    assert press(owner, "/payouts/book", form_id="x", amount="5").status_code == 422
    for said in ("Booked: GH₵ 1,250.00.", "booked already. Nothing was added"):
        assert press(owner, "/payouts/book", **form).status_code == 303
        assert said in text_of(owner)
    found_amounts = tables_owner.read(
        "SELECT e.amount_pesewas FROM entries e JOIN postings p ON p.id = e.posting_id"
        " WHERE p.kind = 'top_up' AND e.amount_pesewas > 0"
    )
    assert found_amounts == [125_000]


def test_support_may_look_and_nothing_more(
    payday: Payday, logged_in: Callable[..., Visitor], using: Using
) -> None:
    using(payout_by_itself_pesewas=1_000)
    payout, number = payday.ask(), payday.account()
    support = logged_in("support@example.test", "console")
    assert (
        "<form"
        not in text_of(support, f"/payouts/{payout.id}")
        .partition("<main")[2]
        .partition("</main")[0]
    )
    for path in (
        f"/payouts/{payout.id}/approve",
        f"/payouts/{payout.id}/refuse",
        f"/payouts/numbers/{number.id}/accept",
        f"/payouts/numbers/{number.id}/refuse",
        "/payouts/stop",
        "/payouts/go",
        "/payouts/book",
    ):
        assert press(support, path, words="xyz", why="xyz").status_code == 403
    assert payday.read(payout).first_id is None


def test_asked_once_more_who_it_is(
    payday: Payday,
    owner: Visitor,
    using: Using,
    superuser: psycopg.Connection[Any],
) -> None:
    using(payout_by_itself_pesewas=1_000)
    payout = payday.ask()
    superuser.execute("UPDATE sessions SET confirmed_at = now() - interval '1 hour'")
    for path in (f"/payouts/{payout.id}/approve", "/payouts/go"):
        answer = press(owner, path)
        assert answer.headers["Location"].startswith("/account/confirm")
    # a stop is never held up
    assert press(owner, "/payouts/stop", why="Now.").headers["Location"] == "/payouts"


def test_books_lead_there_once_there_is_something(
    context: Flask, owner: Visitor
) -> None:
    assert 'href="/payouts"' not in text_of(owner, "/books")
    assert "No payout is under way" in text_of(owner)
    online.switch_platform(True, SYSTEM)
    assert 'href="/payouts"' in text_of(owner, "/books")
