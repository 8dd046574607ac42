"""Disputes in a real Chromium: what waits and one of them, accessible in light and dark, on the
narrowest phone, and answered with the keyboard alone."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import tables_owner
from console_scenes import Scene
from flask import Flask
from playwright.sync_api import Browser, Page, expect
from seed import PASSWORD
from werkzeug.serving import make_server

from tests.support import axe, chromium, looks

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow(seconds=8),
    chromium.NEEDED,
]
SHOTS = os.environ.get("MAKOLA_SHOTS", "")


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
def page(browser: Browser, address: str) -> Iterator[Page]:
    """A page of the owner, logged in."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 800}, base_url=address
    )
    context.set_default_timeout(10_000)
    page = context.new_page()
    page.goto("/login")
    page.get_by_label("E-mail").fill("owner@example.test")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{address}/")
    yield page
    context.close()


@pytest.fixture
def disputed(scene: Scene) -> int:
    """Some disputes; the number of one that waits."""
    codes = [
        scene.order("completed", number=f"+23324000{n:04}", slug=slug)
        for n, slug in enumerate(("ama", "ama", "kofi", "ama", "ama"))
    ]
    number = scene.dispute(codes[0], left_h=40)
    scene.dispute(codes[1], left_h=4)
    for code, state in zip(codes[2:], ("sent", "won", "auto_accepted"), strict=True):
        scene.dispute(code, state)
    return number


def shoot(page: Page, name: str) -> None:
    if not SHOTS:
        return
    for width, height in ((360, 740), (1280, 800)):
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            page.set_viewport_size({"width": width, "height": height})
            path = Path(SHOTS) / f"{name}-{width}-{scheme}.png"
            page.screenshot(path=path, full_page=True)


def test_the_pages_of_disputes_are_accessible_and_fit(
    page: Page, disputed: int
) -> None:
    for path in ("/disputes", f"/disputes/{disputed}", "/disputes?show=won"):
        page.goto(path)
        page.emulate_media(color_scheme="light", reduced_motion="reduce")
        looks.fits(page)
        page.emulate_media(color_scheme="dark", reduced_motion="reduce")
        assert axe.faults(page, axe.COLOURS) == []
        shoot(page, path.strip("/").replace("/", "-").replace("?", "-"))


def test_a_dispute_is_contested_with_the_keyboard_alone(
    page: Page, disputed: int
) -> None:
    page.goto(f"/disputes/{disputed}")
    field = page.locator("#words-contest")
    field.focus()
    page.keyboard.type("Delivered, see the evidence.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text("It is sent in a moment")).to_be_visible()
    expect(page.get_by_role("button", name="Accept")).to_have_count(0)
    shoot(page, "answered")


def test_cases_of_odd_disputes_and_settlements_are_accessible_and_fit(
    scene: Scene, page: Page, disputed: int
) -> None:
    odd = scene.case(
        "dispute_odd",
        f"dispute:{disputed}",
        evidence={
            "what": "It is in NGN, not in GHS.",
            "gateway_says": "awaiting-merchant-feedback",
            "resolution": "",
            "its_amount_pesewas": 1_000_000,
            "currency": "NGN",
            "its_payment": "mk-p-0000000000000001",
        },
    )
    tables_owner.execute(
        "INSERT INTO gateway_settlements (gateway_id, raw_word, currency, total_pesewas, effective_pesewas, settled_at,"
        " read_at, went, ours_pesewas, closed_at) VALUES ('4711', 'success', 'GHS', 9000, -5, now(), now(), 'nowhere',"
        " 8825, now())"
    )
    differs = scene.case(
        "settlement_differs",
        "settlement:4711",
        evidence={
            "settlement": "4711",
            "settled_pesewas": -5,
            "ours_pesewas": 8_825,
            "explained_pesewas": 0,
            "booked_pesewas": 0,
            "differs_pesewas": 8_825,
        },
    )
    for name, case_id, button in (
        ("odd-dispute", odd, "It is nothing of ours: let it go"),
        ("settlement", differs, "Accept GH₵ 88.25 less from the gateway"),
    ):
        page.goto(f"/cases/{case_id}")
        looks.fits(page)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            assert axe.faults(page) == []
        shoot(page, name)
        page.get_by_label("What was done, and why").fill("Asked Paystack.")
        page.get_by_role("button", name=button).click()
        looks.whole(page)
        looks.fits(page)
        shoot(page, f"{name}-confirm")
        page.get_by_role("button", name="Yes,").click()
        looks.whole(page)
        page.goto(f"/cases/{case_id}")
        looks.fits(page)
        shoot(page, f"{name}-closed")
        expect(page.locator("main")).to_contain_text("Asked Paystack.")
