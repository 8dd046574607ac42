"""A test order through the doors people use: made by the store's owner, marked wherever it is seen,
in no sum."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from visitors import Visitor

from core import catalog
from core.orders import Order, testing

pytestmark = pytest.mark.slow(seconds=0.1)

KEY = "k" * 24


@pytest.fixture
def form(as_store: Any) -> dict[str, str]:
    """As its page sends it."""
    bundle = as_store("ama", lambda: catalog.shelf()[0].bundle_id)
    return {"bundle": str(bundle), "ending": "delivered", "key": KEY}


@pytest.fixture
def made(ama_agent: Visitor, form: dict[str, str], as_store: Any) -> Order:
    assert ama_agent.post("/test-order", form).status_code == 303
    return as_store("ama", lambda: testing.newest()[0])  # type: ignore[no-any-return]


def ours(as_store: Any) -> list[Order]:
    return as_store("ama", testing.newest)  # type: ignore[no-any-return]


def test_the_owner_makes_one_and_a_second_press_finds_it(
    ama_agent: Visitor, form: dict[str, str], as_store: Any
) -> None:
    page = ama_agent.get("/test-order").text
    assert 'action="/test-order"' in page and "10 of 10 left today" in page
    answers = [ama_agent.post("/test-order", form) for _ in range(2)]
    (order,) = ours(as_store)
    assert {one.location for one in answers} == {f"/orders/{order.code}"}
    assert "Made before: this is that test order." in ama_agent.get("/orders").text
    assert order.shown_code in ama_agent.get("/test-order").text


def test_others_read_who_may(
    logged_in: Callable[..., Visitor], form: dict[str, str], as_store: Any
) -> None:
    cashier = logged_in("cashier@example.test", "portal", "ama")
    answer = cashier.post("/test-order", form)
    assert answer.status_code == 403 and "Its owner may do this" in answer.text
    page = cashier.get("/test-order").text
    assert "Only the store’s owner may make a test order." in page
    assert 'action="/test-order"' not in page and ours(as_store) == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"bundle": ""}, "Choose a bundle from the list."),
        ({"bundle": "9" * 30}, "Choose a bundle from the list."),
        ({"bundle": "999999"}, "This bundle is not on your shelf any more."),
        ({"bundle": "\N{RIGHT-TO-LEFT OVERRIDE}1"}, "Choose a bundle from the list."),
        ({"ending": "<b>"}, "Choose how it is to end."),
    ],
)
def test_what_cannot_be_used_is_a_sentence_and_the_rest_is_kept(
    ama_agent: Visitor,
    form: dict[str, str],
    as_store: Any,
    change: dict[str, str],
    sentence: str,
) -> None:
    answer = ama_agent.post("/test-order", form | {"ending": "failed"} | change)
    assert answer.status_code == 422 and sentence in answer.text
    assert f'value="{KEY}"' in answer.text and ours(as_store) == []
    if "ending" not in change:
        assert 'value="failed" checked' in answer.text


def test_a_store_that_is_not_approved_makes_one_from_its_list(
    ama_agent: Visitor, form: dict[str, str], superuser: Any, as_store: Any
) -> None:
    superuser.execute("UPDATE stores SET status = 'closed', approval = 'waiting'")
    home = ama_agent.get("/").text
    assert '<a href="/test-order">Make a test order: no money moves</a>' in home
    assert "/test-order" in ama_agent.get("/store").text
    assert ama_agent.post("/test-order", form).status_code == 303
    assert "You made a test order" in ama_agent.get("/").text
    (order,) = ours(as_store)
    page = ama_agent.get(f"/orders/{order.code}").text
    assert "What the customer sees shows once your store is approved." in page


def test_it_is_marked_wherever_it_is_seen(
    ama_agent: Visitor, customer: Visitor, owner: Visitor, made: Order
) -> None:
    code = made.code
    row = _row(ama_agent.get("/orders").text, code)
    assert ">TEST</strong>" in row and 'data-cost="0' in row
    page = ama_agent.get(f"/orders/{code}").text
    assert "<strong>TEST</strong></h1>" in page and "TEST · New" in page
    assert "no money moves and no data is sent" in page
    assert (
        "wa.me" not in page.partition('class="actions act"')[2].partition("</div>")[0]
    )
    for path in (f"/orders/{code}", f"/tw/orders/{code}", f"/orders/{code}/receipt"):
        seen = customer.get(path).text
        assert "TEST · " in seen, path
    seen = customer.get(f"/orders/{code}").text
    assert "This is a test order of the store. Nothing is to be paid" in seen
    assert "How to pay" not in seen and "I have paid" not in seen
    assert "None: this is a test order" in customer.get(f"/orders/{code}/receipt").text
    listed = owner.get("/orders").text
    assert "TEST · New" in listed and made.shown_code in listed
    assert "TEST · " in owner.get(f"/orders/{code}").text
    assert "made a test order in" in owner.get("/audit").text
    assert made.shown_code not in owner.get("/orders?state=pending").text


def test_it_is_in_no_sum_of_the_portal(
    ama_agent: Visitor, made: Order, place: Any
) -> None:
    real = place()
    files = ama_agent.get("/orders.csv?tab=all").text
    assert made.shown_code not in files and f"{real[:4]}-{real[4:8]}" in files
    everything = ama_agent.get("/orders/all?tab=new").text
    assert real in everything and made.code not in everything
    asked = ama_agent.post("/orders/cancel", {"order": [made.code]}).text
    assert "0.00?</h1>" in asked and ">TEST</strong>" in asked
    pressed = ama_agent.post("/orders/process", {"order": [made.code]}).text
    group = pressed.partition('<p class="group')[2].partition("</p>")[0]
    assert "0.00" in group and ">TEST</strong>" in pressed


def test_what_is_said_of_real_money_is_not_said_of_it(
    ama_agent: Visitor, made: Order, superuser: Any, using: Any
) -> None:
    """A wallet that is empty, a cost that has risen, a paused network: none keeps it from going."""
    using(undo_s=5)
    superuser.execute(
        "UPDATE bundles SET cost_pesewas = 99999, agent_price_pesewas = 100000"
    )
    page = ama_agent.get(f"/orders/{made.code}").text
    assert "Its cost has risen" not in page
    refused = ama_agent.post(f"/orders/{made.code}/reprice", {"cost": "100000"})
    assert "it costs nothing to process" in ama_agent.get(refused.location).text
    answer = ama_agent.post(f"/orders/{made.code}/process")
    assert answer.status_code == 303
    assert "pressed Process" in ama_agent.get(f"/orders/{made.code}").text


def test_another_store_sees_nothing_of_it(
    kofi_agent: Visitor, visitor: Callable[[str], Visitor], made: Order
) -> None:
    assert kofi_agent.get(f"/orders/{made.code}").status_code == 404
    assert kofi_agent.post(f"/orders/{made.code}/process").status_code == 404
    assert visitor("kofi").get(f"/orders/{made.code}").status_code == 404
    assert made.shown_code not in kofi_agent.get("/test-order").text


def _row(page: str, code: str) -> str:
    found = re.search(rf'<tr id="o-{code}".*?</tr>', page, re.DOTALL)
    assert found
    return found[0]
