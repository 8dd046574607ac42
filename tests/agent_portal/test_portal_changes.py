"""Costs that changed, as the agent sees them: before and after, one press to keep the margin,
orders at the new cost."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from seed import WALLET_PESEWAS, offers
from visitors import Visitor

from core import catalog, ledger, orders
from core.audit import Actor
from core.base import money, tenancy
from core.catalog import PriceLine
from core.orders import Order
from tests.support import axe

OWNER = Actor("owner", "Owner")
NBSP = "\N{NO-BREAK SPACE}"


@pytest.fixture
def cost(app: Flask) -> Callable[..., None]:
    """The supplier's list says so now, and the owner approves it (`approve=False`: he has yet
    to)."""

    def move(approve: bool = True, **costs: int) -> None:
        with app.app_context(), tenancy.across_stores():
            listed = [
                replace(one, cost_pesewas=costs.get(one.product_code, one.cost_pesewas))
                for one in offers()
            ]
            catalog.apply_sync("datamart", listed)
            if approve:
                catalog.approve(
                    {one.bundle.id: one.seen for one in catalog.questions()}, OWNER
                )

    return move


def seen(page: str) -> dict[str, str]:
    return dict(re.findall(r'name="(seen-\d+)" value="(\d+)"', page))


@pytest.mark.slow(seconds=0.2)
def test_home_and_prices_say_what_changed(
    ama_agent: Visitor, cost: Callable[..., None]
) -> None:
    assert "something else now" not in ama_agent.get("/").text
    cost(YELLOW_5GB=2_900)
    for path in ("/", "/prices"):
        page = ama_agent.get(path).text
        assert (
            "1 bundle costs you something else now; 1 is not sold until you raise your price"
            in page
        )
        assert 'MTN 5 GB: 23.67 → <span class="strong">29.58</span>' in page
    page = ama_agent.get("/prices/changes").text
    assert "29.58" in page and "23.20" not in page and "29.00" not in page, (
        "the supplier's cost is nobody's business"
    )


def test_one_press_keeps_the_margin_and_a_second_changes_nothing(
    ama_agent: Visitor, line_of: Callable[..., PriceLine], cost: Callable[..., None]
) -> None:
    before = line_of("mtn", 5)
    cost(YELLOW_5GB=2_900)
    shown = seen(ama_agent.get("/").text)
    for _ in range(2):
        assert ama_agent.post("/prices/changes", data=shown).status_code == 303
    after = line_of("mtn", 5)
    assert before.price_pesewas is not None and after.price_pesewas is not None
    assert (
        after.price_pesewas - after.agent_price_pesewas
        == before.price_pesewas - before.agent_price_pesewas
    )
    assert not after.below_floor
    assert "something else now" not in ama_agent.get("/").text


def test_a_hidden_bundle_stays_hidden_and_keeps_its_margin(
    ama_agent: Visitor,
    line_of: Callable[..., PriceLine],
    cost: Callable[..., None],
    in_store: Callable[..., Any],
) -> None:
    line = line_of("mtn", 5)
    in_store("ama", lambda: catalog.save_price(line.bundle_id, 3_000, True, OWNER))
    cost(YELLOW_5GB=2_900)
    assert "something else now" not in ama_agent.get("/").text
    ama_agent.post("/prices/changes", data=seen(ama_agent.get("/prices/changes").text))
    after = line_of("mtn", 5)
    assert (after.hidden, after.price_pesewas) == (
        True,
        3_000 + after.agent_price_pesewas - line.agent_price_pesewas,
    )


def test_one_of_several_and_leaving_the_rest(
    ama_agent: Visitor, line_of: Callable[..., PriceLine], cost: Callable[..., None]
) -> None:
    one, other = line_of("mtn", 5), line_of("telecel", 5)
    cost(YELLOW_5GB=2_900, TELECEL_5GB=1_500)
    page = ama_agent.get("/prices/changes").text
    ama_agent.post("/prices/changes", data={**seen(page), "line": str(one.bundle_id)})
    assert line_of("telecel", 5).price_pesewas == other.price_pesewas
    page = ama_agent.get("/prices/changes").text
    ama_agent.post("/prices/changes", data={**seen(page), "do": "leave"})
    assert line_of("telecel", 5).price_pesewas == other.price_pesewas
    assert "No cost has changed" in ama_agent.get("/prices/changes").text


def test_a_press_about_a_cost_that_moved_again_does_nothing(
    ama_agent: Visitor, line_of: Callable[..., PriceLine], cost: Callable[..., None]
) -> None:
    cost(YELLOW_5GB=2_900)
    shown, before = seen(ama_agent.get("/").text), line_of("mtn", 5).price_pesewas
    cost(YELLOW_5GB=3_300)
    ama_agent.post("/prices/changes", data=shown)
    assert line_of("mtn", 5).price_pesewas == before
    assert "has moved again" in ama_agent.get("/prices/changes").text


def test_other_stores_and_cashiers_change_nothing(
    ama_agent: Visitor,
    logged_in: Callable[..., Visitor],
    line_of: Callable[..., PriceLine],
    cost: Callable[..., None],
) -> None:
    cost(YELLOW_5GB=2_900)
    before = line_of("mtn", 5, "kofi").price_pesewas
    cashier = logged_in("cashier@example.test", "portal", "ama")
    page = cashier.get("/").text
    assert "something else now" in page and "Keep my margin" not in page
    assert (
        cashier.post("/prices/changes", data=seen(ama_agent.get("/").text)).status_code
        == 403
    )
    ama_agent.post("/prices/changes", data=seen(ama_agent.get("/").text))
    assert line_of("mtn", 5, "kofi").price_pesewas == before


def test_home_says_what_nobody_sells_and_why(
    ama_agent: Visitor, app: Flask, cost: Callable[..., None]
) -> None:
    cost(approve=False, YELLOW_5GB=2_900)
    for path in ("/", "/prices"):
        page = ama_agent.get(path).text
        assert (
            "MTN 5 GB: not sold now" in page
            and "is being decided" in page
            and "29.00" not in page
        )
    with app.app_context(), tenancy.across_stores():
        catalog.apply_sync("datamart", offers()[1:])
    page = ama_agent.get("/").text
    assert (
        "MTN 1 GB: not sold now" in page
        and "does not offer it now" in page
        and "MTN 5 GB" not in page
    )
    cost()
    assert "not sold now" not in ama_agent.get("/").text


@pytest.mark.browser
@pytest.mark.slow(seconds=8)
@pytest.mark.parametrize(("width", "dark"), [(320, False), (1280, True)])
def test_axe_finds_nothing_and_nothing_is_wider_than_the_screen(
    open_page: Callable[..., Any],
    place: Callable[..., str],
    cost: Callable[..., None],
    width: int,
    dark: bool,
) -> None:
    code = place()
    cost(YELLOW_5GB=4_000, TELECEL_5GB=1_500)
    cost(approve=False, YELLOW_5GB=4_000, TELECEL_5GB=1_500, AT_PREMIUM_5GB=3_000)
    page = open_page("ama", width=width, height=800, dark=dark)
    for path, shows in (
        ("/", "not sold now"), ("/prices", "not sold until the new one is settled"),
        ("/prices/changes", "Keep my margin on all 2"), (f"/orders/{code}", "I take the loss"),
    ):  # fmt: skip
        page.goto(path)
        assert shows in page.content()
        assert axe.faults(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width


# -- an open order whose cost has risen


def wallet(in_store: Callable[..., Any], slug: str = "ama") -> tuple[int, int]:
    def read() -> tuple[int, int]:
        found = ledger.wallet()
        return found.available_pesewas, found.held_pesewas

    return in_store(slug, read)  # type: ignore[no-any-return]


def test_the_order_is_processed_once_at_the_new_cost_when_the_agent_says_so(
    ama_agent: Visitor, place: Callable[..., str], order_of: Callable[..., Order],
    cost: Callable[..., None],
    in_store: Callable[..., Any],
) -> None:  # fmt: skip
    code = place()
    placed = order_of(code)
    cost(YELLOW_5GB=2_400)
    new = catalog.agent_price(2_400)
    assert placed.agent_price_pesewas < new <= placed.price_pesewas
    refused = ama_agent.post(f"/orders/{code}/process")
    assert "costs you" in ama_agent.refused(refused)
    page = ama_agent.get(f"/orders/{code}").text
    assert f'name="cost" value="{new}"' in page and "I take the loss" not in page
    assert "24.00" not in page
    for _ in range(2):
        assert (
            ama_agent.post(f"/orders/{code}/reprice", data={"cost": new}).status_code
            == 303
        )
    order = order_of(code)
    assert (order.state, order.agent_price_pesewas, order.cost_pesewas) == (
        "queued",
        new,
        2_400,
    )
    assert order.price_pesewas == placed.price_pesewas
    assert wallet(in_store) == (WALLET_PESEWAS - new, new)
    events = [
        event
        for event in in_store("ama", lambda: orders.timeline(order))
        if event.kind == "repriced"
    ]
    assert [event.detail for event in events] == [
        {
            "from_pesewas": placed.agent_price_pesewas,
            "to_pesewas": new,
            "loss_pesewas": 0,
        }
    ]


def test_above_the_customer_s_price_only_with_the_named_loss(
    ama_agent: Visitor, place: Callable[..., str], order_of: Callable[..., Order],
    cost: Callable[..., None],
    in_store: Callable[..., Any],
) -> None:  # fmt: skip
    code = place()
    cost(YELLOW_5GB=4_000)
    new, price = catalog.agent_price(4_000), order_of(code).price_pesewas
    page = ama_agent.get(f"/orders/{code}").text
    assert f'name="accept" value="{new - price}"' in page
    for form in ({"cost": new}, {"cost": new, "accept": new - price - 1}):
        refused = ama_agent.post(f"/orders/{code}/reprice", data=form)
        assert "you lose" in ama_agent.refused(refused)
    assert (order_of(code).state, wallet(in_store)) == ("pending", (WALLET_PESEWAS, 0))
    assert (
        ama_agent.post(
            f"/orders/{code}/reprice", data={"cost": new, "accept": new - price}
        ).status_code
        == 303
    )
    order = order_of(code)
    assert (order.state, order.profit_pesewas) == ("queued", price - new)
    assert wallet(in_store) == (WALLET_PESEWAS - new, new)


def test_a_figure_that_moved_again_is_refused_and_a_cost_that_fell_back_is_free(
    ama_agent: Visitor,
    place: Callable[..., str],
    order_of: Callable[..., Order],
    cost: Callable[..., None],
) -> None:
    code = place()
    before = order_of(code).agent_price_pesewas
    cost(YELLOW_5GB=2_400)
    shown = catalog.agent_price(2_400)
    facts = ama_agent.get(f"/orders/{code}").text.partition('id="facts"')[2]
    assert (
        f"{money.cedis(shown)} <span" in facts
        and f"now, {money.cedis(before)} when it was ordered" in facts
    )
    assert f'strong">{money.cedis(order_of(code).price_pesewas - shown)}</dd>' in facts
    cost(YELLOW_5GB=2_450)
    refused = ama_agent.post(f"/orders/{code}/reprice", data={"cost": shown})
    assert "by now" in ama_agent.refused(refused)
    cost()
    assert (
        ama_agent.post(f"/orders/{code}/reprice", data={"cost": shown}).status_code
        == 303
    )
    assert order_of(code).agent_price_pesewas == before


def test_while_the_owner_has_not_decided_there_is_no_new_cost(
    ama_agent: Visitor,
    place: Callable[..., str],
    cost: Callable[..., None],
    in_store: Callable[..., Any],
) -> None:
    code = place()
    cost(approve=False, YELLOW_5GB=2_900)
    told = ama_agent.get(f"/orders/{code}").text
    assert "is being decided" in told and f"/orders/{code}/process" not in told, (
        "before anybody presses"
    )
    page = ama_agent.post(
        f"/orders/{code}/reprice", data={"cost": 2_958, "accept": 10_000}
    )
    assert "is being decided" in ama_agent.refused(page)
    assert (
        in_store("ama", lambda: orders.cancel(code, Actor("agent", "Ama")).state)
        == "cancelled"
    )


def test_with_too_little_in_the_wallet_nothing_is_repriced(
    ama_agent: Visitor, place: Callable[..., str], order_of: Callable[..., Order],
    cost: Callable[..., None],
    in_store: Callable[..., Any],
) -> None:  # fmt: skip
    code = place()
    before = order_of(code)
    cost(YELLOW_5GB=60_000)
    new = catalog.agent_price(60_000)
    loss = new - before.price_pesewas
    refused = ama_agent.post(
        f"/orders/{code}/reprice", data={"cost": new, "accept": loss}
    )
    assert "in your wallet" in ama_agent.refused(refused)
    order = order_of(code)
    assert (order.state, order.agent_price_pesewas, order.repriced_at) == (
        "pending",
        before.agent_price_pesewas,
        None,
    )


def test_eight_presses_at_once_hold_once(
    app: Flask, place: Callable[..., str], order_of: Callable[..., Order], cost: Callable[...,
    None],
    in_store: Callable[..., Any],
) -> None:  # fmt: skip
    code = place()
    cost(YELLOW_5GB=2_400)
    new = catalog.agent_price(2_400)
    ready, failed = threading.Barrier(8), []

    def press() -> None:
        ready.wait()
        try:
            in_store("ama", lambda: orders.process_at(code, Actor("agent", "Ama"), new))
        except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
            failed.append(error)

    threads = [threading.Thread(target=press) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert wallet(in_store) == (WALLET_PESEWAS - new, new)
    assert order_of(code).state == "queued"


def test_no_store_prices_an_order_by_hand(
    as_store: Callable[..., Any],
    place: Callable[..., str],
    order_of: Callable[..., Order],
) -> None:
    """Through the function of the database: only what the bundle costs now, only upwards, only an
    order of its own."""
    from sqlalchemy import func, select

    from core.base.db import db, transaction

    mine, theirs = order_of(place()), order_of(place("kofi"), "kofi")

    def try_(order: Order, price: int) -> bool | None:
        from core.base import clock

        with transaction():
            return db.session.scalar(
                select(func.makola_reprice(order.id, price, clock.now()))
            )

    for order, price in (
        (mine, 1),
        (mine, mine.agent_price_pesewas),
        (mine, 99_999),
        (theirs, theirs.agent_price_pesewas),
    ):
        assert (
            as_store("ama", lambda order=order, price=price: try_(order, price))
            is False
        )
