"""On hold, a note, "I am on it": what pages offer, how a press is answered, and what the queue
shows of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from visitors import Visitor

from core.orders import Order

ACTS = {
    "hold": {"reason": "number"},
    "note": {"note": "pays at six"},
    "take": {},
}


@pytest.fixture
def viewer(logged_in: Callable[..., Visitor], superuser: Any) -> Visitor:
    """Somebody who may only look at ama's store."""
    agent = logged_in("ama@example.test", "portal", "ama")
    superuser.execute("UPDATE memberships SET role = 'viewer'")
    return agent


def test_on_hold_it_says_so_and_offers_no_process(
    ama_agent: Visitor, place: Any, order_of: Callable[..., Order]
) -> None:
    code = place()
    answer = ama_agent.post(f"/orders/{code}/hold", {"reason": "number"})
    assert (answer.status_code, answer.location) == (303, f"/orders/{code}")
    assert order_of(code).aside == "number"
    page = ama_agent.get(f"/orders/{code}").text
    assert "On hold: number in doubt." in page
    assert f"/orders/{code}/process" not in page
    row = ama_agent.get("/orders").text
    assert "number in doubt" in row and f"/orders/{code}/process" not in row
    refused = ama_agent.post(f"/orders/{code}/process?row=1")
    assert refused.status_code == 409 and "Take it off hold first." in refused.text
    ama_agent.post(f"/orders/{code}/hold", {"off": "1"})
    assert f"/orders/{code}/process" in ama_agent.get("/orders").text


def test_without_a_reason_it_says_how(ama_agent: Visitor, place: Any) -> None:
    code = place()
    for reason in ("", "nonsense", "x" * 5_000):
        answer = ama_agent.post(f"/orders/{code}/hold", {"reason": reason})
        assert "Choose why it has to wait" in ama_agent.get(answer.location).text


def test_a_note_is_kept_shown_found_in_the_row_and_taken_away(
    ama_agent: Visitor, place: Any, order_of: Callable[..., Order]
) -> None:
    code = place()
    typed = " <b>her\u202e brother</b>\n pays =1+1 " + "x" * 400
    ama_agent.post(f"/orders/{code}/note", {"note": typed})
    note = order_of(code).note
    assert note and note.startswith("<b>her brother</b> pays =1+1 x")
    assert len(note) == 200
    page = ama_agent.get(f"/orders/{code}").text
    assert note in unescape(page) and "<b>her" not in page
    assert "<b>her" not in ama_agent.get("/orders").text
    ama_agent.post(f"/orders/{code}/note", {"note": "  "})
    assert order_of(code).note is None


def test_kofi_is_on_it_for_everybody_else_too(
    ama_agent: Visitor, place: Any, superuser: Any
) -> None:
    code = place()
    page = ama_agent.get("/orders").text
    asked = unescape(re.search(r'data-hx-get="(/orders/rows[^"]+)"', page)[1])
    assert ama_agent.get(asked).status_code == 204
    superuser.execute(
        "UPDATE orders SET taken_by = 'Kofi Boateng', taken_at = now()"
        " WHERE code = %s", (code,)
    )  # fmt: skip
    assert "Kofi is on it" in ama_agent.get(asked).text, (
        "in place, by the next question"
    )
    assert "Take over from Kofi Boateng" in ama_agent.get(f"/orders/{code}").text
    answer = ama_agent.post(f"/orders/{code}/take")
    assert (
        "Kofi Boateng is on it since you looked" in ama_agent.get(answer.location).text
    )
    ama_agent.post(f"/orders/{code}/take", {"seen": "Kofi Boateng"})
    assert "I am not on it any more" in ama_agent.get(f"/orders/{code}").text
    ama_agent.post(f"/orders/{code}/take", {"off": "1"})
    assert "is on it" not in ama_agent.get("/orders").text


@pytest.mark.parametrize("act", ACTS)
def test_who_only_looks_may_mark_nothing(
    viewer: Visitor, place: Any, counts: Any, act: str
) -> None:
    code = place()
    before = counts()
    assert f"/orders/{code}/{act}" not in viewer.get(f"/orders/{code}").text
    assert viewer.post(f"/orders/{code}/{act}", ACTS[act]).status_code == 403
    assert counts() == before


@pytest.mark.parametrize("act", ACTS)
def test_an_order_of_another_store_is_none(
    ama_agent: Visitor, place: Any, counts: Any, act: str
) -> None:
    theirs = place("kofi")
    before = counts()
    there = ama_agent.post(f"/orders/{theirs}/{act}", ACTS[act])
    nowhere = ama_agent.post(f"/orders/0000000000/{act}", ACTS[act])
    assert (there.status_code, there.text) == (404, nowhere.text)
    assert counts() == before


def test_a_row_of_paid_that_changes_keeps_its_tick_and_the_tabs_stay(
    ama_agent: Visitor, place: Any, superuser: Any
) -> None:
    code = place()
    superuser.execute("UPDATE orders SET told_at = now(), told_paid_at = now()")
    page = ama_agent.get("/orders?tab=paid").text
    asked = unescape(re.search(r'data-hx-get="(/orders/rows[^"]+)"', page)[1])
    ama_agent.post(f"/orders/{code}/note", {"note": "hers"})
    row = ama_agent.get(asked).text
    assert f'value="{code}" form="selection"' in row and "hers" in row
    assert "Not received" not in row and "Not received" not in page


def test_no_orders_at_all_say_what_to_do(ama_agent: Visitor) -> None:
    page = ama_agent.get("/orders?tab=all").text
    assert "No orders yet" in page and "Share your store" in page
