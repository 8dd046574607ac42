"""An order for somebody at the counter: three fields, one order a press, asked again where it is odd,
refused with why."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import tables_owner
from flask import Flask
from visitors import Visitor

from core import catalog, orders
from core.audit import SYSTEM
from core.base import tenancy
from core.base.db import db
from core.orders import Order

KEY = "walk-in-key-of-a-test-01"


@pytest.fixture
def bundle(line_of: Any) -> Callable[..., str]:
    """What the form sends for a bundle: its id and the price that was seen."""

    def value(network: str = "mtn", gb: int = 5) -> str:
        line = line_of(network, gb)
        return f"{line.bundle_id}-{line.price_pesewas}"

    return value


@pytest.fixture
def placed(app: Flask) -> Callable[[], list[Order]]:
    """All orders of the platform, oldest first."""

    def read() -> list[Order]:
        with app.app_context(), tenancy.across_stores():
            found = list(db.session.scalars(db.select(Order).order_by(Order.id)))
            db.session.remove()
            return found

    return read


def form(bundle: str, **more: str) -> dict[str, str]:
    return {"number": "024 123 4567", "bundle": bundle, "key": KEY, **more}


def test_three_fields_are_an_order_with_the_prices_of_now(
    ama_agent: Visitor, bundle: Any, placed: Any, line_of: Any, in_store: Any
) -> None:
    page = ama_agent.get("/orders/new").text
    assert "MTN 5 GB" in page and 'name="number"' in page and 'name="name"' in page
    answer = ama_agent.post("/orders/new", form(bundle(), name=" Kofi "))
    (order,) = placed()
    line = line_of("mtn", 5)
    assert answer.status_code == 303 and order.code in answer.location
    assert (order.source, order.customer_name, order.state) == (
        "walk_in",
        "Kofi",
        "pending",
    )
    assert order.recipient_msisdn == "+233241234567"
    assert order.price_pesewas == line.price_pesewas
    assert order.agent_price_pesewas == line.agent_price_pesewas
    first = in_store("ama", lambda: orders.timeline(orders.by_code(order.code)))[0]
    assert first.text == "Ama placed the order."


def test_networks_stand_in_the_order_of_the_shelf(ama_agent: Visitor) -> None:
    """Not in that of their keys, which puts the smallest first."""
    for path in ("/orders/new", "/test-order"):
        groups = re.findall(r'<optgroup label="(\w+)"', ama_agent.get(path).text)
        assert groups == ["MTN", "Telecel", "AT"], path


def test_it_can_be_processed_with_the_same_press(
    ama_agent: Visitor, bundle: Any, placed: Any
) -> None:
    ama_agent.post("/orders/new", form(bundle(), then="process"))
    assert [order.state for order in placed()] == ["queued"]


def test_pressed_twice_it_is_one_order_and_says_so(
    ama_agent: Visitor, bundle: Any, placed: Any
) -> None:
    ama_agent.post("/orders/new", form(bundle()))
    again = ama_agent.post("/orders/new", form(bundle()))
    assert len(placed()) == 1
    assert "Nothing was ordered twice" in ama_agent.get(again.location).text
    ama_agent.post("/orders/new", {**form(bundle()), "number": "024 123 4568"})
    assert len(placed()) == 2, "another number is another order"


def test_sent_again_it_does_not_process_what_was_taken_back(
    ama_agent: Visitor, bundle: Any, placed: Any
) -> None:
    ama_agent.post("/orders/new", form(bundle()))
    ama_agent.post("/orders/new", form(bundle(), then="process"))
    assert [order.state for order in placed()] == ["pending"]


def test_the_same_number_and_size_minutes_later_is_asked_again(
    ama_agent: Visitor, bundle: Any, placed: Any
) -> None:
    ama_agent.post("/orders/new", form(bundle()))
    again = form(bundle(), key="another-key-of-a-test-1")
    page = ama_agent.post("/orders/new", again)
    assert page.status_code == 422 and len(placed()) == 1
    assert placed()[0].shown_code in page.text and "Order it all the same" in page.text
    assert "024 123 4567" in page.text
    ama_agent.post("/orders/new", {**again, "meant": "1"})
    assert len(placed()) == 2


def test_a_number_of_another_network_is_asked_and_not_refused(
    ama_agent: Visitor, bundle: Any, placed: Any
) -> None:
    odd = {**form(bundle()), "number": "020 123 4567"}
    page = ama_agent.post("/orders/new", odd)
    assert page.status_code == 422 and placed() == []
    assert "looks like Telecel" in page.text
    ama_agent.post("/orders/new", {**odd, "meant": "1"})
    assert len(placed()) == 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"number": "024 123 456"}, "9 digits"),
        ({"number": ""}, "Type the number"),
        ({"number": "0302 123 456"}, "landline"),
        ({"bundle": ""}, "Choose a bundle"),
        ({"bundle": "x"}, "Choose a bundle"),
        ({"bundle": "999999999-1"}, "not on your shelf"),
        ({"number": "9" * 5_000}, "too long"),
    ],
)
def test_what_cannot_be_used_says_how_to_fix_it_and_is_kept(
    ama_agent: Visitor, bundle: Any, placed: Any, change: Any, says: str
) -> None:
    page = ama_agent.post("/orders/new", {**form(bundle(), name="Kofi"), **change})
    assert page.status_code == 422 and placed() == []
    assert says in page.text and "Nothing was ordered yet" in page.text
    assert 'value="Kofi"' in page.text


def test_a_price_that_moved_is_shown_before_it_is_taken(
    ama_agent: Visitor, bundle: Any, placed: Any, line_of: Any, in_store: Any
) -> None:
    seen = form(bundle())
    line = line_of("mtn", 5)
    new = line.price_pesewas + 100
    in_store("ama", lambda: catalog.save_price(line.bundle_id, new, False, SYSTEM))
    page = ama_agent.post("/orders/new", seen)
    assert page.status_code == 422 and placed() == []
    assert f"{new / 100:.2f}" in page.text


def test_what_cannot_be_bought_now_is_refused_with_why(
    ama_agent: Visitor, bundle: Any, placed: Any, across: Any
) -> None:
    catalog.pause_network("mtn", "the supplier asked", SYSTEM)
    page = ama_agent.post("/orders/new", form(bundle()))
    assert page.status_code == 422 and placed() == []
    assert "MTN is paused" in page.text


def test_a_closed_store_takes_none(
    ama_agent: Visitor, bundle: Any, placed: Any
) -> None:
    tables_owner.execute("UPDATE stores SET status = 'closed' WHERE slug = 'ama'")
    page = ama_agent.post("/orders/new", form(bundle()))
    assert page.status_code == 422 and placed() == []
    assert "Your store is closed" in page.text


def test_a_wallet_that_does_not_reach_leaves_the_order_placed(
    ama_agent: Visitor, bundle: Any, placed: Any, nearly_empty: Any
) -> None:
    nearly_empty()
    answer = ama_agent.post("/orders/new", form(bundle("mtn", 10), then="process"))
    assert placed()[-1].state == "pending"
    page = ama_agent.get(answer.location.partition("#")[0]).text
    assert "placed and was not processed" in page and "How to fund it" in page


def test_a_viewer_looks_and_does_not_order(
    logged_in: Callable[..., Visitor], bundle: Any, placed: Any
) -> None:
    viewer = logged_in("viewer@example.test", "portal", "ama")
    assert "Only the store’s owner and cashiers" in viewer.get("/orders/new").text
    assert viewer.post("/orders/new", form(bundle())).status_code == 403
    assert placed() == []


def test_the_same_key_in_two_stores_is_two_orders(
    ama_agent: Visitor, kofi_agent: Visitor, bundle: Any, placed: Any
) -> None:
    ama_agent.post("/orders/new", form(bundle()))
    kofi_agent.post("/orders/new", form(bundle()))
    assert len({order.store_id for order in placed()}) == 2


def test_what_was_typed_waits_for_the_next_log_in(
    ama_agent: Visitor, bundle: Any, app: Flask
) -> None:
    page = ama_agent.get("/orders/new").text
    drawn = re.search(r'name="drawn_for" value="([^"]+)"', page)
    assert drawn
    tables_owner.execute("DELETE FROM sessions")
    answer = ama_agent.post(
        "/orders/new", form(bundle(), name="Kofi", drawn_for=drawn[1])
    )
    assert answer.location.startswith("/login")
