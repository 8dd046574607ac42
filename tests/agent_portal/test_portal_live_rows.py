"""Rows of the queue change in place while the page is open: state only, never position, at a
bounded cost."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import expect
from sqlalchemy import event
from visitors import Visitor

from core import orders
from core.base import clock
from core.base.db import db
from core.orders import Order

MOST_STATEMENTS, MOST_BYTES = 12, 2_000
"""Of one question that brings nothing new, and of one changed row."""


def question(html: str) -> str:
    """The address by which a queue page asks for changed rows."""
    return unescape(re.search(r'data-hx-get="(/orders/rows[^"]+)"', html)[1])


def rows_of(html: str) -> list[str]:
    return re.findall(r'<tr id="o-(\w+)"', html)


@pytest.fixture
def move(in_store: Callable[..., Any]) -> Callable[..., None]:
    """The supplier, or somebody else, moves an order: `move(code, "completed")`."""

    def go(code: str, *road: str) -> None:
        def deed() -> None:
            order = orders.by_code(code)
            assert order is not None
            for step in road:
                assert orders.advance(order.id, step, text="Moved.")  # type: ignore[arg-type]

        in_store("ama", deed)

    return go


def test_a_row_comes_back_when_its_state_is_another_one_and_only_then(
    ama_agent: Visitor, place: Any, move: Any
) -> None:
    first, second = (
        place(number="0240000001", state="processing"),
        place(number="0240000002", state="processing"),
    )
    page = ama_agent.get("/orders?tab=processing").text
    assert ama_agent.get(question(page)).status_code == 204
    move(first, "completed")
    answer = ama_agent.get(question(page))
    assert (answer.status_code, rows_of(answer.text)) == (200, [first])
    assert "Delivered" in answer.text and f'hx-target="#o-{first}"' in answer.text
    assert (
        ama_agent.get(question(answer.text)).status_code == 204
    )  # it asks on, about the other one
    move(second, "completed")
    last = ama_agent.get(question(answer.text)).text
    assert (
        rows_of(last) == [second] and "/orders/rows" not in last
    )  # nothing is left that may change


def test_a_look_that_changes_no_state_takes_no_row_from_under_a_thumb(
    ama_agent: Visitor, place: Any, in_store: Any, order_of: Any
) -> None:
    code = place(state="processing")
    page = ama_agent.get("/orders?tab=processing").text
    order_id = order_of(code).id
    in_store("ama", lambda: orders.note_look(order_id, "it says “sent”"))
    in_store("ama", lambda: orders.note_next(order_id, clock.after(60)))
    assert ama_agent.get(question(page)).status_code == 204


def test_a_new_order_that_somebody_else_processed_loses_its_button(
    ama_agent: Visitor, place: Any, in_store: Any
) -> None:
    from core.audit import Actor

    code = place()
    page = ama_agent.get("/orders").text
    assert f"/orders/{code}/process" in page
    in_store("ama", lambda: orders.release(code, Actor("agent", "Kwame")))
    row = ama_agent.get(question(page)).text
    assert (
        rows_of(row) == [code]
        and "In line" in row
        and f"/orders/{code}/process" not in row
    )


@pytest.mark.parametrize(
    "asked",
    ["", "x", "12.zz", "9" * 30 + ".ab", "999999.ab," * 400, "-1.ab", "K7QM2XR94T.ab"],
)
def test_questions_that_make_no_sense_bring_nothing(
    ama_agent: Visitor, asked: str
) -> None:
    assert ama_agent.get("/orders/rows", query_string={"on": asked}).status_code == 204


def test_orders_of_another_store_bring_nothing(
    ama_agent: Visitor, place: Any, order_of: Any
) -> None:
    theirs: Order = order_of(place("kofi"), "kofi")
    assert ama_agent.get(f"/orders/rows?on={theirs.id}.0").status_code == 204


@pytest.mark.slow(seconds=0.3)
def test_the_cost_of_a_question_does_not_grow_with_orders(
    ama_agent: Visitor, app: Flask, place: Any
) -> None:
    heard: list[str] = []

    def hear(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        heard.append(statement)

    def asked(page: str) -> tuple[int, int]:
        heard.clear()
        with app.app_context():
            engines = list(db.engines.values())
        for engine in engines:
            event.listen(engine, "before_cursor_execute", hear)
        try:
            answer = ama_agent.get(question(page))
        finally:
            for engine in engines:
                event.remove(engine, "before_cursor_execute", hear)
        assert answer.status_code == 204
        return len(heard), len(question(page))

    place(number="0240000001", state="processing")
    few, _ = asked(ama_agent.get("/orders?tab=processing").text)
    for number in range(2, 12):
        place(number=f"02400000{number:02}", state="processing")
    many, address = asked(ama_agent.get("/orders?tab=processing").text)
    assert few == many <= MOST_STATEMENTS
    assert address < 11 * 16 + 60


def test_a_changed_row_is_small(ama_agent: Visitor, place: Any, move: Any) -> None:
    code = place(state="processing")
    page = ama_agent.get("/orders?tab=processing").text
    move(code, "failed")
    assert len(ama_agent.get(question(page)).get_data()) < MOST_BYTES


def test_a_changed_row_brings_the_numbers_it_moved(
    ama_agent: Visitor, place: Any, move: Any
) -> None:
    code = place(state="processing")
    page = ama_agent.get("/orders?tab=processing").text
    move(code, "refunded")
    answer = ama_agent.get(question(page)).text
    assert (
        'id="wallet-now" class="money strong" data-available="50000" data-hx-swap-oob="true"'
        in answer
    )
    back = answer[answer.index("/orders?tab=back") :].partition("</a>")[0]
    assert (
        'id="tabs" data-hx-swap-oob="true"' in answer
        and '<span class="count hot">1</span>' in back
    )


class TestInABrowser:
    """Chromium with the shipped htmx."""

    @pytest.mark.slow(seconds=1)
    def test_the_row_changes_where_it_stands_and_ticks_and_focus_stay(
        self, open_page: Callable[..., Any], place: Any, in_store: Any
    ) -> None:
        from core.audit import Actor

        codes = [place(number=f"024000000{n}") for n in range(4)]
        page = open_page("ama")
        page.goto("/orders")
        page.check(f"#o-{codes[2]} input[name=order]")
        page.focus(f"#o-{codes[3]}")
        tops = [page.locator(f"#o-{code}").bounding_box()["y"] for code in codes]
        in_store("ama", lambda: orders.release(codes[1], Actor("agent", "Kwame")))
        page.evaluate("htmx.trigger(document.querySelector('#rows-live'), 'every')")
        page.wait_for_selector(f"#o-{codes[1]} .badge")
        assert "In line" in page.inner_text(f"#o-{codes[1]}")
        assert page.locator("tbody tr").evaluate_all(
            "rows => rows.map(row => row.id)"
        ) == [f"o-{c}" for c in codes]
        assert [
            page.locator(f"#o-{code}").bounding_box()["y"] for code in codes[:2]
        ] == tops[:2]
        assert page.is_checked(f"#o-{codes[2]} input[name=order]")
        assert page.evaluate("document.activeElement.id") == f"o-{codes[3]}"
        expect(page.locator(f"#o-{codes[1]} input")).to_have_count(0)
        in_store("ama", lambda: orders.release(codes[3], Actor("agent", "Kwame")))
        page.evaluate(
            "htmx.trigger(document.querySelector('#rows-live'), 'every')"
        )  # it asks on after an answer
        page.wait_for_selector(f"#o-{codes[3]} .badge")
