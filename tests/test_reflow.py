"""Every page fits: at 320 px, at 400 % zoom, and with the text twice as large, nothing runs off or
lies on a number."""

from __future__ import annotations

import re
import secrets
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import tables_owner
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Page
from sqlalchemy import select, update
from visitors import Visitor
from werkzeug.serving import make_server

from core import catalog, ledger, orders
from core.audit import SYSTEM, Actor
from core.base import tenancy
from core.catalog import Bundle, StoreBundle
from tests.support import chromium
from tests.support.claims import claim_one

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow(seconds=20),
    chromium.NEEDED,
]
AMA = Actor("agent", "Ama")
MOST_PAGES = 45
VIEWS = {  # name: (width, height, whether text is twice as large)
    "320 px": (320, 640, False),
    "400 % of 1280 x 1024": (320, 256, False),
    "text at 200 %": (360, 740, True),
    "320 px, text at 200 %": (320, 640, True),
}
TWICE = """() => { if (document.body.dataset.twice) return; document.body.dataset.twice = 'yes'; for (const e of [...document.querySelectorAll('*')].map(e => [e, parseFloat(getComputedStyle(e).fontSize)]))
  e[0].style.fontSize = 2 * e[1] + 'px'; }"""
WIDE = """() => { const root = document.scrollingElement, w = root.clientWidth; if (root.scrollWidth <= w) return [];
  const held = e => { for (let p = e.parentElement; p; p = p.parentElement)
    if (['auto', 'scroll', 'hidden'].includes(getComputedStyle(p).overflowX) && p !== document.body) return true; };
  return [root.scrollWidth + ' px'].concat([...document.body.querySelectorAll('*')]
    .filter(e => e.getBoundingClientRect().right > w + 1 && !held(e)).map(e => e.outerHTML.slice(0, 90)).slice(0, 4)) }"""
COVERED = """() => { const hit = (a, b) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1;
  const boxes = e => [...e.getClientRects()].filter(r => r.width > 1 && r.height > 1), bad = [];
  for (const n of document.querySelectorAll('.phone, .money')) for (const o of document.querySelectorAll('.badge, .chip, .count, .warn'))
    if (!n.contains(o) && !o.contains(n) && boxes(n).some(a => boxes(o).some(b => hit(a, b)))) bad.push(o.textContent.trim() + ' on ' + n.textContent.trim());
  return bad.slice(0, 4) }"""

SPLIT = """() => { const bad = []; for (const e of document.querySelectorAll('.n, .line time, .phone, .money, h1, dd, .read-back')) {
  const walk = document.createTreeWalker(e, NodeFilter.SHOW_TEXT);
  for (let t = walk.nextNode(); t; t = walk.nextNode()) if (!t.parentElement.closest('.mono')) for (const group of t.data.matchAll(/[0-9A-Z•.,]+/g)) {
    const r = document.createRange(); r.setStart(t, group.index); r.setEnd(t, group.index + group[0].length);
    if (new Set([...r.getClientRects()].map(b => Math.round(b.top))).size > 1) bad.push('broken within: ' + e.textContent.trim()) } }
  return bad.slice(0, 4) }"""
"""A group of digits on two lines reads as another number: GH₵ 222.7 and 5."""


TORN = """() => { const bad = [], main = document.querySelector('main'), walk = document.createTreeWalker(main, NodeFilter.SHOW_TEXT);
  const tops = (t, from, to) => { const r = document.createRange(); r.setStart(t, from); r.setEnd(t, to);
    return new Set([...r.getClientRects()].filter(b => b.width > 1).map(b => Math.round(b.top))).size };
  for (let t = walk.nextNode(); t; t = walk.nextNode()) {
    if (t.parentElement.closest('.mono, code, pre, .sr, [hidden], .link-text, .figures, table')) continue;
    for (const n of t.data.matchAll(/[0-9][0-9.,:]*[0-9]/g))
      if (tops(t, n.index, n.index + n[0].length) > 1) bad.push('torn: ' + n[0] + ' in ' + t.data.trim().slice(0, 70)) }
  return bad }"""
"""In whatever sentence: digits that belong together stand on one line."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium.launched() as browser:
        yield browser


@pytest.fixture
def port(app: Flask) -> Iterator[int]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.05}
    )
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join(timeout=5)
    server.server_close()


@pytest.fixture
def place(in_store: Callable[..., Any]) -> Callable[..., str]:
    """An order of ama's in a state, by the legal moves; its code."""

    def make(number: str, state: str = "pending", network: str = "mtn") -> str:
        def deed() -> str:
            line = next(line for line in catalog.shelf() if line.network == network)
            code = orders.place(
                bundle_id=line.bundle_id, recipient_msisdn=number,
                idempotency_key=secrets.token_hex(16),
                repeat_confirmed=True,
                customer_name="Akosua Mensah-Bonsu-Agyeman of Kwame Nkrumah Circle",
            ).order.code  # fmt: skip
            if state == "cancelled":
                orders.cancel(code, AMA)
            elif state != "pending":
                order = orders.release(code, AMA)
                if state != "queued":
                    claim_one(order.id)
            return code

        return str(in_store("ama", deed))

    return make


@pytest.fixture
def busy(place: Callable[..., str]) -> list[str]:
    """A store with long names and orders in several states, some for a number of another
    network."""
    return [
        place("+233241234567"), place("+233207654321"), place("+233551234567", "queued"),
        place("+233541234567", "submitting"), place("+233201234567", "cancelled", "telecel"),
    ]  # fmt: skip


def opened(browser: Browser, visitor: Visitor, port: int) -> BrowserContext:
    """A browser with this visitor's log-in."""
    host = visitor.base_url.removeprefix("http://")
    context = browser.new_context(base_url=f"http://{host}:{port}")
    context.set_default_timeout(10_000)
    kept = visitor.client.get_cookie("__Host-makola", domain=host)
    if kept is not None:
        context.add_cookies(
            [
                {
                    "name": "__Host-makola",
                    "value": kept.value,
                    "url": f"https://{host}/",
                    "secure": True,
                }
            ]
        )
    return context


def problems(page: Page, name: str, *, larger: bool = False) -> list[str]:
    found = []
    for view, (width, height, is_large) in VIEWS.items():
        if is_large and not larger:
            continue
        page.set_viewport_size({"width": width, "height": height})
        if is_large:
            page.evaluate(TWICE)
        checks = (WIDE, COVERED, SPLIT)
        found += [
            f"{name} at {view}: {problem}"
            for check in checks
            for problem in page.evaluate(check)
        ]
    return found


def crawl(page: Page, starts: list[str]) -> list[str]:
    """Every page that these pages lead to, by address without its query; what is wrong with
    each."""
    waiting, seen, been, found = list(starts), set(), set(), []
    while waiting and len(seen) < MOST_PAGES:
        path = waiting.pop(0)
        if path in been:
            continue
        been.add(path)
        kind = re.sub(r"/[0-9A-Z]{10}(?=/|$)|/\d+(?=/|$)", "/*", path.partition("?")[0])
        if kind in seen and path not in starts:
            continue
        seen.add(kind)
        answer = page.goto(path)
        if answer is None or "text/html" not in answer.headers.get("content-type", ""):
            continue
        links = page.evaluate(
            "[...document.links].filter(a => a.origin === location.origin &&"
            " !a.hasAttribute('download')).map(a => a.pathname +"
            " a.search)"
        )
        waiting += [
            link
            for link in links
            if not link.endswith(".csv") and not link.startswith("/static/")
        ]
        found += problems(page, path, larger=True)
    assert len(seen) >= 4, seen
    return found


def test_every_page_of_the_portal_fits(
    browser: Browser, port: int, ama_agent: Visitor, busy: list[str]
) -> None:
    context = opened(browser, ama_agent, port)
    tabs = [
        f"/orders?tab={tab}" for tab in ("new", "processing", "late", "failed", "done")
    ]
    orders_ = [f"/orders/{code}" for code in busy]
    found = crawl(
        context.new_page(),
        [
            "/",
            *tabs,
            "/orders?q=4567",
            "/orders?q=" + "x" * 80,
            *orders_,
            "/prices",
            "/wallet",
            "/payments",
        ],
    )
    context.close()
    assert found == [], "\n".join(found)


def test_every_page_of_the_console_fits(
    browser: Browser, port: int, owner: Visitor, busy: list[str]
) -> None:
    context = opened(browser, owner, port)
    found = crawl(
        context.new_page(),
        [
            "/",
            "/orders",
            *(f"/orders/{code}" for code in busy),
            "/audit",
            "/orders?q=" + "x" * 80,
        ],
    )
    context.close()
    assert found == [], "\n".join(found)


def test_every_page_of_a_store_and_every_log_in_fits(
    browser: Browser,
    port: int,
    visitor: Callable[[str], Visitor],
    busy: list[str],
    set_clock: Callable[[float], None],
) -> None:
    found = []
    for host, paths in (("ama", ["/", "/offline", "/track", "/track?code=" + "x" * 90, "/orders/ZZZZZZZZZZ",
    "/review/x"]),
                        ("portal", ["/login", "/nowhere"]), ("admin", ["/login",
                        "/nowhere"])):  # fmt: skip
        context = opened(browser, visitor(host), port)
        page = context.new_page()
        if host == "ama":
            paths += [f"/orders/{code}" for code in busy]
            paths += [f"/tw{path}" for path in paths]
        for path in paths:
            page.goto(path)
            found += problems(page, f"{host} {path}", larger=host == "ama")
        if host == "ama":
            page.set_viewport_size({"width": 360, "height": 740})
            page.goto("/")
            page.get_by_label("Number to receive the data").fill("020 765 4321")
            page.get_by_role("link", name="All", exact=True).click()
            page.get_by_role("radio").first.check()
            page.get_by_role("button", name="Continue").click()
            page.wait_for_url("**/review/*")
            review = page.url
            found += problems(page, "review", larger=True)
            page.goto(review)
            page.get_by_role("button", name=re.compile("^Yes")).click()
            page.wait_for_url(re.compile("/orders/[0-9A-Z]{10}$"))
            found += problems(page, "own order", larger=True)
            page.goto(f"{page.url}/receipt")
            found += problems(page, "receipt", larger=True)
            page.goto(review)
            found += problems(page, "placed", larger=True)
            page.goto(review.replace("/review/", "/tw/review/"))
            found += problems(page, "placed, in Twi", larger=True)
            set_clock(86_400)  # then each time comes with its day
            for path in (f"/orders/{busy[3]}", f"/tw/orders/{busy[3]}"):
                page.goto(path)
                found += problems(page, f"the day after: {path}", larger=True)
        context.close()
    assert found == [], "\n".join(found)


def test_news_of_orders_fits_beside_what_is_there(
    browser: Browser,
    port: int,
    ama_agent: Visitor,
    busy: list[str],
    place: Callable[..., str],
) -> None:
    context = opened(browser, ama_agent, port)
    page = context.new_page()
    page.set_viewport_size({"width": 320, "height": 640})
    page.goto("/orders")
    for at in range(12):
        place(f"+23324000{at:04}")
    news = page.locator("#news .news")
    news.wait_for(timeout=20_000)
    box = news.bounding_box()
    found = problems(page, "queue with news")
    context.close()
    assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= 320
    assert found == [], "\n".join(found)


SHOWN = ["pending", "queued", "processing", "failed", "refunded"]


@pytest.fixture
def rich(app: Flask, in_store: Callable[..., Any], busy: list[str]) -> list[str]:
    """Sums as long as they get: bundles for thousands, more than a hundred thousand in the wallet,
    orders in many states."""
    dear = update(Bundle).where(Bundle.network == "mtn")
    tables_owner.execute(dear.values(cost_pesewas=488_888, agent_price_pesewas=499_999))
    tables_owner.execute(
        update(StoreBundle)
        .where(
            StoreBundle.bundle_id.in_(select(Bundle.id).where(Bundle.network == "mtn"))
        )
        .values(price_pesewas=508_888, agent_price_pesewas=499_999)
    )
    store_id = in_store("ama", tenancy.current_store_id)
    with app.app_context(), tenancy.across_stores():
        for at in range(2):
            ledger.fund_wallet(store_id, 10_000_000, f"for a test {at}", SYSTEM)

    def deed() -> list[str]:
        line = next(line for line in catalog.shelf() if line.network == "mtn")
        made = []
        for at, state in enumerate(SHOWN):
            code = orders.place(
                bundle_id=line.bundle_id, recipient_msisdn=f"+23324777888{at}",
                idempotency_key=secrets.token_hex(16)
            ).order.code  # fmt: skip
            made.append(code)
            if state == "pending":
                continue
            order = orders.release(code, AMA)
            if state == "queued":
                continue
            claim_one(order.id)
            for step in SHOWN[2 : SHOWN.index(state) + 1]:
                orders.advance(
                    order.id,
                    step,
                    text="Supplier says so.",
                    news=orders.News(money_back=step == "refunded"),
                )
        return made

    return list(in_store("ama", deed))


def test_numbers_in_sentences_stay_whole(
    browser: Browser, port: int, ama_agent: Visitor, rich: list[str]
) -> None:
    context = opened(browser, ama_agent, port)
    page, found = context.new_page(), []

    def look(name: str) -> None:
        for view, (width, height, is_large) in VIEWS.items():
            page.set_viewport_size({"width": width, "height": height})
            if is_large:
                page.evaluate(TWICE)
            found.extend(
                f"{name} at {view}: {bad}"
                for check in (WIDE, COVERED, SPLIT, TORN)
                for bad in page.evaluate(check)
            )

    for path in ("/", "/wallet", *(f"/orders/{code}" for code in rich)):
        page.goto(path)
        look(path)
    for at, deed in ((1, "Cancel order"), (4, "I gave")):
        page.goto(f"/orders/{rich[at]}")
        page.get_by_role("button", name=re.compile(deed)).first.click()
        page.wait_for_load_state()
        look(deed)
    for button in ("Process selected", "Cancel …"):
        page.goto("/orders")
        page.evaluate(
            "for (const e of document.querySelectorAll('[name=order]')) e.checked = true"
        )
        page.evaluate(
            f"document.querySelector('[data-{button.split()[0].lower()}]').disabled = false"
        )
        page.evaluate(
            f"document.querySelector('[data-{button.split()[0].lower()}]').click()"
        )
        page.wait_for_url(re.compile("/orders/(process|cancel)$"))
        look(button)
    context.close()
    assert found == [], "\n".join(found)
