"""Process keeps one tap and gets an undo: in the row, on the order's page, for a selection, with and without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from visitors import Visitor

from core import config, money

HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def a_moment_to_undo(app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "_current", replace(config.current(), undo_s=5))


def field(html: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', html)
    assert found, name
    return found[1]


def test_one_tap_and_the_page_says_when_it_goes_with_a_button_to_undo(
    ama_agent: Visitor, place: Any, order_of: Any
) -> None:
    code = place()
    answer = ama_agent.post(f"/orders/{code}/process", {"back": "/orders?tab=new"})
    assert (answer.status_code, answer.location) == (303, "/orders?tab=new")
    queue = ama_agent.get(answer.location).text
    assert "goes in 5 s. Until then you can undo it." in queue.replace("\N{NO-BREAK SPACE}", " ")
    row = queue.partition(f'<tr id="o-{code}"')[2].partition("</tr>")[0]
    assert "Goes in" in row and f'formaction="/orders/{code}/undo"' in row and 'type="checkbox"' not in row
    assert f"/orders/{code}/process" not in row and order_of(code).state == "pending"
    page = ama_agent.get(f"/orders/{code}").text
    assert f'action="/orders/{code}/undo"' in page and "Ama pressed Process" in page
    undone = ama_agent.post(f"/orders/{code}/undo", {"press": field(page, "press")})
    assert undone.status_code == 303 and order_of(code).release_at is None
    assert f"/orders/{code}/process" in ama_agent.get("/orders").text


def test_in_the_row_the_press_and_its_undo_come_back_as_rows(ama_agent: Visitor, place: Any) -> None:
    code = place()
    pressed = ama_agent.post(f"/orders/{code}/process?row=1", headers=HTMX)
    assert (
        pressed.status_code == 200 and "Goes in" in pressed.text and 'data-hx-trigger="load delay:7s"' in pressed.text
    )
    mark = field(pressed.text, "press")
    undone = ama_agent.post(f"/orders/{code}/undo?row=1", {"press": mark}, headers=HTMX)
    assert undone.status_code == 200 and f"/orders/{code}/process" in undone.text
    assert "Goes in" not in ama_agent.get(f"/orders/{code}/row?row=1", headers=HTMX).text


def test_a_selection_goes_in_a_moment_and_is_undone_as_one(
    ama_agent: Visitor, place: Any, order_of: Any, counts: Any
) -> None:
    codes = [place(number=f"02411100{index:02}", gb=1) for index in range(3)]
    before = counts()
    page = ama_agent.post("/orders/process", {"order": codes}).text
    assert "<h1>3 going</h1>" in page and "Goes in 5 s." in page and "Undo 3" in page
    assert counts()[2] == before[2], "no posting yet"
    again = ama_agent.post("/orders/process", {"order": codes}).text
    assert "<h1>0 going, 3 already in line</h1>" in again and "It goes in a moment." in again
    undone = ama_agent.post("/orders/undo", {"order": codes})
    assert undone.status_code == 200 and "<h1>3 undone</h1>" in undone.text
    assert [order_of(code).release_at for code in codes] == [None] * 3


def test_what_is_about_to_go_is_no_longer_free(
    ama_agent: Visitor, place: Any, order_of: Any, line_of: Any, nearly_empty: Any
) -> None:
    dear, left = nearly_empty()
    first = [
        place(gb=1, number=f"02411100{index:02}") for index in range(left // line_of("mtn", 1).agent_price_pesewas)
    ]
    cost = len(first) * line_of("mtn", 1).agent_price_pesewas
    second = place(gb=10, number="0241119999")
    page = ama_agent.post("/orders/process", {"order": [*first, second]}).text
    free, missing = money.cedis(left - cost), dear - (left - cost)
    assert f"{money.cedis(cost)} of it for what goes now" in page and "1 short of money" in page
    assert f"{money.cedis(dear)} needed, {free} left after what goes now: {money.cedis(missing)} more." in page
    assert f'href="/wallet?need={missing}#fund"' in page and "Send those that fit" not in page
    assert f'data-available="{left - cost}"' in ama_agent.get("/orders").text
    assert f"{free} free in your wallet" in ama_agent.get(f"/orders/{second}").text
    assert f"{money.cedis(cost)} of it is for orders that go in a moment" in ama_agent.get("/wallet").text
    assert "free in your wallet" not in ama_agent.get(f"/orders/{first[0]}").text, "it has its money"
    ama_agent.post("/orders/undo", {"order": first})
    assert f'data-available="{left}"' in ama_agent.get("/orders").text


def test_what_went_meanwhile_is_told_apart_when_a_selection_is_undone(
    ama_agent: Visitor, place: Any, in_store: Any
) -> None:
    from core import orders
    from core.audit import SYSTEM

    waits, gone = place(gb=1), place(number="0559998888", gb=1)
    ama_agent.post("/orders/process", {"order": [waits]})
    in_store("ama", lambda: orders.release(gone, SYSTEM))
    page = ama_agent.post("/orders/undo", {"order": [waits, gone]}).text
    assert "<h1>1 undone, 1 gone already</h1>" in page


def test_another_store_can_neither_undo_nor_see_it(
    ama_agent: Visitor, kofi_agent: Visitor, place: Any, order_of: Any
) -> None:
    code = place()
    ama_agent.post(f"/orders/{code}/process")
    assert kofi_agent.post(f"/orders/{code}/undo").status_code == 404
    assert kofi_agent.get(f"/orders/{code}/row?row=1").status_code == 404
    assert kofi_agent.post("/orders/undo", {"order": [code]}).status_code == 404
    assert order_of(code).release_at is not None


def test_a_viewer_sees_that_it_goes_and_undoes_nothing(
    ama_agent: Visitor, logged_in: Callable[..., Visitor], place: Any, order_of: Any
) -> None:
    code, viewer = place(), logged_in("viewer@example.test", "portal", "ama")
    ama_agent.post(f"/orders/{code}/process")
    page = viewer.get("/orders").text
    assert "Goes in" in page and "/undo" not in page
    assert viewer.post(f"/orders/{code}/undo").status_code == 403 and order_of(code).release_at is not None


def test_why_it_did_not_go_stands_in_its_row_until_the_next_press(
    ama_agent: Visitor, place: Any, in_store: Any, order_of: Any
) -> None:
    from core.orders import pressing

    code = place()
    ama_agent.post(f"/orders/{code}/process")
    order_id = order_of(code).id
    in_store("ama", lambda: pressing.take_back(order_id, "MTN is paused since 10:04."))
    row = ama_agent.get("/orders").text.partition(f'<tr id="o-{code}"')[2].partition("</tr>")[0]
    assert "Not sent: MTN is paused since 10:04." in row and f"/orders/{code}/process" in row
    assert "Not sent: MTN is paused since 10:04." in ama_agent.get(f"/orders/{code}").text
    ama_agent.post(f"/orders/{code}/process")
    assert "Not sent" not in ama_agent.get("/orders").text


def test_the_customer_may_still_cancel_and_is_then_told_of_the_money(
    app: Any, ama_agent: Visitor, place: Any, in_store: Any, order_of: Any
) -> None:
    from core import audit, orders

    code = place()
    ama_agent.post(f"/orders/{code}/process")
    in_store("ama", lambda: orders.cancel(code, audit.CUSTOMER))
    assert order_of(code).state == "cancelled" and code in ama_agent.get("/orders?tab=back").text
    assert "gives your money back" in Visitor(app, "ama").get(f"/orders/{code}").text


@pytest.mark.browser
def test_in_a_browser_it_counts_down_and_is_undone_with_one_more_tap(
    open_page: Callable[..., Any], place: Any, order_of: Any
) -> None:
    code = place()
    page = open_page("ama", width=360, height=740)
    page.goto("/orders")
    page.click(f"#o-{code} >> text=Process")
    page.wait_for_selector(f"#o-{code} [data-left]")
    page.wait_for_selector(f"#o-{code} [data-left]:text-matches('^[0-4]$')")
    page.click(f"#o-{code} >> text=Undo")
    page.wait_for_selector(f"#o-{code} >> text=Process")
    assert order_of(code).release_at is None


@pytest.mark.browser
def test_without_javascript_the_page_says_it_and_has_the_button(
    open_page: Callable[..., Any], place: Any, order_of: Any
) -> None:
    code = place()
    page = open_page("ama", js=False)
    page.goto("/orders")
    page.click(f"#o-{code} >> text=Process")
    assert "goes in 5 s" in page.inner_text("#status")
    page.click(f"#o-{code} >> text=Undo")
    assert "Undone" in page.inner_text("#status") and order_of(code).release_at is None
