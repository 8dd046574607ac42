"""In a real browser: what is typed while an order's page changes, news and the day in both lights,
and the switch for notices."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import tables_owner
from playwright.sync_api import expect

from core import orders
from core.audit import Actor
from integrations.webpush import keys
from tests.support import looks
from tests.support.push import Phone
from tests.support.settings import Using

pytestmark = pytest.mark.browser

KOFI = Actor("agent", "Kofi")
PHONE = Phone("/wpush/v2/of-this-browser")
SUBSCRIBES = """
const told = %s;
let made = null;
const key = () => Uint8Array.from(atob(document.getElementById('this-device').dataset.key
  .replace(/-/g, '+').replace(/_/g, '/')), (sign) => sign.charCodeAt(0));
PushManager.prototype.getSubscription = async () => made
  || (localStorage.made && { endpoint: told.endpoint, options: { applicationServerKey: key() } });
PushManager.prototype.subscribe = async (asked) => {
  if (!asked.userVisibleOnly || asked.applicationServerKey.length !== 65) throw new Error('odd');
  localStorage.made = '1';
  return { toJSON: () => ({ endpoint: told.endpoint, keys: { p256dh: told.p256dh, auth: told.auth } }) };
};
Notification.requestPermission = async () => 'granted';
Object.defineProperty(Notification, 'permission', { get: () => 'default' });
"""
"""A headless browser has no push service: what one answers with stands in its place."""


POLL = "htmx.trigger(document.getElementById('live'), 'every')"


@pytest.mark.slow(seconds=4)
def test_what_is_typed_outlives_what_changes_around_it(
    open_page: Callable[..., Any], place: Any, in_store: Any
) -> None:
    code = place()
    page = open_page("ama")
    page.goto(f"/orders/{code}")
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url))
    page.click("text=Put on hold")
    page.fill("#note", "Ask for Efua")
    in_store("ama", lambda: orders.marking.take_on(code, KOFI, ""))
    # while somebody is at it nothing moves
    page.evaluate(POLL)
    assert page.evaluate("document.activeElement.id") == "note"
    assert not [one for one in asked if "/status" in one]
    page.evaluate("document.activeElement.blur()")
    page.evaluate(POLL)
    page.wait_for_selector("text=Kofi is on it")
    assert page.input_value("#note") == "Ask for Efua"
    expect(page.locator("#reason")).to_be_visible()
    # somebody begins while the answer is under way: it does not take the field away
    in_store("ama", lambda: orders.marking.let_go_of(code, KOFI))
    page.route("**/status?*", lambda route: (page.focus("#note"), route.continue_()))
    with page.expect_response("**/status?*"):
        page.evaluate(POLL)
    page.keyboard.type("!")
    assert page.input_value("#note") == "Ask for Efua!"
    page.unroute("**/status?*")
    page.press("#note", "Enter")
    page.wait_for_selector("text=Noted for")
    assert page.input_value("#note") == "Ask for Efua!"


@pytest.mark.slow(seconds=7)
@pytest.mark.parametrize("dark", [False, True])
def test_news_the_day_and_notices_fit_and_are_without_fault(
    open_page: Callable[..., Any], place: Any, ama_agent: Any, using: Using, dark: bool
) -> None:
    using(push_key=keys.make(), low_wallet_pesewas=60_000)
    for number, state in enumerate(
        ("pending",) * 6 + ("completed", "failed", "refunded", "cancelled")
    ):
        place(number=f"024000010{number}", state=state)
    tables_owner.execute("UPDATE orders SET told_at = now(), told_first_at = now()")
    ama_agent.post("/notices", data=Phone().form)
    page = open_page("ama", dark=dark)
    for path in ("/", "/news", "/days", "/days?on=2026-01-31", "/notices"):
        page.goto(path)
        looks.fits(page)


@pytest.mark.slow(seconds=3)
def test_a_browser_is_switched_on_and_knows_itself(
    open_page: Callable[..., Any], using: Using
) -> None:
    using(push_key=keys.make())
    page = open_page("ama")
    page.goto("/notices")
    # a headless browser shows none, and says so
    page.wait_for_selector("#this-device [data-say]:not([hidden])")
    page.context.add_init_script(SUBSCRIBES % json.dumps(PHONE.form))
    page.reload()
    page.click("text=Switch notices on")
    page.wait_for_selector("text=Switched on")
    page.wait_for_selector("[data-mine]:not([hidden])")
    assert "Notices are on" in page.inner_text("#this-device")
    found = tables_owner.read("SELECT endpoint || p256dh || auth FROM push_devices")
    assert found == ["".join(PHONE.form.values())]
    page.uncheck("text=Late orders")
    page.click("text=Save")
    page.wait_for_selector("#status .note")
    assert "late" not in tables_owner.read("SELECT kinds FROM push_devices")[0]
    page.click("text=Remove")
    page.wait_for_selector("text=told nothing any more")
    assert tables_owner.read("SELECT id FROM push_devices") == []


@pytest.mark.slow(seconds=2)
def test_without_script_the_switches_work_and_the_page_says_why_not_more(
    open_page: Callable[..., Any], ama_agent: Any, using: Using
) -> None:
    using(push_key=keys.make())
    ama_agent.post("/notices", data=PHONE.form)
    page = open_page("ama", js=False)
    page.goto("/notices")
    assert "need JavaScript" in page.inner_text("#this-device")
    expect(page.locator("[data-switch-on]")).to_be_hidden()
    page.uncheck("text=New orders")
    page.click("text=Save")
    assert "new" not in tables_owner.read("SELECT kinds FROM push_devices")[0]
