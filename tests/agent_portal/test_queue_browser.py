"""The queue in a real browser: how much of it one screen shows, what is new while nobody looks, its
keys and their list, the filter with Back and without script."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.support import axe

pytestmark = pytest.mark.browser

HIDE = (
    "(is) => { Object.defineProperty(document, 'hidden', {get: () => is, configurable: true});"
    "document.dispatchEvent(new Event('visibilitychange')); }"
)
NO_SOUND = (
    "window.rung = 0; window.AudioContext = function () { window.rung++; const part = new Proxy("
    "function () {}, {get: (of, name) => name === 'value' ? 0 : part, apply: () => part,"
    " set: () => true}); return new Proxy({}, {get: (of, name) => name === 'currentTime' ? 0 :"
    " part}); };"
)


def many(place: Any, count: int) -> list[str]:
    return [
        place(number=f"02400000{at:02}", gb=(1, 2, 5)[at % 3]) for at in range(count)
    ]


def look_for_news(page: Any) -> None:
    page.evaluate("htmx.trigger(document.querySelector('#news'), 'every')")


def titled(page: Any, title: str) -> None:
    for _ in range(100):
        if page.title() == title:
            return
        page.wait_for_timeout(50)
    assert page.title() == title


@pytest.mark.parametrize(("width", "height", "rows"), [(1280, 800, 14), (360, 740, 6)])
def test_one_screen_shows_so_many_orders(
    open_page: Callable[..., Any], place: Any, width: int, height: int, rows: int
) -> None:
    """With what a payment is found by: pay code, amount, age."""
    many(place, 18)
    page = open_page("ama", width=width, height=height)
    page.goto("/orders")
    first = page.locator("[data-row]").first
    assert re.search(r"\b\d{6}\b", first.inner_text()), "its pay code"
    assert re.search(r"just now|min", first.inner_text())
    seen = page.evaluate(
        "[...document.querySelectorAll('[data-row]')].filter("
        "row => row.getBoundingClientRect().bottom <= innerHeight).length"
    )
    assert seen >= rows
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_what_is_new_stands_in_the_title_and_on_the_icon_and_rings_once(
    open_page: Callable[..., Any], place: Any
) -> None:
    many(place, 1)
    page = open_page("ama", width=1280)
    page.add_init_script(NO_SOUND)
    page.goto("/orders")
    assert page.title() == "New orders · Portal"
    place(number="0240000077")
    look_for_news(page)
    titled(page, "(1) New orders · Portal")
    assert "mark-new-" in page.get_attribute("link[rel=icon]", "href")
    assert page.evaluate("window.rung") == 1
    look_for_news(page)
    page.wait_for_timeout(200)
    assert page.evaluate("window.rung") == 1, "the same news is no news"
    page.click("#news .news")
    titled(page, "New orders · Portal")


def test_the_sound_is_switched_off_for_good(
    open_page: Callable[..., Any], place: Any
) -> None:
    page = open_page("ama")
    page.add_init_script(NO_SOUND)
    page.goto("/orders")
    button = page.locator("[data-sound]")
    assert button.inner_text() == "Sound is on"
    button.click()
    page.reload()
    assert button.inner_text() == "Sound is off"
    assert button.get_attribute("aria-pressed") == "false"
    place(number="0240000077")
    look_for_news(page)
    titled(page, "(1) New orders · Portal")
    assert page.evaluate("window.rung") == 0


def test_a_hidden_queue_asks_for_news_alone_and_once_a_minute(
    open_page: Callable[..., Any], place: Any
) -> None:
    place(state="processing")
    page = open_page("ama")
    page.clock.install()
    page.goto("/orders?tab=processing")
    page.evaluate(HIDE, True)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for _ in range(125):
        page.clock.run_for(1_000)
        page.wait_for_timeout(5)
    assert {url.partition("?")[0].rpartition("/")[2] for url in asked} == {"news"}
    assert 1 <= len(asked) <= 3


def test_a_question_mark_lists_the_keys(
    open_page: Callable[..., Any], place: Any
) -> None:
    many(place, 3)
    page = open_page("ama", width=1280, dark=True)
    page.goto("/orders")
    page.keyboard.press("?")
    expect(page.locator("dialog[open]")).to_be_visible()
    box = page.locator("dialog[open]").bounding_box()
    assert abs(2 * box["x"] + box["width"] - 1280) < 20, "in the middle"
    assert "go to Process selected" in page.inner_text("dialog")
    assert axe.faults(page) == []
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.tagName") != "TR"
    page.keyboard.press("Escape")
    expect(page.locator("dialog[open]")).to_have_count(0)
    page.keyboard.press("a")
    expect(page.locator("[name=order]:checked")).to_have_count(3)
    page.fill("#q", "")
    page.keyboard.type("?")
    assert page.input_value("#q") == "?"
    expect(page.locator("dialog[open]")).to_have_count(0)


def test_back_leads_to_what_was_filtered(
    open_page: Callable[..., Any], place: Any
) -> None:
    many(place, 6)
    page = open_page("ama")
    page.goto("/orders")
    page.click("text=Filter")
    page.select_option("#mb", label="5 GB")
    page.click("button:has-text('Show')")
    page.wait_for_selector("text=Only 5 GB.")
    assert "mb=5120" in page.url
    expect(page.locator("[data-row]")).to_have_count(2)
    page.locator("[data-row] a.phone").first.click()
    page.wait_for_selector("#live")
    page.go_back()
    assert "mb=5120" in page.url
    expect(page.locator("[data-row]")).to_have_count(2)
    page.click("text=Show all")
    expect(page.locator("[data-row]")).to_have_count(6)


def test_without_script_filter_all_and_hold_work(
    open_page: Callable[..., Any], place: Any, order_of: Any
) -> None:
    codes = many(place, 4)
    page = open_page("ama", js=False)
    page.goto(f"/orders/{codes[0]}")
    page.click("summary:has-text('Put on hold')")
    page.select_option("#reason", label="number in doubt")
    page.click("button:has-text('Put on hold')")
    assert order_of(codes[0]).aside == "number"
    page.goto("/orders/filter")
    page.select_option("#hold", "no")
    page.click("button:has-text('Show')")
    expect(page.locator("[data-row]")).to_have_count(3)
    page.click("text=Process all …")
    page.click("button:has-text('Process 3')")
    assert page.inner_text("h1") == "3 sent"
    assert order_of(codes[0]).state == "pending"
