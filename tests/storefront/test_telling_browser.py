"""What customers tell, in a real Chromium: by thumb, by keyboard, without scripts, in both themes."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import BrowserContext, Page, expect
from store_customers import set_order
from test_storefront_browser import address, browser, buy, phone  # noqa: F401

from core.audit import Actor
from core.base import clock
from core.orders import not_received, telling
from tests.support import axe, chromium

pytestmark = [pytest.mark.browser, pytest.mark.slow(seconds=3), chromium.NEEDED]
AGENT = Actor("agent", "Ama")
Phone = Callable[..., BrowserContext]


def judge(page: Page, name: str) -> None:
    page.wait_for_load_state("domcontentloaded")
    assert axe.faults(page) == [], name
    assert page.evaluate("document.documentElement.scrollWidth") <= 320, name


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_paid_told_not_found_told_again_and_not_received(
    app: Flask,
    phone: Phone,  # noqa: F811
    change_store: Callable[..., None],
    in_store: Callable[..., Any],
    scheme: str,
) -> None:
    change_store("ama", momo_name="Ama Mensah Enterprise")
    page = phone(color_scheme=scheme).new_page()
    code = buy(page)
    judge(page, "pending")
    page.get_by_role("link", name="I have paid").click()
    judge(page, "paid")
    page.get_by_label("From which number").fill("")
    page.get_by_role("button", name="Tell").click()
    expect(page.get_by_role("alert")).to_contain_text("from which number")
    judge(page, "paid-error")
    page.get_by_label("From which number").fill("055 123 4567")
    page.get_by_role("button", name="Tell").click()
    expect(page.get_by_text("You told")).to_be_visible()
    judge(page, "told")
    in_store("ama", lambda: telling.note_not_found(code, AGENT))
    expect(
        page.locator("#order-status").get_by_text("did not find your payment")
    ).to_be_visible()
    judge(page, "not-found")
    done = clock.now() - timedelta(hours=1)
    set_order(
        app, "ama", code, state="completed", queued_at=done, completed_at=done, final_at=done
    )  # fmt: skip
    page.goto(f"/orders/{code}")
    judge(page, "completed")
    page.get_by_role("link", name="The data has not come").click()
    judge(page, "not-received")
    page.get_by_text("No new data").click()
    page.get_by_label("Anything that helps").fill("No message came")
    page.get_by_role("button", name="Tell").click()
    expect(page.get_by_text("that it has not come").first).to_be_visible()
    judge(page, "reported")
    in_store("ama", lambda: not_received.answer(code, "asked", "More by 14:00", AGENT))
    page.reload()
    expect(page.get_by_text("More by 14:00")).to_be_visible()
    judge(page, "answered")
    page.goto("/track/number")
    judge(page, "track-number")
    page.get_by_label("Number that gets the data").fill("024 123 4567")
    page.get_by_role("button", name="Show the orders").click()
    expect(page.get_by_role("list", name="Orders found")).to_be_visible()
    judge(page, "track-found")
    page.get_by_label("Number that gets the data").fill("020 999 8888")
    page.get_by_role("button", name="Show the orders").click()
    expect(page.get_by_text("Nothing to show")).to_be_visible()
    judge(page, "track-nothing")


def test_without_scripts_and_by_keyboard_alone(phone: Phone) -> None:  # noqa: F811
    page = phone(java_script_enabled=False).new_page()
    page.goto("/")
    page.get_by_label("Number to receive the data").fill("024 123 4567")
    page.get_by_role("radio", name="1 GB").first.check()
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name=re.compile("^Yes")).click()
    expect(page.get_by_role("button", name=re.compile("^Copy"))).to_have_count(0)
    page.get_by_role("link", name="I have paid").focus()
    page.keyboard.press("Enter")
    page.get_by_label("From which number").focus()
    page.keyboard.type("Kwame Ofori")
    page.keyboard.press("Enter")
    expect(page.get_by_text("You told")).to_be_visible()


def test_what_is_to_be_paid_is_copied_with_one_press(
    phone: Phone,  # noqa: F811
    change_store: Callable[..., None],
) -> None:
    change_store("ama", momo_name="Ama Mensah")
    context = phone(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    buy(page)
    shown = page.locator(
        "dd", has=page.get_by_role("button", name="Copy the reference")
    ).inner_text()
    for what, copied in (
        ("number", "0240000001"),
        ("name", "Ama Mensah"),
        ("reference", re.sub(r"\D", "", shown)),
    ):
        page.get_by_role("button", name=f"Copy the {what}").click()
        expect(page.get_by_role("button", name="Copied").last).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()") == copied
