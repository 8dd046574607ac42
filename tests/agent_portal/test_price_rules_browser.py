"""Many prices at once, their history and the order of the shelf in a real browser: with and without
script, axe, and nothing that runs off a narrow screen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support import looks

pytestmark = [pytest.mark.browser, pytest.mark.slow(seconds=6)]


@pytest.mark.parametrize(("js", "dark"), [(True, False), (True, True), (False, False)])
def test_a_rule_for_many_and_what_became_of_it(
    open_page: Callable[..., Any], js: bool, dark: bool
) -> None:
    page = open_page("ama", js=js, dark=dark)
    page.goto("/prices")
    page.click("text=Set many")
    page.select_option("#network", "mtn")
    page.fill("#amount", "-3")
    page.click("text=Show each price")
    assert "cannot be negative" in page.inner_text("#errors")
    if js:
        looks.fits(page)
    page.fill("#amount", "12.5")
    page.select_option("#step", "50")
    page.click("text=Show each price")
    assert "would change" in page.inner_text("h2")
    if js:
        looks.fits(page)
    page.click(".sticky >> text=Save")
    assert "Saved" in page.inner_text("#status")
    if js:
        looks.fits(page)
    page.click("text=History")
    assert "by a rule for many" in page.inner_text("main")
    if js:
        looks.fits(page)


@pytest.mark.parametrize("js", [True, False])
def test_the_order_of_the_shelf(open_page: Callable[..., Any], js: bool) -> None:
    page = open_page("ama", js=js)
    page.goto("/prices")
    page.click("a.btn >> text=Arrange")
    first = page.locator(".shelf").first
    second = first.locator("li").nth(1)
    name = second.locator(".strong").first.inner_text()
    second.locator("text=Up").click()
    assert first.locator("li .strong").first.inner_text() == name
    page.locator(".shelf").first.locator("li").nth(2).locator("text=Recommend").click()
    assert "recommended now, and stands first" in page.inner_text("#status")
    if js:
        looks.fits(page)
    page.click("text=By size again")
    assert "in order of size again" in page.inner_text("#status")


def test_the_margin_follows_the_typed_price(open_page: Callable[..., Any]) -> None:
    page = open_page("ama")
    page.goto("/prices")
    field = page.locator("[data-floor]").first
    bundle = field.get_attribute("data-bundle")
    floor = int(field.get_attribute("data-floor"))
    field.fill(f"{floor * 2 / 100:.2f}")
    assert page.inner_text(f"#margin-{bundle}") == "50.0 %"
    field.fill("x")
    assert page.inner_text(f"#margin-{bundle}") == ""
