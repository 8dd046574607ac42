"""The owner's pages of money online in a real Chromium: payments, one of them, refunds and payouts,
in both lights, on a narrow screen, without script and with the keyboard."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import tables_owner
from flask import Flask
from playwright.sync_api import Page, expect
from test_console_browser import (  # noqa: F401 - fixtures
    address,
    browser,
    console,
    judged,
)

from core.base import tenancy
from tests.support import chromium
from tests.support.payouts_desk import OTHER, Payday, paydays
from tests.support.settings import Using

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow(seconds=10),
    chromium.NEEDED,
]
SPREAD = (
    "UPDATE online_payments SET fees_pesewas = 40 WHERE state = 'paid'",
    "UPDATE online_payments SET paid_at = paid_at - id % 9 * interval '1 day'"
    + " WHERE state = 'paid'",
    "UPDATE payouts SET paid_at = paid_at - interval '3 days' WHERE state = 'paid'",
    "UPDATE gateway_refunds SET ended_at = now() - interval '2 days' WHERE state = 'done'",
)


@pytest.fixture
def busy(
    context: Flask,
    tmp_path: Path,
    superuser: psycopg.Connection[Any],
    jump: Callable[[float], None],
    using: Using,
) -> Iterator[list[str]]:
    """Money at every step; the addresses of the pages that show it."""
    with paydays(context, tmp_path, superuser, jump) as build:
        payday = build()
        payday.earned(4_350, 2_980, 5_120, 9_040, 3_770)
        payday.with_number()
        payday.settle(payday.ask(7_000))
        payday.pass_(86_400)
        using(payout_by_itself_pesewas=1_000)
        waits = payday.ask()
        payday.with_number(OTHER)
        back = _going_back(payday)
        with superuser.transaction():
            superuser.execute("SET LOCAL session_replication_role = replica")
            for statement in SPREAD:
                superuser.execute(statement)
        reference = tables_owner.read(
            f"SELECT reference FROM online_payments WHERE id = {back}"
        )[0]
        tenancy.clear()
        yield [
            "/payments",
            f"/payments?q={reference}",
            "/payments?end=unfit",
            f"/payments/{reference}",
            "/refunds",
            "/payouts",
            f"/payouts/{waits.id}",
        ]
        tenancy.clear()


def _going_back(payday: Payday) -> int:
    """Payments that go back, at each step of it; the id of one that has gone and is disputed."""
    scene = payday.scene
    tenancy.clear()
    tenancy.use(payday.store_id, as_platform=True)
    ids = []
    for state in ("requested", "open", "needs_details", "done"):
        order, payment_id = scene.paid(extra=900)
        scene.to("cancelled", order)
        refund = scene.refund(payment_id, order.price_pesewas)
        tables_owner.execute(
            f"UPDATE gateway_refunds SET state = '{state}', sent_at = now(),"
            f" ended_at = CASE WHEN '{state}' = 'done' THEN now() END WHERE id = {refund}"
        )
        ids.append(payment_id)
    waits = scene.order()
    scene.ask(waits)
    scene.dispute(ids[-1], 100)
    tenancy.clear()
    return ids[-1]


@pytest.mark.slow(seconds=20)
@pytest.mark.parametrize("width", [320, 1280])
def test_every_page_is_accessible_in_light_and_dark_and_fits(
    console: Callable[..., Page],  # noqa: F811
    busy: list[str],
    width: int,
) -> None:
    page = console(width)
    found: dict[str, list[str]] = {}
    for path in busy:
        page.goto(path)
        page.evaluate(
            "document.querySelectorAll('main details').forEach(fold => { fold.open = true })"
        )
        wide = page.evaluate("document.documentElement.scrollWidth")
        found[path] = judged(page) + ([f"{wide} px wide"] if wide > width else [])
    assert {path: problems for path, problems in found.items() if problems} == {}


def test_from_a_figure_to_a_payment_without_script_and_by_the_keyboard(
    console: Callable[..., Page],  # noqa: F811
    busy: list[str],
) -> None:
    reference = busy[3].rpartition("/")[2]
    page = console(360, java_script_enabled=False)
    page.goto("/payments")
    page.get_by_role("link", name="Under way").last.click()
    expect(page.get_by_role("heading", name="Under way")).to_be_visible()
    page = console(1280)
    page.goto("/payments")
    page.get_by_label("Search").focus()
    page.keyboard.type(reference.lower())
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Found")).to_be_visible()
    page.get_by_role("link", name=reference).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=reference)).to_be_visible()
    expect(page.get_by_text("Needs an answer")).to_be_visible()
