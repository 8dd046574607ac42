#!/usr/bin/env python3
"""The main job in a real Chromium, against a running `dev.py up`: buy, process, deliver, and watch
the page turn.

Ama's store: choose a bundle, type a number, check, confirm. Portal: log in, Process. Sandbox page:
mark it successful. The customer's page, open all the while, turns *Completed* by itself: the
journey fails if that page navigated.

  --no-js           the same with JavaScript off: forms and links only, and the page reloads itself by <meta refresh>
  --drop-webhooks   the same with every webhook of the supplier lost, proven from its own log: look-ups find it out.
                    Unscaled the first one comes a minute after the purchase; `up --time-scale 10` makes it 6 s
  --screenshots DIR saves each step at 360×740 and 1280×800, light and dark; with --few only those that docs/ keeps
"""

from __future__ import annotations

import re
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import (
    Browser,
    BrowserContext,
    Error,
    Locator,
    Page,
    expect,
)

from tests.support import books, chromium
from tests.support.people import Agent, Customer, have_money_for, some_number
from tests.support.running import Failed, Running, must, options, report, until
from tests.support.supplier import Supplier

PHONE, DESK = (360, 740), (1280, 800)
STEP_MS = 20_000
BUYING_S = 60
DELIVERY_S = 30
FIRST_LOOK_S = 60
"""Unscaled: when a processing order is looked up for the first time (architecture §4)."""
KEPT = frozenset(
    {
        "1-store-phone-light",
        "1-store-desk-light",
        "2-review-phone-light",
        "3-pending-phone-light",
        "4-queue-phone-dark",
        "4-queue-desk-light",
        "5-processed-desk-dark",
        "6-sandbox-phone-light",
        "7-completed-phone-light",
        "7-completed-phone-dark",
    }
)
MARK = "still the same page"


@dataclass
class Album:
    """Where screenshots go; nowhere by default."""

    folder: Path | None = None
    few: bool = False
    taken: list[Path] = field(default_factory=list)

    def take(self, page: Page, step: str) -> None:
        """This page at both sizes, light and dark, as it stands; it is not loaded again."""
        if self.folder is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        before = page.viewport_size
        for size_name, (width, height) in (("phone", PHONE), ("desk", DESK)):
            for scheme in ("light", "dark"):
                name = f"{step}-{size_name}-{scheme}"
                if self.few and name not in KEPT:
                    continue
                page.set_viewport_size({"width": width, "height": height})
                page.emulate_media(color_scheme=scheme)
                path = self.folder / f"{name}.png"
                page.screenshot(path=path, animations="disabled", caret="hide")
                self.taken.append(path)
        if before:
            page.set_viewport_size(before)
        page.emulate_media(color_scheme=None)


@dataclass(frozen=True)
class Purchase:
    """What one purchase showed."""

    code: str
    navigations: int
    delivered_s: float
    """From the supplier's mark to *Completed* on the customer's page."""
    webhooks: tuple[str, ...]
    """What became of the supplier's webhooks about this order."""


def run(
    running: Running,
    *,
    javascript: bool = True,
    drop_webhooks: bool = False,
    album: Album | None = None,
) -> Purchase:
    """One purchase from the store's page to *Completed*. Raises `Failed` when anything else
    happens."""
    album = album or Album()
    with ExitStack() as stack:
        supplier = Supplier(running)
        stack.callback(supplier.close)
        stack.enter_context(supplier.keeping_pace(running.time_scale))
        if drop_webhooks:
            stack.enter_context(supplier.knobs(webhooks=False))
        browser = stack.enter_context(chromium.launched())
        try:
            return _purchase(
                running, supplier, browser, javascript, drop_webhooks, album
            )
        except (AssertionError, Error) as error:
            if isinstance(error, Failed):
                raise
            raise Failed(f"the page did not do what was expected: {error}") from error


def _purchase(
    running: Running,
    supplier: Supplier,
    browser: Browser,
    javascript: bool,
    drop_webhooks: bool,
    album: Album,
) -> Purchase:
    recipient = some_number()
    have_money_for(
        running,
        Agent.logged_in(running, "ama"),
        "ama",
        1,
        Customer.of(running, "ama").shelf()[0],
    )
    customer = _context(browser, javascript, PHONE).new_page()
    code = buy(running, customer, recipient, album)
    navigations: list[str] = []
    customer.on("framenavigated", lambda frame: navigations.append(frame.url))
    if javascript:
        customer.evaluate("mark => { window.journeyMark = mark }", MARK)
    running.say(f"ordered: {code}, the page says Pending")

    process(running, _context(browser, javascript, DESK).new_page(), code, album)
    references = until(
        lambda: supplier.references_to(recipient),
        BUYING_S,
        "the supplier has the order",
    )
    must(len(references) == 1, f"the supplier has {len(references)} orders for one")
    expect(customer.locator("#label")).to_have_text(
        "Processing", timeout=BUYING_S * 1000
    )
    running.say(
        f"processed: the supplier has {references[0]}, the page says Processing"
    )

    marked_at = time.monotonic()
    deliver(
        running, _context(browser, javascript, DESK).new_page(), references[0], album
    )
    patience = DELIVERY_S + (
        2 * FIRST_LOOK_S / running.time_scale if drop_webhooks else 0
    )
    expect(customer.locator("#label")).to_have_text(
        "Completed", timeout=patience * 1000
    )
    delivered_s = time.monotonic() - marked_at
    album.take(customer, "7-completed")

    if javascript:
        must(not navigations, f"the customer's page navigated: {navigations}")
        must(
            customer.evaluate("window.journeyMark") == MARK,
            "the customer's page was replaced",
        )
        must(
            customer.locator("#order-status[data-hx-trigger]").count() == 0,
            "the page of a final order still polls",
        )
    else:
        must(
            navigations,
            "without JavaScript the page turned without loading again, which cannot be",
        )
        must(
            customer.locator("#order-status").count() == 1,
            "the reloaded page is no order page",
        )
    running.say(
        f"marked successful: the open page says Completed after {delivered_s:.1f} s, "
        + (
            "without a navigation"
            if javascript
            else f"having reloaded itself {len(navigations)} times in all"
        )
    )
    log = supplier.webhooks_of(references[0])
    fates = tuple(line["outcome"] for line in log)
    must(log, "the supplier's log knows no webhook about this order")
    if drop_webhooks:
        must(set(fates) == {"dropped"}, f"not every webhook was dropped: {fates}")
        looks = books.look_ups_of(running, references[0])
        must(looks, "completed without a webhook and without a look-up")
        running.say(
            f"the supplier's log: {len(fates)} webhooks, all dropped, none delivered; "
            f"{looks} look-ups found it out; time scale {running.time_scale:g}"
        )
    charges = supplier.charges_to(recipient)
    must(charges == 1, f"{charges} charges for one order")
    proof = books.prove(running)
    must(proof.hold, f"the books do not hold: {proof}")
    running.say(f"1 charge; {proof}")
    return Purchase(code, len(navigations), delivered_s, fates)


def buy(running: Running, page: Page, recipient: str, album: Album) -> str:
    """From the store's page to the order's; its code."""
    page.goto(running.facts["store_urls"]["ama"] + "/")
    page.get_by_label("Number to receive the data").fill(
        f"{recipient[:3]} {recipient[3:6]} {recipient[6:]}"
    )
    page.locator("#mtn").get_by_role("radio").first.check()
    album.take(page, "1-store")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Check before you order")
    album.take(page, "2-review")
    page.get_by_role("button", name=re.compile("^Yes")).click()
    page.wait_for_url(re.compile(r"/orders/[0-9A-Z]{10}$"))
    expect(page.locator("#label")).to_have_text("Pending")
    album.take(page, "3-pending")
    return page.url.rpartition("/")[2]


def process(running: Running, page: Page, code: str, album: Album) -> None:
    """Ama logs in, finds the order in the queue and presses *Process*."""
    login = running.facts["logins"]["ama"]
    page.goto(running.facts["portal_url"] + "/orders")
    page.get_by_label("E-mail").fill(login["email"])
    page.get_by_label("Password").fill(login["password"])
    page.get_by_role("button", name="Log in").click()
    row = page.locator(f"#o-{code}")
    expect(row).to_be_visible()
    album.take(page, "4-queue")
    _press(row.get_by_role("button", name=re.compile("^Process")))
    expect(page.locator(f"#o-{code} button:has-text('Process')")).to_have_count(0)
    if album.folder is not None:
        page.goto(running.facts["portal_url"] + f"/orders/{code}")
        expect(page.locator(".state-label").first).to_have_text(
            "With the network", timeout=BUYING_S * 1000
        )
        album.take(page, "5-processed")


def deliver(running: Running, page: Page, reference: str, album: Album) -> None:
    """The supplier's staff marks the order successful on its page."""
    page.goto(running.facts["sandbox_url"] + "/sandbox")
    article = page.locator(f"article[data-reference='{reference}']")
    expect(article).to_be_visible()
    album.take(page, "6-sandbox")
    _press(article.get_by_role("button", name="Successful"))
    expect(article).to_have_attribute("data-status", re.compile("successful|completed"))


def _context(
    browser: Browser, javascript: bool, size: tuple[int, int]
) -> BrowserContext:
    """A browser of one person: nothing is shared with the others."""
    context = browser.new_context(
        java_script_enabled=javascript,
        viewport={"width": size[0], "height": size[1]},
        locale="en-GB",
    )
    context.set_default_timeout(STEP_MS)
    return context


def _press(button: Locator) -> None:
    expect(button).to_be_enabled()
    button.click()


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--no-js", action="store_true", help="with JavaScript off")
    parser.add_argument(
        "--drop-webhooks", action="store_true", help="with every webhook lost"
    )
    parser.add_argument(
        "--screenshots", type=Path, metavar="DIR", help="save each step here"
    )
    parser.add_argument(
        "--few",
        action="store_true",
        help="only the screenshots that docs/screenshots keeps",
    )
    chosen = parser.parse_args()

    def journey() -> None:
        running, album = (
            Running.at(chosen.instance),
            Album(chosen.screenshots, chosen.few),
        )
        running.say(
            f"JavaScript {'off' if chosen.no_js else 'on'}, webhooks"
            f" {'all dropped' if chosen.drop_webhooks else 'sent'}, time scale"
            f" {running.time_scale:g}"
        )
        run(
            running,
            javascript=not chosen.no_js,
            drop_webhooks=chosen.drop_webhooks,
            album=album,
        )
        for path in album.taken:
            print(f"    {path} {path.stat().st_size / 1000:.0f} kB")

    report(journey)


if __name__ == "__main__":
    main()
