"""Paying into the wallet in a real browser: without script to the gateway and back, axe in both
lights, nothing that runs off a narrow screen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.support import looks
from tests.support.till import Till

pytestmark = pytest.mark.browser


AT_GATEWAY = "http://127.0.0.1:9/**"


@pytest.mark.slow(seconds=4)
def test_from_the_wallet_to_the_gateway_and_back_without_script(
    open_page: Callable[..., Any], till: Till
) -> None:
    page = open_page("ama", js=False)
    page.goto("/wallet")
    page.get_by_label("Pay online with mobile money").fill("9")
    page.get_by_role("button", name="Pay online").click()
    expect(page.locator("#online-error")).to_contain_text("from GH₵")
    expect(page.locator("#online")).to_have_value("9")
    page.locator("#online").fill("50")
    page.get_by_role("button", name="Go on").click()
    expect(page.locator("main")).to_contain_text("Fee, paid by Makola")
    page.get_by_role("button", name="Pay GH₵").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("The payment page opens")
    here = page.url
    with page.expect_request(AT_GATEWAY):
        till.work()
    payment = till.attempt(int(here.rpartition("/")[2]))
    till.pay(payment.reference)
    page = page.context.new_page()  # the gateway has no page in this walk
    page.goto(f"{here}/back?reference={payment.reference}")
    expect(page.locator("main")).to_contain_text("being asked")
    till.pass_by(4)
    expect(page.locator("main")).to_contain_text("is in your wallet since")
    page.get_by_role("link", name="See your wallet").click()
    expect(page.locator("#fund")).to_contain_text("In your wallet")


@pytest.mark.slow(seconds=8)
@pytest.mark.parametrize("dark", [False, True])
def test_every_page_fits_and_is_without_fault(
    open_page: Callable[..., Any], till: Till, dark: bool
) -> None:
    paid = till.funded(5_000)
    page = open_page("ama", dark=dark)
    waits = till.fund(7_500)
    pages = ("/wallet", "/wallet/online", "/wallet/online?amount=100")
    for path in (*pages, f"/wallet/online/{paid.id}", f"/wallet/online/{waits}?back=1"):
        page.goto(path)
        looks.fits(page)
