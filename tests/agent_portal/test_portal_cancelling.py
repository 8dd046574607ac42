"""Cancelling a selection: it asks, with count and sum, and then each order by itself (fault
S13)."""

from __future__ import annotations

import threading
from typing import Any

import psycopg
import pytest
from store_customers import fields as hidden_fields
from store_customers import parse_clean
from visitors import Visitor

from core import orders
from core.base import money, tenancy
from core.orders.selecting import IN_THE_WAY


def check(agent: Visitor, codes: list[str], **more: str) -> Any:
    return agent.post("/orders/cancel", {"order": codes, **more})


def confirm(agent: Visitor, codes: list[str], **more: str) -> Any:
    return check(agent, codes, confirm="1", **more)


def test_the_queue_offers_it_beside_process(ama_agent: Visitor, place: Any) -> None:
    place()
    page = ama_agent.get("/orders").text
    assert 'formaction="/orders/cancel"' in page
    assert "/orders/cancel" not in ama_agent.get("/orders?tab=done").text


def test_it_asks_with_count_and_sum_and_changes_nothing(
    ama_agent: Visitor, place: Any, order_of: Any, counts: Any
) -> None:
    codes = [
        place(),
        place(gb=1, number="0551112222"),
        place(gb=10, number="0553334444"),
    ]
    before = counts()
    page = check(ama_agent, codes[:2], back="/orders?tab=new&q=0")
    assert page.status_code == 200
    total = sum(order_of(code).price_pesewas for code in codes[:2])
    assert f"<h1>Cancel 2 orders, GH₵ {money.format_ghs(total)}?</h1>" in page.text
    assert "Yes, cancel 2 orders" in page.text
    assert 'href="/orders?tab=new&amp;q=0"' in page.text
    assert page.text.count('name="order"') == 2
    parse_clean(page.text)
    assert counts() == before
    assert {order_of(code).state for code in codes} == {"pending"}


def test_one_press_more_cancels_each_and_says_so(
    ama_agent: Visitor, place: Any, order_of: Any, wallet: Any
) -> None:
    codes = [place(), place(number="0551112222"), place(number="0553334444")]
    before = wallet()
    page = confirm(ama_agent, codes[:2])
    assert page.status_code == 200
    assert "<h1>2 cancelled</h1>" in page.text
    assert [order_of(code).state for code in codes] == [
        "cancelled",
        "cancelled",
        "pending",
    ]
    assert wallet() == before
    parse_clean(page.text)


def test_pressed_twice_it_cancels_once(
    ama_agent: Visitor, place: Any, counts: Any
) -> None:
    codes = [place(), place(number="0551112222")]
    confirm(ama_agent, codes)
    before = counts()
    page = confirm(ama_agent, codes)
    assert "<h1>0 cancelled, 2 before</h1>" in page.text
    assert counts() == before


def test_two_people_at_once_cancel_each_order_once(
    ama_agent: Visitor, logged_in: Any, place: Any, in_store: Any
) -> None:
    cashier = logged_in("cashier@example.test", "portal", "ama")
    codes = [place(number=f"02411100{number:02}") for number in range(6)]
    gate, pages = threading.Barrier(2), []

    def press(person: Visitor, mine: list[str]) -> None:
        gate.wait()
        pages.append(confirm(person, mine).text)

    people = ((ama_agent, codes), (cashier, codes[::-1]))
    threads = [threading.Thread(target=press, args=one) for one in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kinds = in_store(
        "ama",
        lambda: [
            [event.kind for event in orders.timeline(orders.by_code(c))] for c in codes
        ],
    )
    assert kinds == [["placed", "cancelled"]] * 6


def test_one_that_was_processed_meanwhile_goes_on(
    ama_agent: Visitor, place: Any, order_of: Any, wallet: Any
) -> None:
    codes = [place(), place(number="0551112222")]
    assert check(ama_agent, codes).status_code == 200
    ama_agent.post(f"/orders/{codes[0]}/process")
    held = wallet()
    page = confirm(ama_agent, codes)
    assert "<h1>1 cancelled, 1 skipped</h1>" in page.text
    assert "already on its way" in page.text
    assert [order_of(code).state for code in codes] == ["queued", "cancelled"]
    assert wallet() == held
    again = check(ama_agent, [codes[0], place(number="0557778888")])
    assert "1 of your selection is left out" in again.text
    assert "Cancel 1 order, " in again.text


def test_an_expired_one_is_told_as_such(
    app: Any, ama_agent: Visitor, place: Any, order_of: Any, jump: Any, logged_in: Any
) -> None:
    code, young = place(), ""
    jump(86_401)
    young = place(number="0551112222")
    with app.app_context(), tenancy.across_stores():
        assert orders.expire_pending() == 1
    agent = logged_in("ama@example.test", "portal", "ama")
    page = confirm(agent, [code, young])
    assert "<h1>1 cancelled, 1 skipped</h1>" in page.text
    assert "This order has expired: nothing was sent" in page.text
    done = agent.get("/orders?tab=done").text
    assert code in done
    assert "Expired" in done
    assert "Nothing was sent" in agent.get(f"/orders/{code}").text
    refused = agent.post(f"/orders/{code}/process")
    assert "This order is expired: it cannot be processed." in agent.refused(refused)


@pytest.mark.slow(seconds=1.4)
def test_a_locked_one_holds_up_no_other(
    ama_agent: Visitor, place: Any, order_of: Any, postgres: dict[str, str]
) -> None:
    codes = [place(), place(number="0551112222")]
    with psycopg.connect(postgres["super"]) as session:
        session.execute("SELECT 1 FROM orders WHERE code = %s FOR UPDATE", (codes[0],))
        page = confirm(ama_agent, codes)
    assert "<h1>1 cancelled, 1 skipped</h1>" in page.text
    assert IN_THE_WAY in page.text
    assert [order_of(code).state for code in codes] == ["pending", "cancelled"]


@pytest.mark.parametrize(
    ("form", "status", "sentence"),
    [
        ({}, 303, "Select at least one order first."),
        ({"order": ["", " "]}, 303, "Select at least one order first."),
        (
            {"order": [f"{i:010d}" for i in range(201)]},
            303,
            "Select at most 200 orders at a time.",
        ),
        ({"order": "\x00"}, 404, "There is no page at this address."),
        (
            {"order": "' OR 1=1 --", "confirm": "1"},
            404,
            "There is no page at this address.",
        ),
    ],
)
def test_a_wrong_selection_changes_nothing(
    ama_agent: Visitor,
    place: Any,
    counts: Any,
    form: dict[str, Any],
    status: int,
    sentence: str,
) -> None:
    place()
    before = counts()
    answer = ama_agent.post("/orders/cancel", form)
    said = ama_agent.get(answer.location).text if status == 303 else answer.text
    assert (answer.status_code, sentence in said) == (status, True)
    assert counts() == before


def test_only_for_those_who_may_and_in_their_own_store(
    ama_agent: Visitor, logged_in: Any, place: Any, order_of: Any
) -> None:
    own, foreign = place(), place("kofi", number="0248888888")
    viewer = logged_in("viewer@example.test", "portal", "ama")
    assert confirm(viewer, [own]).status_code == 403
    assert ama_agent.post(
        "/orders/cancel", {"order": own, "confirm": "1"}, csrf=False
    ).status_code in (400, 403)
    page = confirm(ama_agent, [own, foreign])
    assert "1 cancelled, 1 skipped" in page.text
    assert order_of(foreign, "kofi").state == "pending"
    assert check(ama_agent, [foreign]).status_code == 404


def test_none_that_is_new_is_said(ama_agent: Visitor, place: Any) -> None:
    answer = check(ama_agent, [place(state="queued")])
    assert (answer.status_code, answer.location) == (303, "/orders")
    assert (
        "Nothing was cancelled. None of these orders is new any more"
        in ama_agent.get("/orders").text
    )


def test_a_reload_of_the_check_page_leads_to_the_queue(ama_agent: Visitor) -> None:
    answer = ama_agent.get("/orders/cancel")
    assert (answer.status_code, answer.location) == (303, "/orders")


def test_a_forgotten_number_is_masked_for_the_agent_and_offers_no_message(
    ama_agent: Visitor, owner: Visitor, place: Any, app: Any
) -> None:
    code = place(state="cancelled")
    assert "wa.me" in ama_agent.get(f"/orders/{code}").text
    with app.app_context(), tenancy.across_stores():
        from core.audit import SYSTEM

        assert orders.forget_number("+233241234567", SYSTEM).masked == 1
    page = ama_agent.get(f"/orders/{code}").text
    assert "024 ••• 4567" in page.replace("\u00a0", " ")
    assert "xxx" not in page
    assert "wa.me/233" not in page
    assert "data-copy" not in page.partition("Number")[2].partition("</dd>")[0]
    assert "Forgotten" in page
    parse_clean(page)
    for search in ("4567", "024 123 4567", code):
        assert ama_agent.get(f"/orders?tab=done&q={search}").status_code == 200
    assert code in ama_agent.get("/orders?tab=done&q=4567").text
    for path in (f"/orders/{code}", "/orders?q=4567"):
        shown = owner.get(path).text
        assert "024 ••• 4567" in shown.replace("\u00a0", " ")
        assert "xxx" not in shown


def test_the_hidden_fields_of_the_check_page_are_the_whole_press(
    ama_agent: Visitor, place: Any, order_of: Any
) -> None:
    """As a browser without scripts sends them."""
    code = place()
    sent = hidden_fields(check(ama_agent, [code]).text)
    assert ama_agent.post("/orders/cancel", sent).status_code == 200
    assert order_of(code).state == "cancelled"
