"""Without a network, in a real Chromium: what a customer sees then, and what is kept on the device.
And the receipt there: printed, shared."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from test_storefront_browser import (  # noqa: F401 - three are fixtures
    address,
    browser,
    buy,
    complete,
    phone,
)

from tests.support import axe, chromium
from tests.support.running import until

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow(seconds=5),
    chromium.NEEDED,
]
RULES_NOW = """() => navigator.serviceWorker.ready.then(r => new Promise(done => {
  const worker = r.active;
  if (worker.state === 'activated') done();
  else worker.onstatechange = () => worker.state === 'activated' && done();
}))"""
KEPT = """async () => {
  const found = {};
  for (const name of await caches.keys()) {
    const cache = await caches.open(name);
    for (const request of await cache.keys())
      found[new URL(request.url).pathname] = await (await cache.match(request)).text();
  }
  return found;
}"""


def lose_network(context: BrowserContext, page: Page) -> str:
    """Buy something, come back to its page with the worker at work, and go offline. The code."""
    code = buy(page)
    page.evaluate(RULES_NOW)
    page.reload()
    page.wait_for_function("navigator.serviceWorker.controller !== null")
    context.set_offline(True)
    return code


def test_without_a_network_a_page_says_so_and_then_the_newest_state_is_there(
    app,
    phone,  # noqa: F811
):
    context = phone()
    page = context.new_page()
    code = lose_network(context, page)
    for path in (f"/orders/{code}", "/", f"/orders/{code}/receipt"):
        page.goto(path)
        expect(page.get_by_role("heading", name="No connection")).to_be_visible()
        assert page.url.endswith(path), "so that a reload leads there"
    assert axe.faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    page.goto(f"/orders/{code}")
    complete(app, code)
    context.set_offline(False)
    page.get_by_role("link", name="Try again").click()
    expect(page.locator("#label")).to_have_text("Completed")
    page.goto("/")
    expect(page.get_by_role("heading", name="Data for any number")).to_be_visible()


def test_the_page_comes_back_by_itself(phone):  # noqa: F811
    context = phone()
    page = context.new_page()
    page.clock.install()
    code = lose_network(context, page)
    page.goto(f"/orders/{code}")
    expect(page.get_by_role("heading", name="No connection")).to_be_visible()
    page.clock.run_for(16_000)
    expect(page.get_by_role("heading", name="No connection")).to_be_visible()
    context.set_offline(False)
    page.clock.run_for(16_000)
    expect(page.locator("#label")).to_have_text("Pending")


def test_no_order_price_or_page_is_kept_on_the_device(phone):  # noqa: F811
    context = phone()
    page = context.new_page()
    code = buy(page)
    page.evaluate(RULES_NOW)
    for path in ("/", f"/orders/{code}/receipt", "/track"):
        page.goto(path)
    with page.expect_response(re.compile("/status")):
        page.goto(f"/orders/{code}")
    page.wait_for_function("navigator.serviceWorker.controller !== null")
    with page.expect_response(re.compile("/status")):
        pass  # one more: what the first brought is kept by now, if it is at all
    kept = page.evaluate(KEPT)
    assert "/offline" in kept
    assert [path for path in kept if not path.startswith("/static/")] == ["/offline"]
    for path, text in kept.items():
        assert code not in text and "GH₵" not in text, path
        assert "<html" not in text or path == "/offline", path
    assert any("htmx" in path for path in kept), "files are"


def test_the_store_page_alone_brings_no_worker(phone):  # noqa: F811
    context = phone()
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    page = context.new_page()
    page.goto("/")
    page.wait_for_load_state("networkidle")
    assert (
        page.evaluate(
            "navigator.serviceWorker.getRegistrations().then(found => found.length)"
        )
        == 0
    )
    assert not [url for url in asked if re.search("sw.js|offline|manifest|icon-", url)]


def test_a_new_version_takes_over_and_leaves_nothing_of_the_old(
    app,
    phone,  # noqa: F811
    change_store,
):
    context = phone()
    page = context.new_page()
    code = buy(page)
    page.evaluate(RULES_NOW)
    (old,) = page.evaluate("caches.keys()")
    change_store("ama", name="Ama anew")
    context.new_cdp_session(page).send("Network.clearBrowserCache")
    page.evaluate("navigator.serviceWorker.ready.then(r => r.update())")
    # not `wait_for_function`: a promise is true to it, whatever it brings
    is_replaced = "old => caches.keys().then(k => k.length === 1 && k[0] !== old)"
    until(lambda: page.evaluate(is_replaced, old), 10, "the new version took over")
    assert "Ama anew" in page.evaluate(KEPT)["/offline"]
    page.goto("about:blank")  # whose page asks for no news meanwhile
    context.set_offline(True)
    page.goto(f"/orders/{code}")
    expect(page.get_by_role("heading", name="No connection")).to_be_visible()
    expect(page.locator(".own")).to_contain_text("Ama anew")


@pytest.mark.parametrize(
    "engine",
    [
        "delete Navigator.prototype.serviceWorker",
        "navigator.serviceWorker && (navigator.serviceWorker.register = () => Promise.reject())",
    ],
    ids=["has none", "refuses"],
)
def test_an_engine_without_workers_shows_the_order_as_ever(
    app,
    phone,  # noqa: F811
    engine,
):
    context = phone()
    context.add_init_script(engine)
    page = context.new_page()
    code = buy(page)
    expect(page.get_by_role("button", name="Copy code")).to_be_visible()
    complete(app, code)
    expect(page.locator("#label")).to_have_text("Completed")


@pytest.mark.parametrize("width", [320, 360, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_receipt_can_be_read_and_printed_everywhere(
    phone,  # noqa: F811
    width,
    scheme,
):
    context = phone(viewport={"width": width, "height": 740}, color_scheme=scheme)
    page = context.new_page()
    page.add_init_script("window.print = () => { window.printed = true }")
    buy(page)
    page.get_by_role("link", name="Receipt to print or share").click()
    expect(page.get_by_role("heading", name="Receipt")).to_be_visible()
    assert axe.faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_role("button", name="Print").click()
    assert page.evaluate("window.printed")
    page.emulate_media(media="print")
    expect(page.get_by_role("button", name="Print")).to_be_hidden()
    expect(page.get_by_role("link", name="Back to the order")).to_be_hidden()
    expect(page.get_by_role("img", name=re.compile("QR code"))).to_be_visible()
    ground = page.evaluate(
        "getComputedStyle(document.querySelector('main')).backgroundColor"
    )
    assert ground == "rgb(255, 255, 255)"


def test_a_receipt_is_shared_by_the_phone_where_it_can(phone):  # noqa: F811
    context = phone()
    page = context.new_page()
    page.add_init_script(
        "navigator.share = what => { window.shared = what; return Promise.resolve() }"
    )
    code = buy(page)
    page.goto(f"/orders/{code}/receipt")
    page.get_by_role("link", name="Share").click()
    shared = page.evaluate("window.shared")
    assert shared["url"].endswith(f"/orders/{code}/receipt")
    assert shared["text"].startswith("Receipt of order")


def test_a_receipt_needs_no_script(phone):  # noqa: F811
    context = phone(java_script_enabled=False)
    page = context.new_page()
    page.goto("/")
    page.get_by_label("Number to receive the data").fill("024 123 4567")
    page.get_by_role("radio", name="1 GB").first.check()
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name=re.compile("^Yes")).click()
    page.get_by_role("link", name="Receipt to print or share").click()
    expect(page.get_by_role("heading", name="Receipt")).to_be_visible()
    expect(page.get_by_role("button", name="Print")).to_be_hidden()
    expect(page.get_by_role("link", name="Share")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_wide_screen_is_used(phone, scheme):  # noqa: F811
    context = phone(viewport={"width": 1280, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    page.goto("/")
    tops = page.eval_on_selector_all(
        ".net", "all => all.map(one => one.getBoundingClientRect().top)"
    )
    assert len(tops) == 3 and len(set(tops)) == 1, "networks side by side"
    assert axe.faults(page) == []
    buy(page)
    timeline, code = (page.locator(name).bounding_box() for name in (".line", ".big"))
    assert code["x"] > timeline["x"] + timeline["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    assert axe.faults(page) == []
    page.evaluate("document.documentElement.style.fontSize = '32px'")
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280


def test_on_a_phone_everything_stands_under_each_other(phone):  # noqa: F811
    page = phone(viewport={"width": 360, "height": 740}).new_page()
    page.goto("/")
    lefts = page.eval_on_selector_all(
        ".net", "all => all.map(one => one.getBoundingClientRect().left)"
    )
    assert len(lefts) == 3 and len(set(lefts)) == 1
