"""A prompt on a phone in a real Chromium: by thumb and without scripts, its pages going on by
themselves, in both themes."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from test_storefront_browser import address, browser, phone  # noqa: F401

from core import online, orders
from core.audit import Actor
from core.orders import Order
from tests.support import chromium, looks
from tests.support.till import Till

pytestmark = [pytest.mark.browser, pytest.mark.slow(seconds=6), chromium.NEEDED]
Phone = Callable[..., BrowserContext]


def choose(page: Page, till: Till) -> Order:
    """Walk to the page that asks which phone pays, as a person does."""
    page.goto("/")
    page.get_by_label("Number to receive the data").fill("024 123 4567")
    page.get_by_role("radio", name="1 GB").first.check()
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Approve on your phone").click()
    page.wait_for_url(re.compile(r"/prompt$"))
    with till.inside():
        order = orders.by_code(page.url.split("/")[-2])
    assert order is not None
    return order


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_voucher_and_then_it_is_paid(
    till: Till,
    phone: Phone,  # noqa: F811
    scheme: str,
) -> None:
    """Judged are the pages that stay as they are; the others load themselves again."""
    with till.app.app_context():
        online.prompts.switch(True, Actor("owner", "Owner"))
    page = phone(color_scheme=scheme, java_script_enabled=scheme == "light").new_page()
    order = choose(page, till)
    judge = looks.fits if scheme == "light" else looks.whole
    page.get_by_label("MoMo number that pays").fill("1")
    page.get_by_role("button", name="Ask this phone").click()
    expect(page.get_by_role("alert")).to_contain_text("ten digits")
    judge(page)
    page.get_by_label("MoMo number that pays").fill("020 123 4505")
    page.get_by_role("button", name="Ask this phone").click()
    expect(page.get_by_role("status")).to_contain_text("being asked")
    till.work()
    code = page.get_by_label("Voucher code")
    expect(code).to_be_visible()
    judge(page)
    code.fill("123456")
    page.get_by_role("button", name="Send the code").click()
    expect(page.get_by_role("status")).to_contain_text("looks at the code")
    till.pass_by(4)
    page.wait_for_url(re.compile(rf"/orders/{order.code}$"))
    expect(page.locator("#order-status")).to_contain_text("paid online")
