"""The hosted page and the gateway's own page in a real browser: keyboard, both lights, a narrow
screen."""

from __future__ import annotations

from dataclasses import replace

import pytest
from paystack_kit import REF, Pair, page, payout, prompt, refund

from integrations.payment_shapes import Started
from tests.support import chromium, looks

pytestmark = [pytest.mark.browser, pytest.mark.slow(seconds=4), chromium.NEEDED]


def test_a_customer_pays_by_the_keyboard_and_every_page_fits(pair: Pair) -> None:
    back = f"{pair.url}/sandbox?order=8W3J"
    said = pair.client.initialise(replace(page(label="Ama's shop"), callback_url=back))
    assert isinstance(said, Started)
    started = said
    pair.client.charge(prompt("01", "MK-P-PROMPTED"))
    with chromium.launched() as browser:
        for lights in ("light", "dark"):
            context = browser.new_context(color_scheme=lights, bypass_csp=True)
            tab = context.new_page()
            tab.goto(started.url)
            looks.fits(tab)
            context.close()
        tab = browser.new_context(java_script_enabled=False).new_page()
        tab.goto(started.url)
        tab.get_by_label("Mobile money number").fill("0241234505")
        tab.get_by_role("button", name="Pay GHS 5.00").press("Enter")
        tab.get_by_label("Voucher code").fill("123456")
        tab.get_by_role("button", name="Pay", exact=True).press("Enter")
        tab.wait_for_url(f"**/sandbox?order=8W3J&*reference={REF}")
        assert pair.verify().status == "paid"
        pair.client.refund(refund(200))
        pair.client.transfer(payout(pair.whom()))
        for lights in ("light", "dark"):
            context = browser.new_context(color_scheme=lights, bypass_csp=True)
            tab = context.new_page()
            for path in (
                "/sandbox",
                f"/checkout/{started.access_code}",
                "/checkout/none",
            ):
                tab.goto(pair.url + path)
                looks.fits(tab)
            context.close()
