"""The log-in pages of both doors when a try has to wait or is refused: in a real browser, with
JavaScript and without."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import expect
from sqlalchemy import update

from core.accounts import devices, guessing
from core.base import tenancy
from core.base.db import db, transaction
from tests.support import axe

pytestmark = pytest.mark.browser

PASSWORD = "correct horse battery"
DOORS = {"portal": "ama@example.test", "admin": "owner@example.test"}


@pytest.fixture
def guessed(app: Flask) -> Callable[[int], None]:
    """So many wrong tries for everybody of `DOORS`, each from an address of its own."""

    def guess(times: int) -> None:
        with app.app_context(), tenancy.across_stores():
            for room, email in DOORS.items():
                for n in range(times):
                    with transaction():
                        door = "console" if room == "admin" else room
                        keys = guessing._keys(email, devices.Place(f"10.1.0.{n}", door))
                        guessing._locked(keys)
                        guessing._add(keys)
            db.session.remove()

    return guess


def log_in(page: Any, room: str, password: str = PASSWORD) -> None:
    """Type and press, with the keyboard alone."""
    page.fill("#email", DOORS[room])
    page.focus("#password")
    page.keyboard.type(password)
    with page.expect_navigation():
        page.keyboard.press("Enter")


def address_of(room: str, served: str) -> str:
    return served.replace("//portal.", f"//{room}.") + "/login"


@pytest.mark.parametrize("js", [True, False], ids=["js", "no js"])
@pytest.mark.parametrize("room", DOORS)
def test_the_wait_is_named_the_e_mail_kept_and_one_more_press_goes_through(
    open_page: Callable[..., Any],
    served: str,
    guessed: Callable[[int], None],
    room: str,
    js: bool,
) -> None:
    guessed(guessing.SLOW_FROM)
    page = open_page("", js=js)
    page.goto(address_of(room, served))
    log_in(page, room)
    said = page.inner_text("[role=alert]")
    assert "Wait 1 second," in said
    assert page.input_value("#email") == DOORS[room]
    assert page.input_value("#password") == ""
    page.wait_for_timeout(1_100)  # as it says
    log_in(page, room)
    assert not page.url.endswith("/login")
    expect(page.locator("[role=alert]")).to_have_count(0)


@pytest.mark.parametrize(
    ("width", "dark"), [(360, False), (360, True), (1280, False), (1280, True)]
)
@pytest.mark.parametrize("room", DOORS)
def test_axe_finds_nothing_on_a_refused_log_in(
    app: Flask,
    open_page: Callable[..., Any],
    served: str,
    guessed: Callable[[int], None],
    room: str,
    width: int,
    dark: bool,
) -> None:
    page = open_page("", width=width, height=800, dark=dark)
    guessed(guessing.SLOW_FROM + 4)
    page.goto(address_of(room, served))
    log_in(page, room)
    looked_at(page, "Wait 10 seconds,", width)
    with app.app_context(), tenancy.across_stores(), transaction():
        db.session.execute(update(guessing.TryCount).values(tries=10_000))
    log_in(page, room)
    looked_at(page, "Too many wrong tries from your connection. Wait 15 minutes", width)


def looked_at(page: Any, sentence: str, width: int) -> None:
    assert sentence in page.inner_text("[role=alert]")
    assert axe.faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
