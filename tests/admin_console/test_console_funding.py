"""Requests of agents for money: who waits, what the owner sees before they decide, and that one
press books it once."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
import tables_owner
from console_scenes import AGENT, Scene
from visitors import Visitor

from core import fund_requests, ledger
from core.fund_requests import Ask


@pytest.fixture
def ask(scene: Scene) -> Callable[..., str]:
    """A request of a store; its address."""

    def deed(amount: str = "500", reference: str = "MP12345", slug: str = "ama") -> str:
        with scene.inside(slug):
            fund_requests.ask(Ask.parse(amount, reference), AGENT)
            return f"/funding/{fund_requests.newest()[0].id}"

    return deed


def wallet(scene: Scene, slug: str = "ama") -> int:
    with scene.inside(slug):
        return ledger.wallet().available_pesewas


def text_of(visitor: Visitor, path: str) -> str:
    return unescape(visitor.get(path).text).replace("\N{NO-BREAK SPACE}", " ")


def test_who_waits_is_on_the_overview_and_in_the_list(
    owner: Visitor, ask: Callable[..., str]
) -> None:
    assert "wallet money" not in text_of(owner, "/")
    ask()
    assert "1 request for GH₵ 500.00 of wallet money waits." in text_of(owner, "/")
    ask("7", "second", "kofi")
    assert "2 requests for GH₵ 507.00 of wallet money wait." in text_of(owner, "/")
    page = text_of(owner, "/funding")
    assert page.index("MP12345") < page.index("second")


def test_one_press_books_it_once(
    owner: Visitor, scene: Scene, ask: Callable[..., str]
) -> None:
    path, before = ask(), wallet(scene)
    page = text_of(owner, path)
    assert "GH₵ 500.00" in page and "MP12345" in page and "Afterwards" in page
    assert wallet(scene) == before
    for said in ("is in the wallet of Ama's Data", "booked already. Nothing was added"):
        assert owner.post(f"{path}/approve").status_code == 303
        assert said in text_of(owner, "/funding")
    assert wallet(scene) == before + 50_000
    assert "Approve" not in text_of(owner, path) and "Booked" in text_of(owner, path)


def test_a_refusal_needs_a_reason_and_keeps_what_was_typed(
    owner: Visitor, scene: Scene, ask: Callable[..., str]
) -> None:
    path = ask()
    answer = owner.post(f"{path}/refuse", data={"words": "no"})
    assert answer.status_code == 422 and 'value="no"' in answer.text
    assert "Say why" in answer.text
    owner.post(f"{path}/refuse", data={"words": "No such payment"})
    assert "Refused" in text_of(owner, path) and "No such payment" in text_of(
        owner, path
    )
    answer = owner.post(f"{path}/approve")
    assert answer.status_code == 409 and "Somebody decided meanwhile" in answer.text


def test_the_same_reference_booked_before_is_said_and_asked_about(
    owner: Visitor, scene: Scene, ask: Callable[..., str]
) -> None:
    mine, theirs = ask(), ask("500", "mp-12345", "kofi")
    assert "booked before" not in text_of(owner, theirs)
    owner.post(f"{mine}/approve")
    page, before = text_of(owner, theirs), wallet(scene, "kofi")
    assert "This reference was booked before" in page and "Ama's Data" in page
    assert 'name="another"' in page and "checked" not in page
    answer = owner.post(f"{theirs}/approve")
    assert answer.status_code == 422 and "this is another one" in unescape(answer.text)
    assert wallet(scene, "kofi") == before
    owner.post(f"{theirs}/approve", data={"another": "1"})
    assert wallet(scene, "kofi") == before + 50_000


def test_what_was_booked_by_hand_stands_beside_it(
    owner: Visitor, scene: Scene, ask: Callable[..., str]
) -> None:
    page = text_of(owner, ask())
    newest = page.partition("Newest fundings of this wallet")[2]
    assert "opening balance" in newest and "+500.00" in newest


@pytest.mark.parametrize(
    ("role", "may"), [("owner", True), ("finance", True), ("support", False)]
)
def test_who_may_decide(
    logged_in: Any, scene: Scene, ask: Callable[..., str], role: str, may: bool
) -> None:
    path, before = ask(), wallet(scene)
    person = logged_in(f"{role}@example.test", "console")
    page = text_of(person, path)
    assert ("book GH₵ 500.00" in page) is may
    assert ("Only the owner and finance may" in page) is not may
    for verb in ("refuse", "approve"):
        assert (person.post(f"{path}/{verb}").status_code == 403) is not may
    assert wallet(scene) == before + (50_000 if may else 0)


@pytest.mark.parametrize("path", ["/funding/0", "/funding/x", "/funding/" + "9" * 30])
def test_a_request_that_is_none(owner: Visitor, path: str) -> None:
    assert owner.get(path).status_code == 404
    assert owner.post(f"{path}/approve").status_code == 404
    assert owner.post(f"{path}/refuse", data={"words": "why not"}).status_code == 404


def test_the_audit_says_each_act_in_words(
    owner: Visitor, ask: Callable[..., str]
) -> None:
    first, second = ask(), ask("5", "other")
    owner.post(f"{first}/approve")
    owner.post(f"{second}/refuse", data={"words": "No such payment"})
    page = text_of(owner, "/audit")
    for words in (
        "asked for money into the wallet",
        "funded the wallet",
        "refused a request for the wallet",
    ):
        assert words in page
    assert re.search(r"Request \d+: MP12345", page)
    assert len(tables_owner.read("SELECT id FROM fund_requests")) == 2
