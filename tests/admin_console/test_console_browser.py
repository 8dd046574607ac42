"""The owner's side in a real Chromium: accessibility, width, the request that answers by itself,
scripts off."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator

import pytest
from console_scenes import Scene
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Page, expect
from seed import PASSWORD
from werkzeug.serving import make_server

from core import leases, ledger, outbox, proof
from core.supplier import records
from fulfilment import jobs
from tests.support import axe, chromium

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow(seconds=8),
    chromium.NEEDED,
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium.launched() as browser:
        yield browser


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    """The application on a port of its own; the address of the console there."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.05}
    )
    thread.start()
    yield f"http://admin.localhost:{server.server_port}"
    server.shutdown()
    thread.join(timeout=5)
    server.server_close()


@pytest.fixture
def console(browser: Browser, address: str) -> Iterator[Callable[..., Page]]:
    """A page of the owner, logged in through the form. What the browser complains about fails the
    test."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_page(width: int = 1280, **options: object) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 800}, base_url=address, **options
        )  # type: ignore[arg-type]
        context.set_default_timeout(10_000)
        context.on(
            "console",
            lambda m: (
                complaints.append(m.text) if m.type in ("error", "warning") else None
            ),
        )
        context.on("weberror", lambda error: complaints.append(str(error.error)))
        contexts.append(context)
        page = context.new_page()
        page.goto("/login")
        page.get_by_label("E-mail").fill("owner@example.test")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url(f"{address}/")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [
        text for text in complaints if "Failed to load resource" not in text
    ] == []  # pages of 4xx say this


def judged(page: Page) -> list[str]:
    """What axe finds wrong, by rule and place; in dark colours only what hangs on colours."""
    page.emulate_media(
        color_scheme="light", reduced_motion="reduce"
    )  # no colour on its way to another
    light = axe.faults(page)
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    return light + axe.faults(page, axe.COLOURS)


@pytest.fixture
def busy(scene: Scene) -> list[str]:
    """A platform with something on every page; the addresses of its pages."""
    codes = [scene.order(state, number=f"+23324000{n:04}") for n, state in enumerate(
        ("pending", "queued", "unknown", "processing", "completed", "failed", "refunded",
        "cancelled"))]  # fmt: skip
    scene.balance(200_000)
    scene.balance(150_000)
    scene.call(codes[4], "purchase", request_body='{"a":1}', response_body="<html>")
    scene.webhook(codes[4], verified_by="platform_data_secret")
    scene.case_of(codes[4])
    scene.case_of(codes[5], "unknown_too_long")
    scene.case_of(codes[6], "late_success")
    scene.case("float_funded", "float", evidence={"difference_pesewas": 50_000})
    scene.case(
        "unexpected_charge",
        "float",
        evidence={"difference_pesewas": -50_000, "could_be": "K7QM-2XR9-4T"},
    )
    scene.change_order(codes[1], wait_reason="float")
    scene.ask(proof.prove)
    scene.sql(
        "UPDATE accounts SET balance_pesewas = balance_pesewas - 5 WHERE name = 'bank'"
    )
    scene.ask(proof.prove)
    scene.sql(
        "UPDATE accounts SET balance_pesewas = balance_pesewas + 5 WHERE name = 'bank'"
    )
    scene.settle(scene.case(), "close", "it means pending")
    call_id = scene.ask(lambda: records.calls(limit=1)[0].id)
    return [
        "/",
        "/supplier",
        "/catalogue",
        "/orders",
        "/orders?q=zzz",
        "/orders?store=zzz",
        f"/orders/{codes[4]}",
        f"/orders/{codes[2]}",
        "/calls",
        f"/calls/{call_id}",
        "/webhooks",
        "/stores",
        "/stores?q=zzz",
        "/stores/ama",
        "/stores/ama/take-back",
        "/cases",
        "/books",
        "/payments/days",
        scene.days(),
        "/payments/export",
        "/audit",
        "/people",
        "/account/password",
        "/account/sessions",
    ]


WIDTHS = (320, 1280)


@pytest.mark.slow(seconds=40)
def test_every_page_is_accessible_in_light_and_dark_and_fits(
    console: Callable[..., Page], busy: list[str]
) -> None:
    """One load of a page is judged at each width: to come there costs more than to judge it."""
    page = console(WIDTHS[-1])
    found: dict[str, list[str]] = {}

    def judge(name: str) -> None:
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            wide = page.evaluate("document.documentElement.scrollWidth")
            found[f"{name} at {width} px"] = judged(page) + (
                [f"{wide} px wide"] if wide > width else []
            )

    for path in busy:
        page.goto(path)
        page.evaluate(
            "document.querySelectorAll('main details').forEach(fold => { fold.open = true })"
        )
        judge(path)
    page.goto("/supplier")
    with page.expect_navigation():
        page.get_by_role("button", name="Refresh balance").click()
    judge("supplier, asked")
    page.goto("/stores/ama")
    page.get_by_label("Amount in cedis").fill("12.345")
    page.get_by_label("Reason").fill("x")
    with page.expect_navigation():
        page.get_by_role("button", name="Fund", exact=True).click()
    judge("store, with errors")
    page.get_by_label("Amount in cedis").fill("2500")
    page.get_by_label("Reason").fill("bank transfer")
    page.get_by_role("button", name="Fund", exact=True).click()
    expect(page.get_by_role("heading", name="Check before you fund")).to_be_visible()
    judge("fund, asked again")
    page.goto("/cases?kind=late_success")
    page.get_by_label("What was done, and why").fill("ours")
    page.get_by_role("button", name="Accept the loss").click()
    expect(page.get_by_role("heading", name="Check before you press")).to_be_visible()
    judge("case, asked twice")
    page.context.clear_cookies()
    page.goto("/login")
    page.get_by_label("E-mail").fill("who@example.test")
    page.get_by_label("Password").fill("wrong password")
    with page.expect_navigation():
        page.get_by_role("button", name="Log in").click()
    judge("log in, refused")
    assert {name: problems for name, problems in found.items() if problems} == {}


def test_the_answer_of_a_refresh_shows_without_navigation(
    console: Callable[..., Page], scene: Scene, owner_row: Callable[[], int]
) -> None:
    page = console()
    page.goto("/supplier")
    page.get_by_role("button", name="Refresh balance").click()
    expect(page.get_by_text("Asking the supplier.")).to_be_visible()
    page.evaluate("window.here = 'not navigated'")
    scene.balance(123_456)
    scene.finish(owner_row(), True, "Balance read: less than expected.")
    expect(page.get_by_text("Refresh balance: done")).to_be_visible()
    expect(page.get_by_text("1,234.56").first).to_be_visible()
    assert page.evaluate("window.here") == "not navigated"
    expect(page.locator("[data-hx-trigger]")).to_have_count(0)  # and it stops asking


def test_a_proof_asked_for_shows_without_navigation(
    console: Callable[..., Page], busy: list[str], scene: Scene
) -> None:
    page = console(360)
    page.goto("/books")
    expect(page.get_by_role("alert")).to_contain_text("The books do not hold")
    page.get_by_role("button", name="Prove now").click()
    expect(page.get_by_text("Proving the books.")).to_be_visible()
    assert judged(page) == []
    page.evaluate("window.here = 'not navigated'")
    for row_id, lease_no in scene.ask(lambda: leases.lease_due(50)):
        if scene.ask(lambda row_id=row_id: outbox.requested(row_id)):  # type: ignore[misc]
            with scene.app.app_context():
                jobs.run(row_id, lease_no)
    expect(page.get_by_text("Proof of the books: done")).to_be_visible()
    expect(page.get_by_text("The books hold", exact=True)).to_be_visible()
    expect(
        page.get_by_role(
            "img",
            name=re.compile("The proofs of the last 48 hours as bars: 1 of the 3"),
        )
    ).to_be_visible()
    assert judged(page) == []
    assert page.evaluate("window.here") == "not navigated"
    expect(page.locator("[data-hx-trigger]")).to_have_count(0)  # and it stops asking


def test_the_same_without_scripts(
    console: Callable[..., Page], scene: Scene, owner_row: Callable[[], int]
) -> None:
    page = console(360, java_script_enabled=False)
    page.goto("/catalogue")
    page.get_by_role("button", name="Sync catalogue now").click()
    expect(page.get_by_text("Asking the supplier.")).to_be_visible()
    scene.finish(owner_row(), True, "9 products read: nothing changed.")
    # reloaded by itself
    expect(page.get_by_text("Sync catalogue: done")).to_be_visible()


@pytest.fixture
def owner_row(scene: Scene) -> Callable[[], int]:
    """The id of the request the owner's button left."""

    def find() -> int:
        from sqlalchemy import text

        from core.base.db import db

        return int(
            scene.ask(
                lambda: db.session.scalar(
                    text("SELECT max(id) FROM outbox WHERE order_id IS NULL")
                )
            )
        )

    return find


def test_a_wallet_is_funded_with_the_keyboard_alone(
    console: Callable[..., Page], scene: Scene
) -> None:
    page = console()
    page.goto("/stores/kofi")
    page.get_by_label("Amount in cedis").focus()
    page.keyboard.type("1500")
    page.keyboard.press("Tab")
    page.keyboard.type("bank transfer 77")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Check before you fund")).to_be_visible()
    page.get_by_role("button", name=re.compile("^Yes, fund")).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("is in the wallet of Kofi's Data")).to_be_visible()
    assert scene.ask(lambda: ledger.held_total()) == 0
    expect(page.get_by_text("2,000.00").first).to_be_visible()


def test_a_pause_is_folded_until_it_is_wanted(console: Callable[..., Page]) -> None:
    page = console(360)
    page.goto("/catalogue")
    button = page.get_by_role("button", name="Pause MTN in every store")
    expect(button).to_be_hidden()
    page.get_by_text("Pause MTN").first.click()
    page.get_by_label("Why MTN is paused").fill("their switch is down")
    button.click()
    expect(page.get_by_role("button", name="Resume MTN")).to_be_visible()


def test_the_plot_draws_both_lines(
    console: Callable[..., Page], busy: list[str]
) -> None:
    page = console()
    plot = page.get_by_role("img", name=re.compile("The float over the last 24 hours"))
    expect(plot).to_be_visible()
    for line in ("chart-ours", "chart-theirs", "chart-area"):
        assert (
            plot.locator(f".{line}").evaluate("e => e.getBoundingClientRect().width")
            >= 0
        )
        expect(plot.locator(f".{line}")).to_have_count(1)
    stroke = plot.locator(".chart-ours").evaluate("e => getComputedStyle(e).stroke")
    assert stroke not in (
        "none",
        "rgb(0, 0, 0)",
    ), "the style sheet of the page is allowed by its policy"


def test_a_case_is_settled_with_the_keyboard_alone_and_without_scripts(
    console: Callable[..., Page], scene: Scene
) -> None:
    code = scene.order("failed")
    scene.case_of(code, "unknown_too_long")
    page = console(360, java_script_enabled=False)
    page.goto("/cases")
    page.get_by_label("What was done, and why").focus()
    page.keyboard.type("Kwame: it will not come")
    for _ in range(2):  # past "Close with words"
        page.keyboard.press("Tab")
    expect(page.get_by_role("button", name=re.compile("^Give GH₵"))).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Check before you press")).to_be_visible()
    page.get_by_role("button", name=re.compile("^Yes, give")).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("given back to the agent").first).to_be_visible()
    assert scene.find(code).state == "refunded"


@pytest.mark.parametrize("width", [360, 1280])
def test_a_reset_link_is_shown_once_and_is_clean(
    console: Callable[..., Page], width: int
) -> None:
    page = console(width)
    page.goto("/people")
    page.get_by_role("button", name="Make a reset link for ama@example.test").click()
    expect(page.get_by_label("The link")).to_have_value(
        re.compile(r"^http://portal\.localhost/reset/[\w-]{43}$")
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert judged(page) == []
