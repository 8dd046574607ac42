"""The portal in a real browser: axe, keys, the sum of a selection, live parts, and all of it with
JavaScript off."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from core import catalog, ledger, orders, proof
from core.audit import SYSTEM, Actor
from core.base import money, tenancy
from tests.support import axe
from tests.support.settings import Using

pytestmark = pytest.mark.browser

AMA = Actor("agent", "Ama")
PATHS = (
    "/",
    "/orders",
    "/orders?tab=done",
    "/orders?tab=late",
    "/orders/{pending}",
    "/orders/{completed}",
    "/prices",
    "/wallet",
    "/account/password",
    "/account/sessions",
    "/stores",
)


@pytest.fixture
def full(app: Any, place: Any) -> dict[str, str]:
    """Orders of every kind a page shows differently."""
    place(number="0201234567", name="Efua Mensah")
    place(number="0551234567", network="telecel", gb=5)
    with app.app_context(), tenancy.across_stores():
        proof.prove()
    states = ("pending", "queued", "processing", "completed", "refunded")
    return {
        state: place(number=f"024000000{index}", state=state)
        for index, state in enumerate(states)
    }


@pytest.mark.parametrize(("width", "dark"), [(360, False), (1280, True)])
def test_axe_finds_nothing(
    open_page: Callable[..., Any], full: dict[str, str], width: int, dark: bool
) -> None:
    page = open_page("ama", width=width, height=800, dark=dark)
    found = {}
    for path in (*PATHS, "/login"):
        if path == "/login":
            page.context.clear_cookies()
        page.goto(path.format(**full))
        found[path] = axe.faults(page)
    assert {path: faults for path, faults in found.items() if faults} == {}


def test_no_page_is_wider_than_the_screen(
    open_page: Callable[..., Any], full: dict[str, str]
) -> None:
    page = open_page("ama")
    for path in PATHS:
        page.goto(path.format(**full))
        for width in (320, 360, 768, 1280):
            page.set_viewport_size({"width": width, "height": 740})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (
                path,
                width,
            )
            cut = page.evaluate(
                "[...document.querySelectorAll('main .wrap, main .figures, main .card')]"
                ".filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.className)"
            )
            assert cut == [], (path, width)


def test_targets_of_a_thumb_are_big_enough(
    open_page: Callable[..., Any], full: dict[str, str]
) -> None:
    page = open_page("ama", width=360)
    for path in ("/orders", "/orders/{pending}", "/prices"):
        page.goto(path.format(**full))
        small = page.evaluate(
            """[...document.querySelectorAll('main button, main .btn, main .pick, main .tick, main .tabs a, main input.amount')]
            .filter(e => e.checkVisibility()).map(e => [e.textContent.trim(), e.getBoundingClientRect()])
            .filter(([, r]) => r.height < 43.5 || r.width < 40).map(([t, r]) => `${t} ${r.width}x${r.height}`)"""
        )
        assert small == [], path


def test_pages_raise_no_error_and_break_no_policy(
    open_page: Callable[..., Any], full: dict[str, str]
) -> None:
    page, heard = open_page("ama"), []
    page.on(
        "console",
        lambda message: (
            heard.append(message.text) if message.type in ("error", "warning") else None
        ),
    )
    page.on("pageerror", lambda error: heard.append(str(error)))
    for path in PATHS:
        page.goto(path.format(**full))
    assert heard == []


class TestSelection:
    def test_the_sum_follows_the_ticks(
        self,
        open_page: Callable[..., Any],
        full: dict[str, str],
        line_of: Any,
        in_store: Any,
    ) -> None:
        cost = line_of("mtn", 5).agent_price_pesewas
        there = in_store("ama", ledger.wallet).available_pesewas
        page = open_page("ama")
        page.goto("/orders")
        bar = page.locator("[data-selection]")
        expect(bar).to_be_hidden()
        page.check(f"input[value='{full['pending']}']")
        assert (
            bar.inner_text().split("\n")[0]
            == f"1 selected · costs GH₵ {money.format_ghs(cost)} of {money.format_ghs(there)}"
        )
        page.check("[data-select-page]")
        assert "3 selected" in bar.inner_text()
        page.uncheck(f"input[value='{full['pending']}']")
        assert page.evaluate(
            "document.querySelector('[data-select-page]').indeterminate"
        )
        page.check(f"input[value='{full['pending']}']")
        page.click("[data-selection] button")
        assert page.locator("h1").inner_text() == "3 sent"

    def test_more_than_the_wallet_holds_is_said(
        self, open_page: Callable[..., Any], place: Any, line_of: Any
    ) -> None:
        for index in range(50_000 // line_of("mtn", 10).agent_price_pesewas + 1):
            place(gb=10, number=f"05400000{index:02}")
        page = open_page("ama")
        page.goto("/orders")
        page.check("[data-select-page]")
        assert "wallet has 500.00" in page.inner_text("[data-selection]")


class TestWithoutNavigation:
    def test_a_press_in_the_queue_changes_its_row_alone(
        self, open_page: Callable[..., Any], full: dict[str, str], order_of: Any
    ) -> None:
        page = open_page("ama", width=1280)
        page.goto("/orders")
        page.evaluate("window.stayed = true")
        code, before = full["pending"], page.inner_text("#wallet-now")
        page.click(f"#o-{code} button")
        page.wait_for_selector(f"#o-{code} >> text=In line")
        assert (
            page.evaluate("window.stayed") and page.inner_text("#wallet-now") != before
        )
        assert order_of(code).state == "queued"
        expect(page.locator("tbody tr")).to_have_count(3)
        assert "New 2" in page.inner_text("#tabs").replace("\n", " ")

    def test_a_refusal_is_said_in_the_row(
        self, open_page: Callable[..., Any], place: Any, line_of: Any
    ) -> None:
        dear = line_of("mtn", 10).agent_price_pesewas
        for index in range(50_000 // dear):
            place(gb=10, number=f"05400000{index:02}", state="queued")
        code = place(gb=10)
        page = open_page("ama")
        page.goto("/orders")
        page.click(f"#o-{code} button")
        page.wait_for_selector(f"#o-{code} [role=alert]")
        assert "in your wallet. Fund it, or process fewer." in page.inner_text(
            f"#o-{code}"
        )
        assert page.locator(f"#o-{code} button").is_enabled()

    def test_a_stale_page_says_so_and_keeps_the_row(
        self, open_page: Callable[..., Any], full: dict[str, str], order_of: Any
    ) -> None:
        page = open_page("ama")
        page.goto("/orders")
        page.evaluate(
            """document.querySelectorAll('[name=csrf_token]').forEach(e => e.value = 'stale');
                         document.body.dataset.hxHeadersInherited = '{"X-CSRFToken": "stale"}'"""
        )
        page.click(f"#o-{full['pending']} button")
        page.wait_for_selector("#status .note")
        expect(page.locator(f"#o-{full['pending']}")).to_have_count(1)
        assert order_of(full["pending"]).state == "pending"

    def test_new_orders_show_as_a_bar_and_move_no_row(
        self, open_page: Callable[..., Any], full: dict[str, str], place: Any
    ) -> None:
        page = open_page("ama")
        page.goto("/orders")
        rows, first = (
            page.locator("tbody tr").count(),
            page.locator("tbody tr >> nth=0"),
        )
        top = first.bounding_box()["y"]
        place(number="0247777777")
        page.evaluate("htmx.trigger(document.querySelector('#news'), 'every')")
        page.wait_for_selector("#news .news")
        expect(page.locator("tbody tr")).to_have_count(rows)
        assert first.bounding_box()["y"] == top
        page.click("#news .news")
        page.wait_for_function(
            f"document.querySelectorAll('tbody tr').length === {rows + 1}"
        )

    def test_an_open_order_page_turns_delivered_by_itself(
        self, open_page: Callable[..., Any], full: dict[str, str], in_store: Any
    ) -> None:
        code = full["processing"]
        page = open_page("ama")
        page.goto(f"/orders/{code}")
        page.evaluate("window.stayed = true")
        in_store(
            "ama",
            lambda: orders.advance(
                orders.by_code(code).id, "completed", text="Delivered."
            ),
        )
        page.wait_for_selector(".state-label >> text=Delivered", timeout=10_000)
        assert page.evaluate("window.stayed")
        expect(page.locator("#live[data-hx-trigger]")).to_have_count(0)
        assert "Delivered." in page.evaluate(
            "document.querySelector('#said').textContent"
        )


class TestKeys:
    def test_the_whole_job_without_a_mouse(
        self, open_page: Callable[..., Any], full: dict[str, str], order_of: Any
    ) -> None:
        page = open_page("ama", width=1280)
        page.goto("/orders")
        page.keyboard.press("j")
        page.keyboard.press("j")
        page.keyboard.press("j")
        assert page.evaluate("document.activeElement.id") == f"o-{full['pending']}"
        page.keyboard.press("k")
        page.keyboard.press("j")
        page.keyboard.press("x")
        assert page.is_checked(f"input[value='{full['pending']}']")
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/orders/{full['pending']}")
        page.locator("text=Process · ").focus()
        page.keyboard.press("Enter")
        page.wait_for_selector("text=is set aside in your wallet")
        assert order_of(full["pending"]).state == "queued"

    def test_slash_searches_and_keys_are_plain_letters_there(
        self, open_page: Callable[..., Any], full: dict[str, str]
    ) -> None:
        page = open_page("ama", width=1280)
        page.goto("/orders")
        page.keyboard.press("/")
        page.keyboard.type("jkx/efua")
        assert page.input_value("#q") == "jkx/efua"

    def test_they_can_be_turned_off_for_good(
        self, open_page: Callable[..., Any], full: dict[str, str]
    ) -> None:
        page = open_page("ama", width=1280)
        page.goto("/orders")
        page.click("[data-keys]")
        page.reload()
        assert page.inner_text("[data-keys]") == "Keys are off"
        page.locator("main").focus()
        page.keyboard.press("j")
        assert page.evaluate("document.activeElement.tagName") != "TR"

    def test_p_goes_from_a_ticked_row_to_process_selected_and_presses_nothing(
        self, open_page: Callable[..., Any], full: dict[str, str], order_of: Any
    ) -> None:
        page = open_page("ama", width=1280)
        page.goto("/orders")
        focused = "document.activeElement.matches('[data-process]')"
        page.locator("main").focus()
        page.keyboard.press("p")
        assert not page.evaluate(focused), "nothing is ticked yet"
        for key in "jxp":
            page.keyboard.press(key)
        assert page.evaluate(focused) and order_of(full["pending"]).state == "pending"
        page.keyboard.press("Enter")
        page.wait_for_selector("h1:has-text('1 sent')")

    def test_enter_on_a_tick_never_processes_a_single_row(
        self, open_page: Callable[..., Any], full: dict[str, str], order_of: Any
    ) -> None:
        page = open_page("ama", width=1280)
        page.goto("/orders")
        page.locator("input[name=order] >> nth=0").focus()
        page.keyboard.press("Enter")
        assert page.url.endswith("/orders")
        # answered after whatever Enter might have sent
        page.goto("/orders?tab=processing")
        expect(page.locator("tbody tr")).to_have_count(2)


def test_profit_follows_the_typed_price(
    open_page: Callable[..., Any], line_of: Any
) -> None:
    line = line_of("mtn", 5)
    page = open_page("ama")
    page.goto("/prices")
    field, profit = f"#price-{line.bundle_id}", f"#profit-{line.bundle_id}"
    for typed, left in (
        ("100", 10_000 - line.agent_price_pesewas),
        ("GHS 1,100.50", 110_050 - line.agent_price_pesewas),
    ):
        page.fill(field, typed)
        assert page.inner_text(profit) == money.format_ghs(left)
    page.fill(field, "1")
    assert page.inner_text(profit).startswith("−") and "is-below" in page.get_attribute(
        profit, "class"
    )
    page.fill(field, "abc")
    assert page.inner_text(profit) == "–"


class TestCancelling:
    def test_it_asks_by_keyboard_and_axe_finds_nothing(
        self, open_page: Callable[..., Any], full: dict[str, str], order_of: Any
    ) -> None:
        for width, dark in ((360, False), (1280, True)):
            page = open_page("ama", width=width, dark=dark)
            page.goto("/orders")
            page.check(f"input[value='{full['pending']}']")
            button = page.locator("[data-selection] [data-cancel]")
            assert button.inner_text() == "Cancel 1 …"
            button.focus()
            page.keyboard.press("Enter")
            page.wait_for_selector("h1:has-text('Cancel 1 order')")
            assert page.locator("h1").inner_text().startswith("Cancel 1 order, GH₵")
            assert axe.faults(page) == []
            for narrow in (320, width):
                page.set_viewport_size({"width": narrow, "height": 740})
                assert page.evaluate("document.documentElement.scrollWidth") <= narrow
        assert order_of(full["pending"]).state == "pending"
        page.locator("text=Yes, cancel 1 order").focus()
        page.keyboard.press("Enter")
        page.wait_for_selector("text=1 cancelled")
        assert order_of(full["pending"]).state == "cancelled"

    def test_with_a_note_on_top_the_tabs_are_all_there(
        self, open_page: Callable[..., Any], app: Any, place: Any
    ) -> None:
        with app.app_context(), tenancy.across_stores():
            catalog.pause_network("telecel", "maintenance", SYSTEM)
        place()
        page = open_page("ama", width=1280, height=800)
        page.goto("/orders")
        last = page.locator("#tabs a").last.bounding_box()
        assert (
            page.evaluate(
                "(e => e.scrollWidth - e.clientWidth)(document.querySelector('#tabs .tabs'))"
            )
            <= 1
        )
        assert (
            last["x"] + last["width"] < 1280
            and last["y"] < page.locator(".queue-top .note").bounding_box()["y"]
        )

    def test_with_two_ticked_its_bar_is_two_lines(
        self, open_page: Callable[..., Any], place: Any
    ) -> None:
        for at in range(12):
            place(number=f"02400000{at:02}", gb=5)
        page = open_page("ama")
        page.goto("/orders")
        page.check("[name=order] >> nth=0")
        page.check("[name=order] >> nth=1")
        assert page.locator("#selection").bounding_box()["height"] <= 740 / 6

    def test_without_javascript_the_bar_of_the_selection_is_one_line(
        self, open_page: Callable[..., Any], place: Any
    ) -> None:
        for at in range(12):
            place(number=f"02400000{at:02}", gb=1)
        page = open_page("ama", js=False)
        page.goto("/orders")
        bar, process, cancel = (
            page.locator(what).bounding_box()
            for what in ("#selection", "[data-process]", "[data-cancel]")
        )
        assert bar["height"] <= 740 / 8 and bar["y"] + bar["height"] == 740
        assert (
            process["height"] >= 44
            and cancel["height"] >= 44
            and abs(process["y"] - cancel["y"]) < 4
        )
        assert page.locator(".choose noscript").bounding_box()["height"] > 0
        assert "Tick orders whose payment has reached you." in page.content()

    def test_without_javascript(
        self, open_page: Callable[..., Any], full: dict[str, str], order_of: Any
    ) -> None:
        page = open_page("ama", js=False)
        page.goto("/orders")
        page.check(f"input[value='{full['pending']}']")
        page.click("#selection >> text=Cancel …")
        page.click("text=No, go back")
        assert page.url.endswith("/orders")
        page.check(f"input[value='{full['pending']}']")
        page.click("#selection >> text=Cancel …")
        page.click("text=Yes, cancel 1 order")
        assert page.locator("h1").inner_text() == "1 cancelled"
        assert order_of(full["pending"]).state == "cancelled"


def test_the_whole_job_with_javascript_off(
    open_page: Callable[..., Any], full: dict[str, str], order_of: Any, line_of: Any
) -> None:
    page = open_page("ama", js=False)
    page.goto("/orders")
    page.check(f"input[value='{full['pending']}']")
    page.click("[data-selection] button")
    assert (
        page.locator("h1").inner_text() == "1 sent"
        and order_of(full["pending"]).state == "queued"
    )
    page.click("text=Back to the queue")
    page.click("tbody tr >> nth=0 >> button")
    assert "is in line" in page.inner_text("#status") and page.url.endswith("/orders")
    page.goto(f"/orders/{full['pending']}")
    page.click("text=Cancel order")
    assert page.locator("h1").inner_text().startswith("Cancel MTN ")
    assert "comes back to your wallet" in page.inner_text("main")
    assert order_of(full["pending"]).state == "queued"
    page.click("text=No, go back")
    assert page.url.endswith(f"/orders/{full['pending']}")
    assert order_of(full["pending"]).state == "queued"
    page.click("text=Cancel order")
    page.click("text=Yes, cancel this order")
    assert page.url.endswith(f"/orders/{full['pending']}")
    assert "is cancelled. Nothing was sent." in page.inner_text("#status")
    assert order_of(full["pending"]).state == "cancelled"
    page.goto("/prices")
    page.fill(f"#price-{line_of('mtn', 5).bundle_id}", "88")
    page.click("text=Save prices")
    assert (
        "Saved 1 price." in page.inner_text("#status")
        and line_of("mtn", 5).price_pesewas == 8_800
    )
    page.click("summary >> text=Account")
    page.click("text=Log out")
    assert re.search(r"/login$", page.url)


@pytest.mark.browser
@pytest.mark.parametrize(("width", "height", "rows"), [(1280, 800, 14), (360, 740, 6)])
def test_the_queue_shows_work_and_not_air(
    open_page: Any, place: Any, width: int, height: int, rows: int
) -> None:
    for index in range(16):
        place(number=f"02411100{index:02}", gb=(1, 2, 5)[index % 3])
    page = open_page("ama", width=width, height=height)
    page.goto("/orders")
    seen = (
        "[...document.querySelectorAll('tr[data-row]')].filter(r =>"
        " r.getBoundingClientRect().bottom <= innerHeight)"
    )
    assert page.evaluate(f"{seen}.length") >= rows
    overlaps = """[...document.querySelectorAll('tr[data-row]')].some(row => {
        const boxes = [...row.querySelectorAll('a, button, .chip, .c-price, .c-profit, .c-age')]
            .map(each => each.getBoundingClientRect());
        return boxes.some((a, i) => boxes.slice(i + 1).some(b => a.right > b.left + 1 && b.right > a.left + 1
            && a.bottom > b.top + 6 && b.bottom > a.top + 6)); })"""
    assert not page.evaluate(overlaps)


HEIGHTS = """[...document.querySelectorAll('tr[data-row]')].map((row, index) =>
    [row.offsetHeight, index == 1 ? 0 : row.querySelector('.c-bundle').getBoundingClientRect().left])"""
SPILLED = """[...document.querySelectorAll('td > .badge, .figures b')].filter(each => {
    const text = document.createRange(); text.selectNodeContents(each);
    return text.getBoundingClientRect().right > each.getBoundingClientRect().right - 1; }).map(each => each.textContent)"""


@pytest.mark.browser
@pytest.mark.parametrize(("width", "height"), [(360, 740), (1280, 800)])
def test_no_row_moves_when_one_above_it_is_pressed_and_goes(
    open_page: Any,
    place: Any,
    in_store: Any,
    order_of: Any,
    using: Using,
    width: int,
    height: int,
) -> None:
    using(undo_s=1)
    codes = [
        place(number=f"02411100{index:02}", gb=(1, 2, 5)[index % 3])
        for index in range(4)
    ]
    page = open_page("ama", width=width, height=height)
    page.goto("/orders")
    before = page.evaluate(HEIGHTS)
    page.click("tr[data-row]:nth-child(2) >> text=Process")
    page.wait_for_selector("text=Undo")
    assert page.evaluate(HEIGHTS) == before
    page.wait_for_timeout(1_100)
    order_id = order_of(codes[1]).id
    in_store("ama", lambda: orders.let_go(order_id))
    page.wait_for_selector("tr[data-row]:nth-child(2) .badge")
    assert page.evaluate(HEIGHTS) == before and page.evaluate(SPILLED) == []


@pytest.mark.browser
@pytest.mark.parametrize("tab", ["processing", "back", "done"])
def test_rows_that_only_say_their_state_are_as_low(
    open_page: Any, place: Any, tab: str
) -> None:
    state = {"processing": "processing", "back": "refunded", "done": "completed"}[tab]
    for index in range(7):
        network, gb = (("mtn", 1), ("telecel", 5))[index % 2]
        place(number=f"02411100{index:02}", network=network, gb=gb, state=state)
    page = open_page("ama", width=360, height=740)
    page.goto(f"/orders?tab={tab}")
    assert page.evaluate(
        "document.querySelectorAll('tr[data-row]')[4].getBoundingClientRect().bottom <= innerHeight"
    )
    assert page.evaluate(SPILLED) == []


@pytest.mark.browser
@pytest.mark.parametrize("pesewas", [50_000, 1_234_567])
def test_a_sum_on_the_front_page_stays_in_one_line(
    open_page: Any, in_store: Any, app: Any, pesewas: int
) -> None:
    with app.app_context(), tenancy.across_stores():
        ledger.fund_wallet(1, pesewas, "by MoMo", AMA)
    page = open_page("ama", width=360, height=740)
    page.goto("/")
    assert page.evaluate(
        "[...document.querySelectorAll('.figures b')].every(each => each.offsetHeight < 40)"
    )
    assert page.evaluate(SPILLED) == []


@pytest.mark.parametrize(
    "broken", ["let x = = 1;", "window.htmx = {}; throw new Error('too old');"]
)
def test_without_htmx_the_queue_is_loaded_again_while_somebody_looks(
    open_page: Callable[..., Any], place: Any, broken: str
) -> None:
    place(number="0240000001")
    page = open_page("ama", width=360, height=740)
    page.context.route(
        "**/htmx-*.js",
        lambda route: route.fulfill(body=broken, content_type="text/javascript"),
    )
    page.clock.install()
    page.goto("/orders")
    page.evaluate("window.stays = true")
    hide(page, True)
    page.clock.run_for(120_000)
    hide(page, False)
    page.locator("input[type=search]").focus()
    page.clock.run_for(60_000)
    page.wait_for_timeout(200)
    assert page.evaluate("window.stays"), "nobody looks, or somebody is typing"
    page.locator("input[type=search]").blur()
    place(number="0240000002")
    page.clock.run_for(31_000)
    page.locator("a.phone", has_text="0002").wait_for()
    assert page.evaluate("window.stays") is None


def test_an_htmx_that_asks_is_not_helped(
    open_page: Callable[..., Any], place: Any
) -> None:
    place(number="0240000001")
    page = open_page("ama", width=360, height=740)
    page.clock.install()
    page.goto("/orders")
    page.evaluate("window.stays = true")
    for _ in range(70):
        page.clock.run_for(1_000)
        page.wait_for_timeout(20)
    assert page.evaluate("window.stays")


def hide(page: Any, hidden: bool) -> None:
    page.evaluate(
        "(is) => { Object.defineProperty(document, 'hidden', {get: () => is, configurable: true});"
        "document.dispatchEvent(new Event('visibilitychange')); }",
        hidden,
    )


def test_loading_the_results_of_a_selection_again_sends_nothing_again(
    open_page: Callable[..., Any], place: Any
) -> None:
    """Reload and Back ask to send a form again where a press itself was answered with a page."""
    place()
    page = open_page("ama", width=1280)
    page.goto("/orders?tab=new")
    page.locator("input[name=order]").first.check()
    page.click("[data-process]")
    page.wait_for_selector("h1:has-text('1 sent')")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.method))
    page.reload()
    assert "POST" not in asked and page.url.endswith("/orders?tab=new")
    page.goto("/wallet")
    page.go_back()
    assert "POST" not in asked
    expect(page.locator("h1")).to_have_count(1)


def test_without_htmx_the_results_of_a_selection_are_not_sent_again(
    open_page: Callable[..., Any], place: Any, using: Using
) -> None:
    """Such a page is loaded again by itself: that must ask for the queue, not press once more."""
    using(undo_s=5)
    place()
    page = open_page("ama", width=360, height=740)
    page.context.route(
        "**/htmx-*.js",
        lambda route: route.fulfill(body="(", content_type="text/javascript"),
    )
    page.clock.install()
    page.goto("/orders?tab=new")
    page.locator("input[name=order]").first.check()
    page.click("[data-process]")
    page.locator("#rows-live").wait_for(state="attached")
    page.wait_for_load_state()  # its script has set its clock
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.method))
    page.clock.run_for(61_000)
    page.locator("h1", has_text="Orders").wait_for(timeout=8_000)
    assert "GET" in asked and "POST" not in asked
