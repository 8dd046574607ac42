"""The agent's side of what customers tell: told payments in a tab of their own, and answers to those
whose data has not come."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import tables_owner
from flask import Flask
from sqlalchemy import update
from visitors import Visitor

from core import orders
from core.base import clock
from core.orders import Order, not_received, telling
from tests.support import axe
from tests.support.settings import Using

pytestmark = pytest.mark.slow(seconds=0.1)


@pytest.fixture
def set_order() -> Callable[..., None]:
    """Write fields of an order directly: what time would bring."""

    def write(code: str, **values: Any) -> None:
        tables_owner.execute(update(Order).where(Order.code == code).values(values))

    return write


UNDER_THE_AGE = """[...document.querySelectorAll('tr[data-row]')].flatMap(row => {
  const of = part => {
    const around = document.createRange();
    around.selectNodeContents(part);
    return around.getBoundingClientRect();
  };
  const age = of(row.querySelector('.c-age'));
  return [...row.querySelectorAll('.c-number .small, .c-number a')].filter(part => {
    const box = of(part);
    return box.right > age.left + 1 && box.left < age.right
      && box.bottom > age.top + 2 && box.top + 2 < age.bottom;
  }).map(part => part.textContent);
})"""
"""Words of a row that its age stands on."""


def tell(in_store: Any, code: str, who: str = "055 123 4567") -> None:
    payment = telling.Payment(clock.now(), who, "12345678901")
    in_store("ama", lambda: telling.tell(code, payment))


@pytest.fixture
def missing(place: Any, in_store: Any, set_order: Any) -> str:
    code = str(place(state="completed"))
    set_order(code, completed_at=clock.now() - timedelta(hours=1))
    in_store(
        "ama", lambda: not_received.report(code, "none", "No message", "0501112222")
    )
    return code


def test_told_payments_have_a_tab_that_comes_and_goes(
    ama_agent: Visitor, place: Any, in_store: Any, order_of: Any
) -> None:
    told, silent = place(), place(number="0559998888")
    assert "tab=paid" not in ama_agent.get("/orders").text
    tell(in_store, told)
    queue = ama_agent.get("/orders").text
    assert "tab=paid" in queue and f"{order_of(told).pay_code}, says paid" in queue
    paid = ama_agent.get("/orders?tab=paid").text
    assert told in paid and silent not in paid
    assert f'formaction="/orders/{told}/process"' in paid
    page = ama_agent.get(f"/orders/{told}").text
    assert "12345678901" in page and "That proves nothing" in page


def test_a_payment_that_is_not_there_is_said_once(
    ama_agent: Visitor, place: Any, in_store: Any, order_of: Any
) -> None:
    code = place()
    tell(in_store, code)
    assert "The payment is not there" in ama_agent.get(f"/orders/{code}").text
    for _ in range(2):
        assert ama_agent.post(f"/orders/{code}/not-found").status_code == 303
    order = order_of(code)
    assert telling.is_not_found(order) and order.state == "pending"
    assert "The payment is not there" not in ama_agent.get(f"/orders/{code}").text
    lines = in_store("ama", lambda: orders.timeline(order))
    assert [line.kind for line in lines].count("not_found") == 1


def test_a_press_is_undone_before_the_payment_is_not_there(
    ama_agent: Visitor, place: Any, in_store: Any, order_of: Any, using: Using
) -> None:
    """Else the history would say that it was confirmed and that it is not there."""
    using(undo_s=5)
    code = place()
    tell(in_store, code)
    ama_agent.post(f"/orders/{code}/process")
    page = ama_agent.get(f"/orders/{code}").text
    assert "Undo" in page and "The payment is not there" not in page
    answer = ama_agent.post(f"/orders/{code}/not-found")
    assert "undo that first" in ama_agent.refused(answer)
    assert not telling.is_not_found(order_of(code))


def test_nothing_is_looked_for_where_nothing_was_told(
    ama_agent: Visitor, place: Any
) -> None:
    answer = ama_agent.post(f"/orders/{place()}/not-found")
    assert "No payment is waiting" in ama_agent.refused(answer)


def test_a_report_waits_for_its_answer(
    ama_agent: Visitor, missing: str, order_of: Any
) -> None:
    assert missing in ama_agent.get("/orders?tab=missing").text
    page = ama_agent.get(f"/orders/{missing}").text
    assert "No message" in page and "The customer says it has not come" in page
    assert ">The data is there now.</option>" in page
    assert "050 111 2222" in page.replace("\N{NO-BREAK SPACE}", " ")
    empty = ama_agent.post(f"/orders/{missing}/answer", {"how": "", "words": " "})
    assert "Choose an answer" in ama_agent.refused(empty)
    form = {"how": "asked", "words": "More by 14:00"}
    assert ama_agent.post(f"/orders/{missing}/answer", form).status_code == 303
    assert order_of(missing).missing_since is None
    assert missing not in ama_agent.get("/orders?tab=missing").text
    page = ama_agent.get(f"/orders/{missing}").text
    assert "Ama to the customer: the supplier has been asked." in page
    assert page.count("“More by 14:00”") == 1


def test_an_answer_is_given_once(
    ama_agent: Visitor, missing: str, in_store: Any, order_of: Any
) -> None:
    for words in ("First", "Second"):
        ama_agent.post(f"/orders/{missing}/answer", {"how": "", "words": words})
    order = order_of(missing)
    one = in_store("ama", lambda: not_received.last_of(order))
    assert (one.answer, one.answer_words) == ("other", "First")


def test_another_store_and_a_viewer_may_not(
    kofi_agent: Visitor, logged_in: Callable[..., Visitor], missing: str, order_of: Any
) -> None:
    form = {"how": "came"}
    assert kofi_agent.post(f"/orders/{missing}/answer", form).status_code == 404
    viewer = logged_in("viewer@example.test", "portal", "ama")
    assert viewer.post(f"/orders/{missing}/answer", form).status_code == 403
    assert order_of(missing).missing_since is not None


def test_told_for_a_day_is_late(
    app: Flask, ama_agent: Visitor, place: Any, in_store: Any, set_order: Any
) -> None:
    code = place()
    tell(in_store, code)
    assert code not in ama_agent.get("/orders?tab=late").text
    set_order(code, told_at=clock.now() - timedelta(hours=25))
    assert code in ama_agent.get("/orders?tab=late").text


@pytest.mark.browser
@pytest.mark.slow(seconds=3)
@pytest.mark.parametrize("dark", [False, True])
def test_what_customers_tell_is_accessible_and_fits(
    open_page: Callable[..., Any],
    place: Any,
    in_store: Any,
    missing: str,
    *,
    dark: bool,
) -> None:
    code = place(number="0559998888")
    tell(in_store, code, "Kwame Ofori-Attah of Kumasi Central")
    for width, height in ((360, 740), (1280, 800)):
        page = open_page(width=width, height=height, dark=dark)
        for path in (
            "/",
            "/orders",
            "/orders?tab=paid",
            "/orders?tab=missing",
            f"/orders/{code}",
            f"/orders/{missing}",
        ):
            page.goto(path)
            assert axe.faults(page) == [], path
            seen = page.evaluate("document.documentElement.scrollWidth")
            assert seen <= width, path
            assert page.evaluate(UNDER_THE_AGE) == [], (path, width)
