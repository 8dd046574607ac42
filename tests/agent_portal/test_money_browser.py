"""The wallet and what was earned in a real browser: asking for money and a part of the statement
without script, axe in both lights, nothing that runs off a narrow screen."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import tables_owner
from playwright.sync_api import expect

from core import fund_requests
from core.audit import Actor
from core.base import tenancy
from tests.support import looks

pytestmark = pytest.mark.browser

PAGES = ("/wallet", "/wallet?from=2026-11-01&kind=hold", "/wallet?from=never&to=1",
         "/earnings", "/earnings?by=month&network=mtn", "/earnings?network=at")  # fmt: skip


@pytest.fixture
def busy(place: Any, app: Any, ama_agent: Any) -> None:
    """A month of deliveries, orders in every tab, and requests of every kind."""
    for network, gb in (("mtn", 1), ("mtn", 5), ("telecel", 5), ("at", 2)):
        place(network=network, gb=gb, number="0240000001", state="completed")
    for number, state in enumerate(("pending", "queued", "processing", "refunded")):
        place(number=f"024000010{number}", state=state)
    today = datetime.now(UTC).date()
    tables_owner.execute_many(
        "INSERT INTO store_days SELECT store_id, :day, bundle_id, :n, :n * sales_pesewas,"
        " :n * cost_pesewas FROM store_days WHERE day = :today",
        [
            {
                "day": today - timedelta(days=back),
                "n": 1 + back * 7 % 11,
                "today": today,
            }
            for back in range(1, 200)
            if back % 9
        ],
    )
    owner = Actor("owner", "Owner")
    for amount, reference in (("1250", "MP26113012345678"), ("40", "cash, Monday, to Yaw"),
                              ("500", "MP1"), ("60", "MP2")):  # fmt: skip
        data = {"amount": amount, "reference": reference}
        ama_agent.post("/wallet/funding", data=data)
    with app.app_context(), tenancy.across_stores():
        first, second, *_ = fund_requests.waiting(9)
        fund_requests.approve(first.request.id, owner)
        fund_requests.refuse(
            second.request.id, "Nobody gave Yaw cash on Monday.", owner
        )


@pytest.mark.slow(seconds=9)
@pytest.mark.parametrize("dark", [False, True])
def test_every_page_fits_and_is_without_fault(
    open_page: Callable[..., Any], busy: None, dark: bool
) -> None:
    page = open_page("ama", dark=dark)
    for path in PAGES:
        page.goto(path)
        looks.fits(page)


@pytest.mark.slow(seconds=4)
def test_asking_and_days_without_script(
    open_page: Callable[..., Any], place: Any
) -> None:
    place(state="queued")
    page = open_page("ama", js=False)
    page.goto("/wallet")
    page.fill("#amount", "12.345")
    page.fill("#reference", "MP 99887766")
    page.click("text=Ask for it")
    assert "at most two digits" in page.inner_text("#errors")
    assert page.input_value("#reference") == "MP 99887766"
    page.fill("#amount", "12.50")
    page.click("text=Ask for it")
    assert "Waits" in page.inner_text("#fund")
    page.click("text=Take back")
    assert "Taken back" in page.inner_text("#fund")
    page.select_option("#kind", "hold")
    page.click("text=Show >> nth=0")
    expect(page.locator(".statement tbody tr")).to_have_count(1)
    page.goto("/earnings")
    page.click("text=Months")
    assert "by=month" in page.url


@pytest.mark.slow(seconds=5)
@pytest.mark.parametrize("dark", [False, True])
def test_customers_fit_and_are_without_fault(
    open_page: Callable[..., Any], place: Any, dark: bool
) -> None:
    for index in range(3):
        place(number=f"024123450{index}", name="Efua Mensah", state="completed")
    code = place(number="0551234567")
    page = open_page("ama", dark=dark)
    page.goto("/customers")
    looks.fits(page)
    page.click("text=4502")
    looks.fits(page)
    page.click("text=Block this number")
    page.fill("#why", "Never pays")
    page.click("details[open] >> text=Block >> nth=-1")
    looks.fits(page)
    page.goto(f"/orders/{code}/customer")
    looks.fits(page)
