"""The first page: numbers that are links, today's sales, the link to share, the road to the first
sale."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tables_owner
from sqlalchemy import update
from visitors import Visitor

from core.audit import SYSTEM
from core.base import money, tenancy
from core.stores import Store


def test_what_needs_the_agent_is_a_number_and_a_link(
    ama_agent: Visitor, place: Any, line_of: Any
) -> None:
    for index, state in enumerate(("pending", "pending", "processing", "failed")):
        place(number=f"024000000{index}", state=state)
    page = ama_agent.get("/").text
    for tab, label, count in (
        ("new", "Waiting for you", 2),
        ("processing", "Processing", 1),
        ("late", "Late", 0),
        ("failed", "Failed", 1),
    ):
        assert (
            f'<a href="/orders?tab={tab}"><span>{label}</span><b>{count}</b></a>'
            in page
        )
    left = 50_000 - 2 * line_of("mtn", 5).agent_price_pesewas
    assert (
        f'<a href="/wallet"><span>Wallet, GH₵</span><b>{money.format_ghs(left)}</b></a>'
        in page
    )
    assert "Open 2 new orders" in page


def test_what_was_delivered_today(ama_agent: Visitor, place: Any, line_of: Any) -> None:
    line = line_of("mtn", 5)
    for index, state in enumerate(("completed", "completed", "refunded", "processing")):
        place(number=f"024000000{index}", state=state)
    place("kofi", state="completed")
    page = ama_agent.get("/").text
    assert (
        f'2 orders, <span class="money">{money.cedis(2 * line.price_pesewas)}</span> sold'
        in page
    )
    assert (
        "<span"
        f' class="money">{money.cedis(2 * (line.price_pesewas - line.agent_price_pesewas))}</span>'
        in page
    )


def test_yesterday_is_not_today(
    logged_in: Callable[..., Visitor], place: Any, jump: Callable[[float], None]
) -> None:
    place(state="completed")
    jump(86_400)
    assert (
        "Nothing delivered yet today"
        in logged_in("ama@example.test", "portal", "ama").get("/").text
    )


def test_the_stores_link_can_be_copied_and_shared(ama_agent: Visitor) -> None:
    page = ama_agent.get("/").text
    assert 'data-copy="http://ama.localhost' in page
    assert (
        "https://wa.me/?text=Buy%20data%20bundles%20from%20Ama%27s%20Data%3A%20http%3A//ama.localhost"
        in page
    )


def test_the_road_to_the_first_sale_ends_with_it(
    ama_agent: Visitor, place: Any
) -> None:
    page = ama_agent.get("/").text
    assert (
        "To your first sale" in page
        and page.count('class="is-done"') == 4
        and "Share your store’s link" in page
    )
    place()
    assert ama_agent.get("/").text.count('class="is-done"') == 5
    place(number="0240000001", state="completed")
    assert "To your first sale" not in ama_agent.get("/").text


def test_a_closed_store_and_paused_sales_are_said(app: Any, ama_agent: Visitor) -> None:
    from core import catalog

    with app.app_context(), tenancy.across_stores():
        tables_owner.execute(
            update(Store)
            .where(Store.slug == "ama")
            .values(status="closed", closed_note="Back <b>Monday</b>")
        )
        catalog.pause_sales("float is low", SYSTEM)
    page = ama_agent.get("/").text
    assert "Your store is closed" in page and "Back &lt;b&gt;Monday&lt;/b&gt;" in page
    assert (
        "All sales are paused" in page
        and ": float is low. Customers cannot order meanwhile" in page
    )
