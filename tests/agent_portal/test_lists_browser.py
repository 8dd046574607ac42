"""Walk-ins and lists in a real browser: the whole road with and without JavaScript, in pieces that
show how far they are, axe, and nothing that runs off a narrow screen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from core.batches import placing
from tests.support import looks

pytestmark = pytest.mark.browser

ODD = "0241234567 5\n024123456 5\nGood morning\n0551234567 2GB Esi\n0551234567 2\n"
MANY = ODD + "\n".join(f"02400{at:05} 1" for at in range(40))
CUT = """[...document.querySelectorAll('.card .money, .card .phone')].filter(e => e.checkVisibility()
    && e.getBoundingClientRect().right > e.closest('.card').getBoundingClientRect().right)
    .map(e => e.outerHTML)"""
"""What stands beyond the edge of a card that hides it."""


def fits(page: Any) -> None:
    """At 320 px nothing runs off or is cut, and axe finds nothing wrong."""
    looks.fits(page)
    before = page.viewport_size
    page.set_viewport_size({"width": looks.NARROW, "height": 640})
    assert page.evaluate(CUT) == [], page.url
    page.set_viewport_size(before)


@pytest.mark.slow(seconds=8)
@pytest.mark.parametrize("dark", [False, True])
def test_a_list_with_script(
    open_page: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    dark: bool,
) -> None:
    monkeypatch.setattr(placing, "MOST_LINES", 5)
    page = open_page("ama", dark=dark)
    page.goto("/lists")
    page.fill("#text", MANY)
    page.click("text=Read the list")
    page.wait_for_selector("#confirm")
    fits(page)
    page.fill("[name=line-2]", "0241234568 5")
    page.click("text=Read them again")
    page.wait_for_selector("text=1 wrong line")
    page.check("[name=meant]")
    page.click("text=Keep those ticked")
    page.wait_for_selector("text=44 orders")
    page.click("#confirm >> text=Order only")
    page.wait_for_selector("progress")
    fits(page)
    page.wait_for_selector("#progress", state="detached")
    assert page.inner_text("h1") == "44 ordered, 1 not"
    fits(page)


@pytest.mark.slow(seconds=6)
def test_a_list_without_script(
    open_page: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(placing, "MOST_LINES", 20)
    monkeypatch.setattr(placing, "MOST_S", 60.0)
    page = open_page("ama", js=False)
    page.goto("/lists")
    page.fill("#text", MANY)
    page.click("text=Read the list")
    page.click("text=Leave all 2 out")
    page.click("#confirm >> text=Order only")
    assert "20 of 42 done" in page.inner_text("#progress")
    page.click("button >> text=Go on")
    assert "40 of 42 done" in page.inner_text("#progress")
    page.click("button >> text=Go on")
    assert page.inner_text("h1") == "42 ordered, 3 not"
    with page.expect_download() as told:
        page.click("text=Results as a file")
    assert told.value.suggested_filename.startswith("ama-list-")


@pytest.mark.slow(seconds=5)
@pytest.mark.parametrize("js", [True, False])
def test_a_walk_in(open_page: Callable[..., Any], js: bool) -> None:
    page = open_page("ama", js=js)
    page.goto("/orders")
    page.click("text=+ Order")
    page.fill("#number", "020 123 4567")
    page.select_option("#bundle", index=1)
    page.fill("#name", "Kofi")
    page.click("text=Paid: order and process")
    assert "looks like Telecel" in page.inner_text("#asked")
    assert page.input_value("#number") == "020 123 4567"
    if js:
        fits(page)
    page.check("[name=meant]")
    page.click("text=Paid: order and process")
    assert page.inner_text("h1").startswith("020 123 4567")
    assert "In line" in page.inner_text("#live")
