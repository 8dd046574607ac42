"""A test order in a real browser: made without script, in both lights, on a narrow screen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.support import looks

pytestmark = pytest.mark.browser


@pytest.mark.slow(seconds=6)
@pytest.mark.parametrize("dark", [False, True])
def test_it_is_made_by_the_keyboard_and_every_page_of_it_fits(
    open_page: Callable[..., Any], dark: bool
) -> None:
    page = open_page("ama", dark=dark, js=not dark)
    page.goto("/test-order")
    page.get_by_label("It is delivered").focus()
    page.keyboard.press("ArrowDown")
    page.get_by_role("button", name="Make a test order").press("Enter")
    page.wait_for_url("**/orders/*")
    expect(page.get_by_text("TEST · New")).to_be_visible()
    here = page.url
    pages = ["/test-order", "/store", "/orders", here]
    if dark:  # axe is a script
        page = open_page("ama", dark=True)
    for path in pages:
        page.goto(path)
        looks.fits(page)
