"""Paying online in a real Chromium: the page that waits for the gateway's, and the order's own pages
of each step, in both lights and on a narrow screen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, expect
from test_storefront_browser import (  # noqa: F401 - fixtures
    address,
    browser,
    phone,
)
from walk_paying import attempt

from storefront import paying
from tests.support import chromium, looks
from tests.support.till import Till

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow(seconds=8),
    chromium.NEEDED,
]


@pytest.fixture
def at_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page that waits is loaded again by its header: later, so that there is time to look."""
    monkeypatch.setattr(paying, "REFRESH_S", 600)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_that_waits_and_those_of_each_step_fit_and_are_without_fault(
    till: Till,
    phone: Callable[..., BrowserContext],  # noqa: F811
    at_rest: None,
    scheme: Any,
) -> None:
    order = till.order()
    page = phone(color_scheme=scheme, reduced_motion="reduce").new_page()
    where = f"/orders/{order.code}"
    page.goto(f"{where}/pay")
    expect(page.get_by_role("heading", name="The payment page opens")).to_be_visible()
    looks.fits(page)
    page.goto(where)
    looks.fits(page)
    till.work()
    page.goto(where)
    expect(page.get_by_text("now with MoMo")).to_be_visible()
    looks.fits(page)
    attempt(state="failed")
    page.goto(where)
    looks.fits(page)
    attempt(state="open")
    till.pay(till.reference(order))
    till.pass_by(61)
    page.goto(where)
    expect(page.get_by_text("paid online").first).to_be_visible()
    looks.fits(page)


def test_the_page_that_waits_goes_on_by_itself_without_script(
    till: Till,
    phone: Callable[..., BrowserContext],  # noqa: F811
) -> None:
    """Its header loads it again until there is a page to pay at, and leads there."""
    order = till.order()
    page = phone(java_script_enabled=False).new_page()
    page.goto(f"/orders/{order.code}/pay")
    expect(page.get_by_role("heading", name="The payment page opens")).to_be_visible()
    there = page.url.split("/orders")[0] + "/track"
    attempt(state="open", authorization_url=there)
    expect(page).to_have_url(there, timeout=15_000)
