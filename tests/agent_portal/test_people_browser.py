"""People and the second step in a real browser: the road of an invitation, its guest without script;
a second step that is set up and used; axe in both lights, nothing that runs off a narrow screen."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyotp
import pytest
from playwright.sync_api import expect

from core.base import clock, config
from tests.support import looks, settings

pytestmark = pytest.mark.browser

SHOTS = os.environ.get("MAKOLA_SHOTS", "")
"""A folder for pictures of each page, for who wants to look at them."""


@pytest.fixture(autouse=True)
def fresh_port(served: str) -> Iterator[None]:
    """Links name the port that the pages are served at."""
    port = int(served.rpartition(":")[2])
    with settings.using(public_port=port):
        assert config.current().public_port == port
        yield


def look(page: Any, name: str, path: str = "") -> None:
    """Axe finds nothing, at 320 px nothing runs off."""
    if path:
        page.goto(path)
    looks.whole(page)
    if SHOTS:
        page.screenshot(path=str(Path(SHOTS) / f"{name}.png"), full_page=True)
    looks.fits(page)


def code(secret: str, steps: int = 0) -> str:
    step = int(clock.now().timestamp()) // 30
    return pyotp.TOTP(secret).generate_otp(step + steps)


@pytest.mark.slow(seconds=8)
@pytest.mark.parametrize("dark", [False, True])
def test_the_road_of_an_invitation(open_page: Callable[..., Any], dark: bool) -> None:
    shot = "dark" if dark else "light"
    wide = {"width": 1280, "height": 800} if dark else {}
    owner = open_page("ama", dark=dark, **wide)
    owner.goto("/people")
    owner.fill("#name", "Esi Mensah")
    owner.fill("#address", "not a number 12")
    owner.click("text=Make the link")
    look(owner, f"people-refused-{shot}")
    owner.fill("#address", "024 123 4567")
    owner.check("input[value=viewer]")
    owner.click("text=Make the link")
    look(owner, f"invitation-{shot}")
    link = owner.input_value("#link")
    assert "wa.me/233241234567" in owner.get_attribute("text=Send on WhatsApp", "href")
    look(owner, f"join-as-oneself-{shot}", link)
    look(owner, f"people-{shot}", "/people")
    seeing = open_page(None, dark=dark)
    look(seeing, f"join-{shot}", link)
    guest = open_page(None, js=False, dark=dark)
    guest.goto(link)
    assert guest.input_value("#log_in") == "0241234567"
    guest.fill("#password", "a kettle on the roof")
    guest.click("main button:has-text('Come in')")
    guest.wait_for_url("**/")
    assert "Welcome" in guest.inner_text("main")
    guest.goto("/people")
    assert "Only the store’s owner" in guest.inner_text("main")
    guest.goto(link)
    assert "does not work any more" in guest.inner_text("main")
    owner.goto("/people")
    owner.click("summary:has-text('Change Esi Mensah')")
    look(owner, f"people-change-{shot}")
    owner.click("text=Remove Esi Mensah")
    assert "works here no longer" in owner.inner_text("#status")
    guest.goto("/orders")
    assert "/login" in guest.url


@pytest.mark.slow(seconds=8)
@pytest.mark.parametrize("dark", [False, True])
def test_a_phone_sets_up_the_second_step_and_logs_in_with_it(
    open_page: Callable[..., Any], jump: Callable[[float], None], dark: bool
) -> None:
    shot = "dark" if dark else "light"
    wide = {"width": 1280, "height": 800} if dark else {}
    page = open_page("ama", dark=dark, **wide)
    page.goto("/account/sessions")
    page.click("text=Set up the second step")
    look(page, f"second-off-{shot}")
    page.click("text=Set it up")
    look(page, f"second-setup-{shot}")
    secret = re.sub(r"\s", "", page.inner_text("code.secret"))
    page.fill("#code", "000000")
    page.click("text=Turn it on")
    assert "It is not on yet" in page.inner_text("main")
    page.fill("#code", code(secret))
    page.click("text=Turn it on")
    look(page, f"second-codes-{shot}")
    expect(page.locator(".paper code")).to_have_count(10)
    paper = page.locator(".paper code").all_inner_texts()
    page.click("text=I have them")
    look(page, f"second-on-{shot}")
    jump(660)
    page.goto("/people")
    page.fill("#name", "Yaw")
    page.click("text=Make the link")
    look(page, f"confirm-{shot}")
    assert "Is it you?" in page.inner_text("h1")
    page.fill("#code", code(secret))
    page.click("text=Go on")
    assert page.input_value("#name") == "Yaw", "what was typed comes back"
    other = open_page("ama", dark=dark)
    assert other.url.endswith("/login/code")
    look(other, f"code-{shot}")
    other.fill("#code", paper[0])
    other.click("main button:has-text('Log in')")
    assert "used up one code" in other.inner_text("main")
    page.goto("/")
    assert "A log-in from a new device" in page.inner_text("#status")
    look(page, f"home-told-{shot}")
    page.click("text=Look whether it is you")
    look(page, f"sessions-{shot}")
    page.click("text=It was me")
    assert "is it you" not in page.inner_text("main")
