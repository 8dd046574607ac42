"""The customers' side in a real Chromium: accessibility, polling without navigation, keyboard, and
scripts off."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from store_customers import set_order
from werkzeug.serving import make_server

from core import catalog, orders
from core.audit import SYSTEM, Actor
from core.base import clock, config, tenancy
from tests.support import axe, chromium
from tests.support.settings import Using

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow(seconds=3),
    chromium.NEEDED,
]
VENDOR = Path(__file__).resolve().parent.parent / "vendor"
ORDER_URL = re.compile(r"/orders/[0-9A-Z]{10}$")
AGENT = Actor("agent", "Ama")
DONE = {"state": "completed", "completed_at": clock.now, "final_at": clock.now}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium.launched() as browser:
        yield browser


@pytest.fixture
def address(app) -> Iterator[str]:
    """The application on a port of its own; the address of ama's store there."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.05}
    )
    thread.start()
    yield f"http://ama.localhost:{server.server_port}"
    server.shutdown()
    thread.join(timeout=5)
    server.server_close()


@pytest.fixture
def phone(browser: Browser, address: str) -> Iterator[Callable[..., BrowserContext]]:
    """A new phone, 320 px wide, at ama's store. What its pages complain about fails the test."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def new(**options) -> BrowserContext:
        settings = {
            "viewport": {"width": 320, "height": 640},
            "base_url": address,
            "locale": "en-GB",
        } | options
        context = browser.new_context(**settings)
        context.set_default_timeout(10_000)
        context.on(
            "console",
            lambda m: (
                complaints.append(m.text) if m.type in ("error", "warning") else None
            ),
        )
        context.on("weberror", lambda error: complaints.append(str(error.error)))
        contexts.append(context)
        return context

    yield new
    for context in contexts:
        context.close()
    planned = (
        "Failed to load resource",
        "Unexpected token",
    )  # pages of 4xx, and a file broken on purpose
    unexpected = [
        text for text in complaints if not any(words in text for words in planned)
    ]
    assert unexpected == []


def buy(page: Page, number: str = "024 123 4567", size: str = "1 GB") -> str:
    """Walk through both steps as a person does; the code of the order."""
    page.goto("/")
    page.get_by_label("Number to receive the data").fill(number)
    page.get_by_role("link", name="All", exact=True).click()
    page.get_by_role("radio", name=size).first.check()
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name=re.compile("^Yes")).click()
    page.wait_for_url(ORDER_URL)
    return page.url.rsplit("/", 1)[1]


def _buy_without_script(page: Page) -> str:
    page.goto("/")
    page.get_by_label("Number to receive the data").fill("024 123 4567")
    page.get_by_role("radio", name="1 GB").first.check()
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name=re.compile("^Yes")).click()
    page.wait_for_url(ORDER_URL)
    return page.url.rsplit("/", 1)[1]


def complete(app, code: str) -> None:
    set_order(
        app,
        "ama",
        code,
        **{name: value() if callable(value) else value for name, value in DONE.items()},
    )


def test_the_vendored_judge_is_the_one_we_took():
    written = re.search(r"`([0-9a-f]{64})`", (VENDOR / "README.md").read_text())[1]
    assert hashlib.sha256((VENDOR / "axe.min.js").read_bytes()).hexdigest() == written


@pytest.mark.parametrize(
    ("scheme", "colour"), [("light", "#0b6e4f"), ("dark", "#ffcc00")]
)
def test_every_page_is_accessible_and_fits_320_pixels(
    app, phone, change_store, in_store, scheme, colour
):
    change_store("ama", colour=colour)
    page = phone(color_scheme=scheme).new_page()
    found: dict[str, list[str]] = {}

    def judge(name: str) -> None:
        page.wait_for_load_state("domcontentloaded")
        width = page.evaluate("document.documentElement.scrollWidth")
        found[name] = axe.faults(page) + ([f"{width} px wide"] if width > 320 else [])

    page.goto("/")
    judge("shop")
    code = buy(page, "020 123 4567")
    judge("order pending")
    page.get_by_text("Cancel this order").click()
    judge("order, cancel open")
    with page.expect_navigation():
        page.get_by_role("button", name="Buy again").click()
    judge("review with repeat and mismatch")
    with page.expect_navigation():
        page.get_by_role("button", name="Change something").click()
    judge("shop, changing")
    page.get_by_label("Number to receive the data").fill("12")
    page.get_by_role("radio").last.check()
    with page.expect_navigation():
        page.get_by_role("button", name="Continue").click()
    judge("shop with an error")
    set_order(app, "ama", code, state="failed", failed_since=clock.now())
    page.goto(f"/orders/{code}")
    judge("order in trouble")
    complete(app, code)
    page.goto(f"/orders/{code}")
    judge("order completed")
    page.goto("/track?code=zzz")
    judge("track")
    page.goto("/orders/ZZZZZZZZZZ")
    judge("not found")
    in_store("ama", lambda: catalog.pause_network("mtn", "test", SYSTEM))
    page.goto("/")
    judge("paused network")
    change_store("ama", status="closed", closed_note="Back tomorrow.")
    page.goto("/")
    judge("closed")
    assert {name: problems for name, problems in found.items() if problems} == {}


def faults_in_both_schemes(page: Page) -> list[str]:
    """In light and in dark, of one load: a walk for each would cost more than the judging."""
    found = []
    for scheme in ("light", "dark"):
        # no colour on its way to another
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        found += [f"{scheme}: {fault}" for fault in axe.faults(page)]
    return found


def test_every_page_in_twi_is_accessible_and_fits_320_pixels(
    app, phone, change_store, in_store
):
    """Its words are longer. Found by what they are, not by what they are called."""
    page = phone().new_page()
    found: dict[str, list[str]] = {}

    def judge(name: str) -> None:
        page.wait_for_load_state("domcontentloaded")
        width = page.evaluate("document.documentElement.scrollWidth")
        found[name] = faults_in_both_schemes(page) + (
            [f"{width} px wide"] if width > 320 else []
        )
        assert page.url.startswith("http://ama.localhost") and "/tw/" in page.url, name

    def press(part: str) -> None:
        with page.expect_navigation():
            page.locator(part).first.click()

    page.goto("/")
    press("header a[hreflang=tw]")
    page.locator("#recipient").fill("020 123 4567")
    expect(page.locator("#hint")).to_have_text("Ɛte sɛ Telecel.")
    page.locator(".nets a").first.click()
    page.locator("#mtn input").first.check()
    judge("shop")
    press("form .main")
    judge("review with mismatch")
    press("form .main")
    judge("order pending")
    code = page.url.rpartition("/")[2]
    page.locator("summary").click()
    judge("order, cancel open")
    press("main form:not(details form) .btn")
    judge("review with repeat")
    press("form [formaction]")
    page.locator("#recipient").fill("12")
    press("form .main")
    judge("shop with an error")
    for state, stamp in (("failed", "failed_since"), ("completed", "completed_at")):
        set_order(app, "ama", code, state=state, **{stamp: clock.now()})
        page.goto(f"/tw/orders/{code}")
        judge(state)
    for path in ("track?code=zzz", "orders/ZZZZZZZZZZ"):
        page.goto(f"/tw/{path}")
        judge(path)
    in_store("ama", lambda: catalog.pause_network("mtn", "test", SYSTEM))
    page.goto("/tw/")
    judge("paused network")
    change_store("ama", status="closed")
    page.goto("/tw/")
    judge("closed")
    press("header a[hreflang=en]")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    assert {name: problems for name, problems in found.items() if problems} == {}


def test_an_order_in_twi_turns_completed_in_twi(app, phone, in_store):
    page = phone().new_page()
    page.goto("/tw/")
    page.locator("#recipient").fill("024 123 4567")
    page.locator("#mtn input").first.check()
    page.locator("form .main").click()
    page.locator("form .main").click()
    page.wait_for_url(re.compile(r"/tw/orders/[0-9A-Z]{10}$"))
    complete(app, page.url.rpartition("/")[2])
    expect(page.locator("#label")).to_have_text("Awie", timeout=15_000)
    assert "/tw/orders/" in page.url
    expect(page).to_have_title(re.compile("^Awie "))


def test_the_page_turns_completed_by_itself_without_navigating(app, phone, in_store):
    page = phone().new_page()
    code = buy(page)
    page.evaluate("window.unmoved = true")
    moves: list[str] = []
    page.on("framenavigated", lambda frame: moves.append(frame.url))
    status = page.locator("#order-status")
    expect(status).to_contain_text("Pending")
    in_store("ama", lambda: orders.release(code, AGENT))
    expect(status).to_contain_text("Payment confirmed")
    expect(page.get_by_text("Cancel this order")).to_have_count(0)
    complete(app, code)
    expect(page.locator("#label")).to_have_text("Completed")
    expect(page.locator("#news")).to_contain_text("Completed. Delivered")
    assert page.title().startswith("Completed · ")
    expect(page.locator("[data-hx-trigger]")).to_have_count(0)
    assert moves == [] and page.evaluate("window.unmoved") is True


def test_polling_survives_a_server_that_stumbles_and_a_hidden_tab_asks_nothing(
    app, phone
):
    page = phone().new_page()
    code = buy(page)
    answers = iter([503, 429, 500])

    def stumble(route):
        status = next(answers, None)
        if status is None:
            route.continue_()
        else:
            route.fulfill(status=status, body="<p>broken</p>", content_type="text/html")

    page.route("**/status?*", stumble)
    for _ in range(3):
        with page.expect_response("**/status?*"):
            pass
        expect(page.locator("#label")).to_have_text("Pending")
    complete(app, code)
    expect(page.locator("#label")).to_have_text("Completed")
    asks = "document.dispatchEvent(new CustomEvent('htmx-before-request', {cancelable: true}))"
    assert page.evaluate(asks) is True
    page.evaluate("Object.defineProperty(document, 'hidden', {get: () => true})")
    assert page.evaluate(asks) is False


@pytest.mark.parametrize("script", [True, False])
def test_back_from_the_order_shows_the_review_which_names_it(phone, script):
    page = phone(java_script_enabled=script).new_page()
    code = buy(page) if script else _buy_without_script(page)
    page.go_back()
    expect(page.get_by_role("heading", name="You placed this order")).to_be_visible()
    assert "/review/" in page.url
    expect(page.get_by_text(f"{code[:4]}-{code[4:8]}-{code[8:]}")).to_be_visible()
    if script:
        assert axe.faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    page.reload()
    page.get_by_role("link", name="See your order").click()
    assert page.url.endswith(f"/orders/{code}")
    page.go_back()
    page.get_by_role("button", name="Order the same once more").click()
    expect(page.get_by_text("You ordered this")).to_be_visible()


def test_back_from_the_order_past_a_mistake_asks_nobody_to_send_a_form_again(phone):
    page = phone().new_page()
    page.goto("/")
    page.get_by_label("Number to receive the data").fill("024 123 456")
    page.get_by_role("radio").first.check()
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("alert")).to_contain_text("9 digits")
    page.get_by_label("Number to receive the data").fill("024 123 4567")
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Change something").click()
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name=re.compile("^Yes")).click()
    page.wait_for_url(ORDER_URL)
    for _ in range(5):
        page.go_back()
        page.wait_for_load_state()
        assert "Ama" in page.title(), page.title()


@pytest.mark.parametrize("script", [True, False])
def test_back_past_a_confirmation_that_was_not_taken_asks_nobody_to_send_a_form_again(
    phone, script
):
    """The same bundle was ordered in another tab meanwhile; then the browser lost its session."""
    context = phone(java_script_enabled=script)
    page, other = context.new_page(), context.new_page()
    for tab in (page, other):
        tab.goto("/")
        tab.get_by_label("Number to receive the data").fill("024 123 4567")
        tab.get_by_role("radio").first.check()
        tab.get_by_role("button", name="Continue").click()
    other.get_by_role("button", name=re.compile("^Yes")).click()
    other.wait_for_url(ORDER_URL)
    page.get_by_role("button", name=re.compile("^Yes")).click()
    expect(page.get_by_role("alert")).to_contain_text("only if you want two")
    page.get_by_role("link", name="See that order").click()
    page.go_back()
    expect(page.get_by_role("heading", name="Check before you order")).to_be_visible()
    context.clear_cookies(name="__Host-makola")
    page.get_by_role("button", name="Yes, order it again").click()
    expect(page.get_by_role("alert")).to_contain_text("grown old")
    page.get_by_role("button", name="Yes, order it again").click()
    page.wait_for_url(ORDER_URL)
    for _ in range(4):
        page.go_back()
        page.wait_for_load_state()
        assert "Ama" in page.title(), page.title()


def test_a_shop_and_a_review_open_by_themselves(app, phone, in_store):
    context = phone()
    shop, review = context.new_page(), context.new_page()
    review.goto("/")
    review.get_by_label("Number to receive the data").fill("024 123 4567")
    review.get_by_role("radio").first.check()
    review.get_by_role("button", name="Continue").click()
    in_store("ama", lambda: catalog.pause_sales("test", SYSTEM))
    for page in (shop, review):
        page.clock.install()
    shop.goto("/")
    review.get_by_role("button", name=re.compile("^Yes")).click()
    for page in (shop, review):
        expect(page.get_by_text("opens again by itself")).to_be_visible()
    in_store("ama", lambda: catalog.resume_sales(SYSTEM))
    for page, what in ((shop, "Continue"), (review, "Yes, place the order")):
        page.bring_to_front()
        page.wait_for_load_state()  # its script has set its clock
        page.clock.run_for(61_000)
        expect(page.get_by_role("button", name=what)).to_be_visible()


BREAKS = "window.htmx = {version: '4'}; throw new Error('too old');"


def test_an_htmx_that_never_ends_or_breaks_leaves_nobody_pending(app, phone):
    """It has left a name behind, or its file still trickles in: nothing asks all the same."""
    for number, name in enumerate(("breaks", "never ends", "cannot ask")):
        context = phone()
        if name == "cannot ask":
            context.add_init_script("delete window.fetch; console.error = () => {};")
        else:
            context.route(
                "**/htmx-*.js",
                lambda route, name=name: (
                    route.fulfill(body=BREAKS, content_type="text/javascript")
                    if name == "breaks"
                    else None
                ),
            )
        page = context.new_page()
        page.clock.install()
        page.goto("/")
        page.get_by_label("Number to receive the data").fill(f"024 123 456{number}")
        page.get_by_role("radio").nth(1).check()
        page.get_by_role("button", name="Continue").click()
        page.get_by_role("button", name="Yes, place the order").click(
            no_wait_after=True
        )
        expect(page.locator("#label")).to_have_text("Pending")
        code = page.url.rpartition("/")[2]
        hide(page, True)
        moves: list[str] = []
        page.on("framenavigated", lambda frame, moves=moves: moves.append(frame.url))
        page.clock.run_for(60_000)
        assert moves == [], f"{name}: nobody looks"
        complete(app, code)
        hide(page, False)
        page.clock.run_for(10_000)
        expect(page.locator("#label")).to_have_text("Completed")
        assert len(moves) == 1, name
        context.close()


def test_an_htmx_that_asks_is_not_helped(app, phone):
    context = phone()
    context.add_init_script(ASKS)
    page = context.new_page()
    page.clock.install()
    buy(page)
    expect(page.locator("#label")).to_have_text("Pending")
    moves: list[str] = []
    page.on("framenavigated", lambda frame: moves.append(frame.url))
    for hidden in (False, True, False):
        hide(page, hidden)
        for _ in range(30):
            page.clock.run_for(1_000)
            answered(page)
    assert moves == []


ASKS = """
  const ask = window.fetch;
  window.underWay = 0;
  window.fetch = (...all) => {
    window.underWay += 1;
    const done = () => { window.underWay -= 1; };
    return ask(...all).then(
      answer => { answer.clone().text().then(done, done); return answer; },
      lost => { done(); throw lost; },
    );
  };
"""


def answered(page):
    """A clock of ours must not run on while a question of the page is under way: a slow machine
    would look like a page that nobody answers."""
    for _ in range(1_000):
        page.wait_for_timeout(10)
        if page.evaluate("window.underWay") == 0:
            return
    raise AssertionError("a question of the page was never answered")


def hide(page, hidden):
    page.evaluate(
        "(is) => { Object.defineProperty(document, 'hidden', {get: () => is, configurable: true});"
        "document.dispatchEvent(new Event('visibilitychange')); }",
        hidden,
    )


@pytest.mark.parametrize("broken", ["a syntax error", "lost", "not a word"])
def test_without_htmx_the_page_is_loaded_again_until_nothing_can_change(
    app, phone, broken
):
    """An engine too old for htmx, or a file that never came: the page must not stay *Pending* for
    ever."""
    context = phone()

    def instead(route):
        if broken == "lost":
            route.abort()
        else:
            route.fulfill(
                body="const a = ?.b;" if broken == "a syntax error" else "",
                content_type="text/javascript",
            )

    context.route("**/htmx-*.js", instead)
    page = context.new_page()
    page.clock.install()
    code = buy(page)
    expect(page.locator("#label")).to_have_text("Pending")
    assert page.evaluate("typeof window.htmx") == "undefined"
    page.get_by_text("Cancel this order").click()
    complete(app, code)
    moves: list[str] = []
    page.on("framenavigated", lambda frame: moves.append(frame.url))
    page.clock.run_for(20_000)
    assert moves == [], "somebody may be about to press a button"
    page.get_by_text("Cancel this order").click()
    page.clock.run_for(2_000)
    expect(page.locator("#label")).to_have_text("Completed")
    assert page.url.endswith(f"/orders/{code}")
    del moves[:]
    page.clock.run_for(120_000)
    assert moves == [], "a final page is loaded again"


def test_everything_works_with_javascript_off(app, phone):
    page = phone(java_script_enabled=False).new_page()
    code = buy(page)
    expect(page.locator("#label")).to_have_text("Pending")
    complete(app, code)
    expect(page.locator("#label")).to_have_text(
        "Completed", timeout=15_000
    )  # by the page's own meta refresh
    page.goto("/track")
    page.get_by_label("Order code").fill(code.lower())
    page.get_by_role("button", name="Show the order").click()
    expect(page.locator("#label")).to_have_text("Completed")
    assert page.url.endswith(f"/orders/{code}")


def test_a_customer_without_script_cancels_and_changes(phone):
    page = phone(java_script_enabled=False).new_page()
    page.goto("/")
    page.get_by_label("Number to receive the data").fill("024-123-4567")
    page.get_by_role("radio").nth(1).check()
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Change something").click()
    assert (
        page.get_by_label("Number to receive the data").input_value() == "024-123-4567"
    )
    assert page.get_by_role("radio").nth(1).is_checked()
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Yes, place the order").click()
    page.get_by_text("Cancel this order").click()
    page.get_by_role("button", name="Yes, cancel it").click()
    expect(page.locator("#label")).to_have_text("Cancelled")


def test_the_whole_purchase_by_keyboard(phone):
    page = phone().new_page()
    page.goto("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "recipient"
    page.keyboard.type("0241234567")
    for _ in range(20):  # past the network tabs to the first bundle
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.type") == "radio":
            break
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    page.wait_for_url("**/review/*")
    confirm = page.get_by_role("button", name="Yes, place the order")
    for _ in range(20):
        page.keyboard.press("Tab")
        if confirm.evaluate("button => button === document.activeElement"):
            break
    covered = "b => { const r = b.getBoundingClientRect(); return r.top < 0 || r.bottom > innerHeight }"
    assert confirm.evaluate(covered) is False
    page.keyboard.press("Enter")
    page.wait_for_url(ORDER_URL)


def test_the_network_follows_the_number_and_may_be_overruled(phone):
    page = phone().new_page()
    page.goto("/")
    number, hint = (
        page.get_by_label("Number to receive the data"),
        page.locator("#hint"),
    )
    for typed, name, shown in (
        ("+233 20 765 4321", "Telecel", "telecel"),
        ("00233 24 1", "MTN", "mtn"),
        ("26 111", "AT", "at"),
        ("(0)55-1", "MTN", "mtn"),
    ):
        number.fill(typed)
        expect(hint).to_have_text(f"Looks like {name}.")
        assert page.locator(".net:visible").evaluate_all(
            "groups => groups.map(g => g.id)"
        ) == [shown]
    page.locator("#mtn input").first.check()
    page.get_by_role("link", name="Telecel", exact=True).click()
    expect(
        page.locator("#mtn input:checked")
    ).to_be_visible()  # what is chosen stays in sight, and alone
    expect(page.locator("#mtn li:visible")).to_have_count(1)
    expect(page.locator("#telecel li:visible").nth(1)).to_be_visible()
    page.locator("#telecel input").first.check()
    expect(page.locator("#mtn")).to_be_hidden()
    page.get_by_role("link", name="All", exact=True).click()
    expect(page.locator(".net:visible")).to_have_count(3)
    number.fill("0")
    expect(hint).to_be_empty()


def test_what_was_chosen_stays_when_the_number_is_of_another_network(phone):
    page = phone().new_page()
    page.goto("/")
    number, hint = (
        page.get_by_label("Number to receive the data"),
        page.locator("#hint"),
    )
    page.locator("#mtn").get_by_role("radio", name="2 GB").check()
    for typed in ("020 765 4321", "\u0660\u0662\u0660 765", "+233 20 765 4321"):
        number.fill(typed)
        expect(hint).to_have_text("Looks like Telecel. MTN 2 GB stays chosen.")
        expect(page.locator("#mtn input:checked")).to_be_visible()
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("This looks like a Telecel number.")).to_be_visible()
    page.get_by_role("button", name="Change something").click()
    expect(hint).to_have_text("Looks like Telecel. MTN 2 GB stays chosen.")
    expect(page.locator("#mtn input:checked")).to_be_visible()
    number.fill("024 765 4321")
    expect(hint).to_have_text("Looks like MTN.")
    expect(page.locator("#telecel")).to_be_hidden()
    expect(page.locator("#mtn input:checked")).to_have_count(1)
    expect(page.locator("#mtn li:visible").nth(1)).to_be_visible()
    number.fill("020 765 4321")
    page.locator("#telecel input").first.check()
    expect(hint).to_have_text("Looks like Telecel.")


def test_numbers_are_remembered_on_this_device_until_forgotten(phone):
    context = phone()
    page = context.new_page()
    buy(page)
    page.goto("/")
    page.get_by_role("button", name="024 123 4567").click()
    assert (
        page.get_by_label("Number to receive the data")
        .input_value()
        .replace("\xa0", " ")
        == "024 123 4567"
    )
    expect(page.locator("#hint")).to_have_text("Looks like MTN.")
    page.get_by_role("button", name="Forget").click()
    page.reload()
    expect(page.locator("#again")).to_be_hidden()
    page.get_by_label("Number to receive the data").fill("0")
    stranger = phone().new_page()
    stranger.goto("/")
    expect(stranger.locator("#again")).to_be_hidden()


def test_the_whole_purchase_stays_under_thirty_kilobytes(phone, address):
    """Every answer's bytes as gzip, scripts and polls included; the page itself is counted as its
    proxy sends it."""
    import gzip

    page = phone().new_page()
    weights: dict[str, int] = {}

    def weigh(response) -> None:
        if response.status == 200:
            weights[response.url] = max(
                weights.get(response.url, 0), len(gzip.compress(response.body(), 6))
            )

    page.on("response", weigh)
    buy(page)
    page.wait_for_load_state("networkidle")
    assert any("htmx" in url for url in weights)
    assert sum(weights.values()) <= 30_000, weights


@pytest.mark.parametrize("script", [True, False])
def test_too_many_open_orders_name_a_wait_and_the_same_button_works_after_it(
    app, phone, jump, using: Using, script: bool
):
    using(orders_open_per_device=1)
    page = phone(java_script_enabled=script).new_page()
    buy(page)
    page.goto("/")
    page.get_by_label("Number to receive the data").fill("024 765 4321")
    page.get_by_role("radio").first.check()
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name=re.compile("^Yes")).click()
    page.wait_for_selector("text=press the button again")
    expect(page.get_by_text("024 765 4321")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    if script:
        assert axe.faults(page) == []
    jump(config.current().open_wait_s)
    page.get_by_role("button", name=re.compile("^Yes")).focus()
    page.keyboard.press("Enter")
    page.wait_for_url(ORDER_URL)


def test_an_expired_and_a_forgotten_order_are_accessible(app, phone):
    page = phone().new_page()
    code = buy(page)
    set_order(app, "ama", code, state="expired", final_at=clock.now())
    page.goto(f"/orders/{code}")
    expect(page.get_by_text("Nothing was sent").first).to_be_visible()
    assert faults_in_both_schemes(page) == []
    with app.app_context(), tenancy.across_stores():
        assert orders.forget_number("+233241234567", SYSTEM).masked == 1
    page.goto(f"/orders/{code}")
    expect(page.get_by_text("024 ••• 4567").first).to_be_visible()
    assert faults_in_both_schemes(page) == []
