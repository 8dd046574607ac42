"""One's own log-in in a real browser: by keyboard, without JavaScript, on a small screen, clean for
axe."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import expect

from core.accounts import resets, users
from core.audit import SYSTEM
from core.base.db import db
from tests.support import axe

pytestmark = [pytest.mark.browser, pytest.mark.slow(seconds=10)]
NEW = "a kettle on the roof"


@pytest.fixture
def link(app: Flask) -> str:
    """The path of a reset link for ama."""
    with app.app_context():
        user = users.by_email("ama@example.test")
        assert user is not None
        url = resets.make(user.id, SYSTEM).url
        db.session.remove()
    return url.partition(".localhost")[2]


def problems(page: Any) -> list[str]:
    found = axe.faults(page)
    wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
    return found + (["wider than the screen"] if wide else [])


@pytest.mark.parametrize("js", [True, False])
def test_the_password_is_changed_by_keyboard_alone(
    open_page: Callable[..., Any], js: bool
) -> None:
    page = open_page("ama", js=js)
    account = page.locator("summary", has_text="Account")
    account.focus()
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Change password").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/account/password")
    page.get_by_label("Present password").focus()
    for text in ("correct horse battery", NEW, NEW):
        page.keyboard.type(text)
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/account/sessions")
    assert "Your password is changed" in page.inner_text("main")
    expect(page.locator("text=this device").first).to_be_visible()


@pytest.mark.parametrize("js", [True, False])
def test_out_everywhere_ends_at_the_log_in_page(
    open_page: Callable[..., Any], js: bool
) -> None:
    other, page = open_page("ama", js=js), open_page("ama", js=js)
    page.goto("/account/sessions")
    expect(page.locator(".devices li")).to_have_count(2)
    page.get_by_role("button", name="Log out everywhere", exact=True).click()
    page.wait_for_url("**/login")
    assert "logged out everywhere" in page.inner_text("main")
    other.goto("/orders")
    assert "/login" in other.url


@pytest.mark.parametrize("js", [True, False])
def test_a_link_sets_a_password_that_opens(
    open_page: Callable[..., Any], link: str, js: bool
) -> None:
    page = open_page(None, js=js)
    page.goto(link)
    page.get_by_label("New password", exact=True).fill("password")
    page.get_by_label("New password once more").fill("password")
    page.get_by_role("button", name="Set password").click()
    assert "Guessers try this password first" in page.inner_text("#errors")
    page.get_by_label("New password", exact=True).fill(NEW)
    page.get_by_label("New password once more").fill(NEW)
    page.keyboard.press("Enter")
    page.wait_for_url("**/login")
    page.fill("#email", "ama@example.test")
    page.fill("#password", f" {NEW} ")  # as pasted from a message
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: not url.endswith("/login"))
    assert "Ama's Data" in page.inner_text("header")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [320, 360, 1280])
def test_every_state_of_the_pages_is_clean(
    open_page: Callable[..., Any], link: str, width: int, dark: bool
) -> None:
    page = open_page("ama", width=width, dark=dark)
    for path in ("/account/password", "/account/sessions", link):
        page.goto(path)
        assert problems(page) == [], path
    page.get_by_role("button", name="Set password").click()
    expect(page.locator("#errors")).to_be_visible()
    assert problems(page) == []
    page.goto("/account/password")
    page.get_by_role("button", name="Change password").click()
    expect(page.locator("#errors")).to_be_visible()
    assert problems(page) == []
    page.goto("/account/sessions")
    page.get_by_role("button", name="Log out everywhere", exact=True).click()
    page.goto("/reset/nobody-made-it")
    assert "does not work any more" in page.inner_text("main") and problems(page) == []
