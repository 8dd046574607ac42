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
from sqlalchemy import select

from core import ledger, stores
from core.audit import SYSTEM
from core.base import messages, tenancy
from core.base.config import Config
from core.base.db import db
from core.orders import Order
from tests.support import axe
from tests.support.chromium import NEEDED
from tests.support.settings import Using

pytestmark = [pytest.mark.browser, NEEDED]
WIDER = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
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
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/{name}.png", full_page=True)
    assert axe.faults(page) == [], name
    size = page.viewport_size
    page.set_viewport_size({"width": 320, "height": 640})
    assert not page.evaluate(WIDER), name
    page.set_viewport_size(size)


def test_from_nothing_to_the_first_sale(
    app: Flask, open_page: Callable[..., Any], code: Callable[[], str], served: str
) -> None:
    """Six presses of the agent; the owner has only to fund the wallet."""
    began = time.monotonic()
    page = open_page(None)
    page.goto("/sign-up")
    fill(page)
    page.click("text=Open my store")
    page.wait_for_url("**/")
    page.click("text=Type the code that was sent")
    page.fill("#code", code())
    page.click("text=Confirm >> nth=-1")
    page.wait_for_url("**/")
    fund(app)  # the owner's part
    page.reload()
    page.click("button:has-text('Open store')")
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
    page.click("text=Open 1 new order")
    page.wait_for_url("**/orders?tab=new")
    page.click("tr[data-row] >> text=Process")
    page.wait_for_selector("tr[data-row] .badge")
    assert told_state(app) == "queued"
    assert ready_s < 60 and time.monotonic() - began < 90
    print(f"open after {ready_s:.1f} s, sold after {time.monotonic() - began:.1f} s")


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
    assert page.locator("td.num").count() == 9
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
