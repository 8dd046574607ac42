"""The shared layout in a real Chromium: nothing refused by the policy, readable parts, polls that
rest and end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import jinja2
import pytest
from flask import Flask, Response, render_template
from playwright.sync_api import Browser, Page, expect
from werkzeug.serving import make_server

from core.base import clock
from edge import hosts
from tests.support import axe, chromium

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    chromium.NEEDED,
]
HERE = Path(__file__).resolve().parent
ICON_WIDTH = "document.querySelector('main svg.icon use').getBBox().width"


class Gallery:
    """A running application with the gallery on its bare host, and what its poll answers."""

    def __init__(self, app: Flask) -> None:
        self.polls = 0
        self.poll_status = 200
        app.jinja_loader = jinja2.ChoiceLoader(
            [jinja2.FileSystemLoader(HERE / "gallery"), app.jinja_loader]
        )
        app.add_url_rule("/g", "gallery", self.page, subdomain=hosts.BARE)
        app.add_url_rule("/tick", "tick", self.tick, subdomain=hosts.BARE)
        self.server = make_server("127.0.0.1", 0, app, threaded=True)
        self.address = f"http://localhost:{self.server.server_port}"

    def page(self) -> str:
        events = [
            SimpleNamespace(
                at=clock.now() - timedelta(hours=h),
                who="Ama",
                text="Ordered.",
                detail=d,
                icon="done",
            )
            for h, d in ((1, {"n": 1}), (30, None))
        ]
        return render_template("gallery.html", events=events)

    def tick(self) -> Response | str | tuple[str, int]:
        self.polls += 1
        if self.poll_status == 204:
            return Response(status=204)
        if self.poll_status != 200:
            return (
                render_template(
                    "shared/_error.html", sentence="Over.", advice="Reload."
                ),
                self.poll_status,
            )
        return (
            '<div id="poll" data-hx-get="/tick" data-hx-trigger="every 100ms"'
            f' data-hx-swap="outerHTML">{self.polls}</div>'
        )


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium.launched() as browser:
        yield browser


@pytest.fixture
def gallery(door_app: Callable[..., Flask]) -> Iterator[Gallery]:
    gallery = Gallery(door_app())
    thread = threading.Thread(
        target=gallery.server.serve_forever, kwargs={"poll_interval": 0.05}
    )
    thread.start()
    yield gallery
    gallery.server.shutdown()
    thread.join(timeout=5)
    gallery.server.server_close()


@pytest.fixture
def page(browser: Browser, gallery: Gallery) -> Iterator[Page]:
    context = browser.new_context(
        viewport={"width": 360, "height": 740}, permissions=["clipboard-write"]
    )
    context.set_default_timeout(10_000)
    page = context.new_page()
    complaints: list[str] = []
    page.on(
        "console",
        lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None,
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(gallery.address + "/g")
    yield page
    context.close()
    assert [text for text in complaints if "Failed to load resource" not in text] == []


def polled(page: Page, gallery: Gallery, at_least: int) -> None:
    """Wait until the page shows that many polls. Not `wait_for_function`: that needs the eval our
    policy forbids."""
    for _ in range(200):
        if int(page.inner_text("#poll")) >= at_least:
            return
        page.wait_for_timeout(50)
    raise AssertionError(
        f"the page shows {page.inner_text('#poll')} polls, the server saw {gallery.polls}"
    )


def test_the_layout_stands_under_its_own_policy(page: Page) -> None:
    assert page.evaluate(ICON_WIDTH) > 0, "the sprite is allowed and drawn"
    assert page.evaluate("htmx.version") == "4.0.1"
    assert (
        page.evaluate(
            "htmx.config.metaCharacter + htmx.config.mode + htmx.config.includeIndicatorCSS"
        )
        == "-same-originfalse"
    )
    assert (
        page.evaluate("getComputedStyle(document.body).backgroundColor")
        == "rgb(247, 245, 240)"
    )


@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize("look", ["light", "dark"])
def test_it_is_accessible_and_never_wider_than_the_screen(
    page: Page, gallery: Gallery, width: int, look: str
) -> None:
    gallery.poll_status = 204
    page.set_viewport_size({"width": width, "height": 740})
    page.emulate_media(color_scheme=look)  # type: ignore[arg-type]
    page.reload()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert axe.faults(page, ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]) == []


def test_the_menu_opens_without_script_and_leads_on(
    browser: Browser, gallery: Gallery
) -> None:
    context = browser.new_context(
        viewport={"width": 320, "height": 640}, java_script_enabled=False
    )
    page = context.new_page()
    page.goto(gallery.address + "/g")
    expect(page.get_by_role("link", name="Books")).to_be_hidden()
    page.get_by_text("Menu").click()
    link = page.get_by_role("link", name="Books")
    expect(link).to_be_visible()
    box = link.bounding_box()
    assert (
        box is not None
        and box["x"] >= 0
        and box["x"] + box["width"] <= 320
        and box["height"] >= 44
    )
    context.close()


def test_the_keyboard_reaches_the_page_past_the_bar(page: Page) -> None:
    skip = page.get_by_role("link", name="Skip to the page")
    assert skip.evaluate("el => el.getBoundingClientRect().bottom") < 0
    skip.focus()
    assert skip.evaluate("el => el.getBoundingClientRect().top") >= 0
    assert (
        page.evaluate("document.querySelector('a,button,input,summary').className")
        == "skip"
    ), "it comes first"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_what_is_wrong_gets_the_focus(page: Page) -> None:
    assert page.evaluate("document.activeElement.id") == "errors"


def test_a_hidden_tab_asks_nothing_and_asks_at_once_when_seen(
    page: Page, gallery: Gallery
) -> None:
    polled(page, gallery, 2)
    page.evaluate(
        "Object.defineProperty(document, 'hidden', {value: true, configurable: true})"
    )
    page.wait_for_timeout(300)  # answers under way arrive
    before = gallery.polls
    page.wait_for_timeout(700)  # the absence of seven polls can only be waited for
    assert gallery.polls == before
    page.evaluate(
        "delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))"
    )
    polled(page, gallery, before + 1)


@pytest.mark.parametrize("status", [401, 404, 429, 500, 503])
def test_an_error_ends_the_poll_with_a_sentence(
    page: Page, gallery: Gallery, status: int
) -> None:
    polled(page, gallery, 1)
    gallery.poll_status = status
    page.get_by_text("Over.").wait_for()
    after = gallery.polls
    page.wait_for_timeout(400)
    assert gallery.polls <= after + 1


def test_nothing_new_leaves_the_page_alone(page: Page, gallery: Gallery) -> None:
    polled(page, gallery, 1)
    gallery.poll_status = 204
    page.wait_for_timeout(200)
    text, polls = page.inner_text("#poll"), gallery.polls
    page.wait_for_timeout(500)
    assert gallery.polls > polls and page.inner_text("#poll") == text


def test_copying_says_that_it_did(page: Page) -> None:
    page.locator("#copy").click()
    page.get_by_text("Copied").wait_for()
