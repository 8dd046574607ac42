"""What the agent's shop says, and a pause with a note."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from visitors import Visitor

from core import onboarding, stores
from core.audit import Actor
from core.base import tenancy
from tests.support import axe

pytestmark = pytest.mark.slow(seconds=0.1)

WORDS = {
    "welcome": "Akwaaba to Ama's",
    "announcement": "MTN is slow <today>",
    "pay_words": "Send to MTN only, no Telecel Cash.",
}


def state(app: Any, slug: str = "ama") -> tuple[Any, ...]:
    with app.app_context():
        store = stores.by_slug(slug)
        assert store is not None
        return (
            store.welcome,
            store.announcement,
            store.pay_words,
            store.status,
            store.closed_note,
            store.version,
        )


def test_the_shop_says_what_its_agent_wrote(
    app: Any, ama_agent: Visitor, customer: Visitor, visitor: Any
) -> None:
    other, was = state(app, "kofi"), state(app)
    for _ in range(2):
        answer = ama_agent.post("/store", WORDS)
        assert (answer.status_code, answer.location) == (303, "/store")
    assert state(app)[:3] == tuple(WORDS.values())
    assert state(app)[5] == was[5] + 1, "the second press changes nothing"
    assert "Nothing was changed." in ama_agent.get("/store").text
    page = customer.get("/").text
    assert "Akwaaba to Ama&#39;s" in page and WORDS["pay_words"] in page
    assert '<p class="note">MTN is slow &lt;today&gt;</p>' in page
    assert state(app, "kofi") == other
    assert "MTN is slow" not in visitor("kofi").get("/").text
    ama_agent.post("/store", dict.fromkeys(WORDS, ""))
    assert 'class="note"' not in customer.get("/").text


def sent(page: str) -> dict[str, str]:
    """The form of the words, as a browser would send it untouched."""
    form = page[page.index('action="/store"') :].partition("</form>")[0]
    found = re.findall(r'name="([\w-]+)"[^>]*? value="([^"]*)"', form)
    return {name: unescape(value) for name, value in found if name != "csrf_token"}


def test_of_two_who_write_neither_erases_the_other(
    app: Any, ama_agent: Visitor
) -> None:
    form = sent(ama_agent.get("/store").text)
    assert set(WORDS) < set(form)
    for typed in ({"announcement": WORDS["announcement"]}, {"welcome": "Akwaaba"}):
        assert ama_agent.post("/store", form | typed).status_code == 303
    assert state(app)[:3] == ("Akwaaba", WORDS["announcement"], "")


def test_the_same_line_by_two_is_shown_before_it_is_written_over(
    app: Any, ama_agent: Visitor
) -> None:
    form = sent(ama_agent.get("/store").text)
    ama_agent.post("/store", form | {"announcement": "MTN is slow", "welcome": "Hi"})
    before = state(app)
    answer = ama_agent.post("/store", form | {"announcement": "Closed on Sunday"})
    assert answer.status_code == 422 and state(app) == before
    assert "The announcement says “MTN is slow” now: somebody else" in answer.text
    again = sent(answer.text)
    assert (again["announcement"], again["welcome"]) == ("Closed on Sunday", "Hi")
    assert ama_agent.post("/store", again).status_code == 303
    assert state(app)[:2] == ("Hi", "Closed on Sunday")


def test_an_unpaid_order_says_how_to_pay_in_the_agent_s_words(
    ama_agent: Visitor, customer: Visitor, place: Callable[..., str]
) -> None:
    ama_agent.post("/store", WORDS)
    waiting, gone = place(), place(state="queued")
    assert WORDS["pay_words"] in customer.get(f"/orders/{waiting}").text
    assert WORDS["pay_words"] not in customer.get(f"/orders/{gone}").text


def test_what_is_too_long_is_a_sentence_and_kept(app: Any, ama_agent: Visitor) -> None:
    before, long = state(app), "x" * 201
    for path, name in (
        ("/store", "welcome"),
        ("/store", "announcement"),
        ("/store", "pay_words"),
        ("/store/pause", "note"),
    ):
        answer = ama_agent.post(path, WORDS | {name: long})
        assert answer.status_code == 422
        assert "has 201 characters; shorten it to 200 or fewer" in answer.text
        assert f'value="{long}"' in answer.text
    assert state(app) == before


def test_odd_text_is_one_line_without_marks_of_direction(
    app: Any, ama_agent: Visitor
) -> None:
    ama_agent.post(
        "/store", {"welcome": "  a\r\n\tb\u202ec\x00 ", "announcement": "😀"}
    )
    assert state(app)[:2] == ("a bc", "😀")


def test_a_pause_with_a_note_and_its_end(
    app: Any, ama_agent: Visitor, customer: Visitor, place: Callable[..., str]
) -> None:
    code = place()
    ama_agent.post("/store/pause", {"note": "Back at 6"})
    assert state(app)[3:5] == ("closed", "Back at 6")
    page = customer.get("/").text
    assert "is closed now" in page and "Back at 6" in page
    assert customer.get(f"/orders/{code}").status_code == 200
    assert "Your store is paused" in ama_agent.get("/").text
    was = state(app)
    ama_agent.post("/store/pause", {"note": "Back at 6"})
    assert state(app) == was
    ama_agent.post("/store/pause", {"note": "Back at 7"})
    assert "Back at 7" in customer.get("/").text
    ama_agent.post("/open")
    assert state(app)[3] == "open" and "is closed now" not in customer.get("/").text


def test_what_the_platform_closed_is_not_opened_as_if_it_were_paused(
    app: Any, ama_agent: Visitor
) -> None:
    ama_agent.post("/store/pause", {"note": "Back at 6"})
    with app.app_context():
        store = stores.by_slug("ama")
        assert store is not None
        with tenancy.across_stores():
            onboarding.set_store_status(
                store.id, "closed", "Ask us", Actor("owner", "Owner")
            )
    ama_agent.post("/store/pause", {"note": "Back at 7"})
    ama_agent.post("/open")
    assert state(app)[3:5] == ("closed", "Back at 7"), "its requirements are missing"
    assert "See what is missing" in ama_agent.get("/store").text


def test_a_pause_does_not_outlive_the_loss_of_the_approval(
    app: Any, ama_agent: Visitor
) -> None:
    ama_agent.post("/store/pause", {"note": ""})
    owner = Actor("owner", "Owner")
    with app.app_context():
        store = stores.by_slug("ama")
        assert store is not None
        with tenancy.across_stores():
            onboarding.refuse(store.id, "Not as agreed", owner, "approved")
            ama_agent.post("/open")
            onboarding.approve(store.id, owner, "refused")
    ama_agent.post("/open")
    assert state(app)[3] == "closed"


def test_a_suspended_store_is_not_paused_and_so_not_opened(
    app: Any, ama_agent: Visitor
) -> None:
    with app.app_context():
        store = stores.by_slug("ama")
        assert store is not None
        with tenancy.across_stores():
            onboarding.set_store_status(
                store.id, "suspended", "Ask us", Actor("owner", "Owner")
            )
    before = state(app)
    ama_agent.refused(ama_agent.post("/store/pause", {"note": "x"}))
    assert state(app) == before
    assert "Makola suspended it" in ama_agent.get("/store").text


def test_only_the_store_s_owner_writes(
    app: Any, logged_in: Callable[..., Visitor]
) -> None:
    before = state(app)
    for who in ("cashier", "viewer"):
        agent = logged_in(f"{who}@example.test", "portal", "ama")
        assert "Only the store’s owner may change this" in agent.get("/store").text
        assert agent.post("/store", WORDS).status_code == 403
        assert agent.post("/store/pause", {"note": "x"}).status_code == 403
    assert state(app) == before


@pytest.mark.browser
@pytest.mark.slow(seconds=4)
@pytest.mark.parametrize(("js", "dark"), [(True, False), (True, True), (False, False)])
def test_in_a_browser(open_page: Callable[..., Any], js: bool, dark: bool) -> None:
    page = open_page("ama", js=js, dark=dark)
    page.click("summary >> text=Account")
    page.click("a >> text=Your store")
    page.fill("#announcement", "MTN is slow today")
    page.click("text=Save")
    assert "your shop says so now" in page.inner_text("#status")
    page.fill("#note", "Back at 6")
    page.click("text=Pause my shop")
    assert "Paused" in page.inner_text("#status")
    if js:
        page.set_viewport_size({"width": 320, "height": 640})
        assert page.evaluate("document.scrollingElement.scrollWidth") <= 320
        assert axe.faults(page) == []
