"""Sign up to first sale with a real browser, on a phone, with and without script."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import expect
from sqlalchemy import select

from core import ledger, stores
from core.audit import SYSTEM
from core.base import messages, tenancy
from core.base.config import Config
from core.base.db import db
from core.orders import Order
from tests.support import looks
from tests.support.chromium import NEEDED
from tests.support.settings import Using

pytestmark = [pytest.mark.browser, NEEDED]
SHOTS = os.environ.get("SHOTS")


@pytest.fixture
def code(using: Using, config: Config) -> Callable[[], str]:
    """Who signs up is approved at once; the newest code that was sent."""
    using(messages="console", approve_by_itself=True)
    file = Path(config.instance_dir) / messages.FILE
    file.unlink(missing_ok=True)
    return lambda: re.findall(r": (\d{6}) is your", file.read_text())[-1]


def fill(page: Any) -> None:
    page.fill("#name", "Esi Owusu")
    page.fill("#phone", "024 555 0101")
    page.fill("#password", "river stone lamp seven")
    page.fill("#store_name", "Esi's Data")


def fund(app: Flask) -> None:
    with app.app_context(), tenancy.across_stores():
        store = stores.by_slug("esis-data")
        assert store is not None
        ledger.fund_wallet(store.id, 5_000, "MoMo 1", SYSTEM)
        db.session.remove()


def told_state(app: Flask) -> str:
    with app.app_context(), tenancy.across_stores():
        found = db.session.scalar(select(Order.state))
        db.session.remove()
        return str(found)


def look(page: Any, name: str) -> None:
    """No fault that axe finds, nothing wider than the narrowest phone."""
    looks.whole(page)
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/{name}.png", full_page=True)
    looks.fits(page)


def test_from_nothing_to_the_first_sale(
    app: Flask, open_page: Callable[..., Any], code: Callable[[], str], served: str
) -> None:
    """The owner has only to fund the wallet. What is printed: seconds, and what the agent presses,
    fields that are filled left out, and sees, a page a screen."""
    began, pressed, screens = time.monotonic(), [], set()
    page = open_page(None)
    page.on("framenavigated", lambda frame: screens.add(frame.url.partition("?")[0]))

    def press(what: str) -> None:
        pressed.append(what)
        page.click(what)

    page.goto("/sign-up")
    fill(page)
    press("text=Open my store")
    page.wait_for_url("**/")
    press("text=Type the code that was sent")
    page.fill("#code", code())
    press("text=Confirm >> nth=-1")
    page.wait_for_url("**/")
    fund(app)  # the owner's part
    page.reload()
    press("button:has-text('Open store')")
    page.wait_for_selector("text=Your store is open")
    ready_s = time.monotonic() - began
    customer = page.context.new_page()
    customer.goto(served.replace("portal", "esis-data"))
    customer.fill("#recipient", "024 123 4567")
    customer.click("label.row >> nth=0")
    customer.click("text=Continue")
    customer.wait_for_url("**/review/*")
    customer.click("button.main")
    customer.wait_for_url("**/orders/*")
    page.goto("/")
    press("text=Open 1 new order")
    page.wait_for_url("**/orders?tab=new")
    press("tr[data-row] >> text=Process")
    page.wait_for_selector("tr[data-row] .badge")
    sold_s = time.monotonic() - began
    assert told_state(app) == "queued"
    assert ready_s < 60 and sold_s < 90
    assert len(pressed) <= 6 and len(screens) <= 4, (pressed, screens)
    print(
        f"open after {ready_s:.1f} s, sold after {sold_s:.1f} s: {len(pressed)} presses"
    )
    print(f"{len(screens)} screens: {sorted(screens)}")


@pytest.mark.parametrize("js", [True, False], ids=["script", "no script"])
@pytest.mark.parametrize(
    ("width", "height", "dark"),
    [(360, 740, False), (1280, 800, True)],
    ids=["phone", "desk"],
)
def test_from_nothing_to_an_open_store(
    app: Flask,
    open_page: Callable[..., Any],
    code: Callable[[], str],
    js: bool,
    width: int,
    height: int,
    dark: bool,
) -> None:
    page = open_page(None, width=width, height=height, dark=dark, js=js)
    page.goto("/sign-up")
    fill(page)
    if js:
        page.wait_for_selector("#address .in")
        assert "esis-data.localhost" in page.inner_text("#address")
        page.fill("#slug", "ama")
        page.wait_for_selector("#address .bad")
        if SHOTS:
            page.screenshot(path=f"{SHOTS}/taken-{width}.png", full_page=True)
        page.fill("#slug", "")
        page.wait_for_selector("#address .in")
        look(page, f"form-{width}")
    page.click("text=Open my store")
    page.wait_for_url("**/")
    assert page.inner_text("h1") == "Your shop"
    expect(page.locator("td.num")).to_have_count(9)
    if js:
        look(page, f"new-{width}")
    page.click("text=Type the code that was sent")
    if js:
        look(page, f"code-{width}")
    page.fill("#code", code())
    page.click("text=Confirm >> nth=-1")
    page.wait_for_url("**/")
    fund(app)
    page.reload()
    if js:
        look(page, f"ready-{width}")
    page.click("button:has-text('Open store')")
    page.wait_for_selector("text=Your store is open")
    if js:
        look(page, f"open-{width}")


def test_a_form_with_faults_is_readable(
    open_page: Callable[..., Any], code: Callable[[], str]
) -> None:
    page = open_page(None)
    page.goto("/sign-up")
    page.fill("#phone", "024 12")
    page.fill("#slug", "portal")
    page.click("text=Open my store")
    page.wait_for_selector("#errors")
    look(page, "faults")
