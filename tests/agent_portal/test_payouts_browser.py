"""Payouts in a real browser: asking without script, axe in both lights, nothing that runs off a
narrow screen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import tables_owner
from flask import Flask
from playwright.sync_api import expect

from core import online
from core.audit import SYSTEM
from core.base import tenancy
from tests.support import looks
from tests.support.payouts_desk import (
    AMA,
    OTHER,
    Payday,
    paydays,
    with_second_step,
)

pytestmark = pytest.mark.browser
LISTS = tuple(
    f"/online-payments/orders?of={of}" for of in ("paid", "waiting", "held", "fresh")
)
UNFOLDED = (
    "document.querySelectorAll('main details').forEach(fold => { fold.open = true })"
)


@pytest.fixture
def payday(
    context: Flask,
    tmp_path: Path,
    superuser: psycopg.Connection[Any],
    jump: Callable[[float], None],
) -> Iterator[Payday]:
    superuser.execute("UPDATE users SET name = %s WHERE name = 'Ama'", (AMA,))
    with paydays(context, tmp_path, superuser, jump) as build:
        made = build()
        online.switch_platform(True, SYSTEM)
        online.switch_store(made.store_id, True, SYSTEM)
        yield made
        tenancy.clear()


@pytest.fixture
def busy(payday: Payday) -> Payday:
    """Money at every step, and payouts that were paid, refused and are under way."""
    payday.earned(4_350, 2_980, 5_120)
    payday.with_number()
    payday.settle(payday.ask(5_000))
    tenancy.use(payday.store_id, as_platform=True)
    payday.scene.paid(extra=2_200)
    order, _ = payday.scene.paid(extra=3_100)
    payday.scene.to("completed", order)
    order, _ = payday.scene.paid(extra=1_750)
    payday.scene.to("processing", order)
    tenancy.clear()
    return payday


def logged_in(open_page: Callable[..., Any], payday: Payday, **how: Any) -> Any:
    """A page of ama's; her second step is asked for by no test of this file."""
    tables_owner.execute("DELETE FROM second_steps")
    page = open_page("ama", **how)
    looks.whole(page)
    assert payday.ama.user_id is not None
    with_second_step(payday.ama.user_id)
    return page


@pytest.mark.slow(seconds=9)
@pytest.mark.parametrize("dark", [False, True])
def test_every_page_fits_and_is_without_fault(
    open_page: Callable[..., Any], busy: Payday, dark: bool
) -> None:
    page = logged_in(open_page, busy, dark=dark)
    page.goto("/payouts")
    looks.fits(page)
    page.click("table.rows a >> nth=0")
    looks.fits(page)
    busy.with_number(OTHER)
    for path in ("/payouts", "/online-payments", *LISTS):
        page.goto(path)
        page.evaluate(UNFOLDED)
        looks.fits(page)


@pytest.mark.slow(seconds=5)
def test_each_figure_of_online_payments_opens_without_script_and_by_the_keyboard(
    open_page: Callable[..., Any], busy: Payday
) -> None:
    page = logged_in(open_page, busy, js=False)
    page.goto("/wallet")
    page.click("main >> text=Online payments")
    for name in ("On the way", "Held until delivery", "Free a day after delivery"):
        page.click(f"main >> text={name}")
        expect(page.get_by_role("heading", name=name)).to_be_visible()
        page.click("main >> text=Online payments")
    with_keys = logged_in(open_page, busy, width=1280)
    with_keys.goto("/online-payments")
    with_keys.get_by_role("link", name="Held until delivery").focus()
    with_keys.keyboard.press("Enter")
    expect(with_keys.locator("table.rows")).to_be_visible()


@pytest.mark.slow(seconds=4)
def test_from_the_number_to_the_payout_without_script(
    open_page: Callable[..., Any], payday: Payday
) -> None:
    payday.earned()
    page = logged_in(open_page, payday, js=False)
    page.goto("/payouts")
    page.fill("#number", "024 123 401O")
    page.click("text=Save the number")
    assert page.input_value("#number") == "024 123 401O"
    page.fill("#number", "024 123 4010")
    page.click("text=Save the number")
    assert "Being checked" in page.inner_text("main")
    payday.work()
    page.goto("/payouts")
    page.click("text=Pay out each Monday")
    page.click("#ask")
    assert "on their way in a moment" in page.inner_text("main")
    page.click("table.rows a")
    page.click("text=Cancel this payout")
    assert "Cancelled" in page.inner_text("main")
