"""The page of payments: messages are pasted, a person decides about the odd ones, and all that are
matched are processed with one question."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect
from visitors import Visitor

from core import orders
from core.payments import reading
from tests.support import axe
from tests.support.messages import Inbox, received, telecel
from tests.support.settings import Using

pytestmark = pytest.mark.slow(seconds=0.1)

OWN = "024 000 0000"
NASTY = "<img src=x onerror=alert(1)>"


@pytest.fixture
def inbox(ama_agent: Visitor) -> Inbox:
    """One whose balance is known from two messages of before."""
    box = Inbox()
    paste(ama_agent, box.went(100), box.went(200))
    return box


def paste(agent: Visitor, *texts: str, to: str = OWN) -> Any:
    return agent.post("/payments", {"messages": "\n".join(texts), "came_to": to})


@pytest.fixture
def paid(place: Any, order_of: Any, inbox: Inbox) -> Callable[[int], list[str]]:
    """So many messages, each of a new order of its own."""

    def make(many: int) -> list[str]:
        found = []
        for at in range(many):
            order = order_of(place(number=f"02411{at:05}", gb=(1, 2, 5)[at % 3]))
            found.append(inbox.came(order.price_pesewas, order.pay_code))
        return found

    return make


def ticked(html: str) -> list[str]:
    return re.findall(r'name="order" value="(\w+)" checked', html)


def asked(html: str) -> list[str]:
    return re.findall(r'type="hidden" name="order" value="(\w+)"', html)


def message_ids(html: str) -> list[str]:
    return re.findall(r'action="/payments/(\d+)/put-away"', html)


def test_very_many_pastes_from_one_address_are_slowed_down_and_kept(
    ama_agent: Visitor,
) -> None:
    for _ in range(30):
        assert paste(ama_agent, "").status_code == 422
    answer = paste(ama_agent, Inbox().came(700, "kept as it was"))
    assert answer.status_code == 429 and answer.headers["Retry-After"] == "60"
    assert "kept as it was" in answer.text
    page = ama_agent.get("/payments")
    assert page.status_code == 200 and "put-away" not in page.text


def test_matched_messages_are_processed_with_one_question(
    ama_agent: Visitor, paid: Any, wallet: Any, using: Using
) -> None:
    using(undo_s=5)
    answer = paste(ama_agent, *paid(12))
    assert answer.status_code == 303
    page = ama_agent.get("/payments").text
    assert "12 messages read, 12 matched." in page
    assert len(ticked(page)) == 12 and "Process all matched · 12 · " in page
    before = wallet()
    check = ama_agent.post("/payments/process", {"order": ticked(page)})
    assert "Process 12 orders, GH₵" in check.text and len(asked(check.text)) == 12
    assert wallet() == before
    done = ama_agent.post("/orders/process", {"order": asked(check.text)})
    assert "12 going" in done.text
    assert ticked(ama_agent.get("/payments").text) == []


def test_two_people_press_at_once_and_each_order_goes_once(
    ama_agent: Visitor, paid: Any, in_store: Any, logged_in: Any
) -> None:
    paste(ama_agent, *paid(6))
    other = logged_in("cashier@example.test", "portal", "ama")
    pages = [agent.get("/payments").text for agent in (ama_agent, other)]
    assert ticked(pages[0]) == ticked(pages[1]) and len(ticked(pages[0])) == 6
    for agent in (ama_agent, other, ama_agent):
        agent.post("/orders/process", {"order": ticked(pages[0])})
    for code in ticked(pages[0]):
        order = in_store("ama", lambda code=code: orders.by_code(code))
        lines = in_store("ama", lambda order=order: orders.timeline(order))
        assert order.state == "queued"
        assert [line.kind for line in lines].count("queued") == 1
    late = other.post("/payments/process", {"order": ticked(pages[0])})
    assert late.status_code == 303
    assert "None of these orders waits" in other.get("/payments").text


def test_what_is_doubted_is_said_and_not_ticked(
    ama_agent: Visitor, place: Any, order_of: Any, inbox: Inbox
) -> None:
    order = order_of(place())
    paste(ama_agent, received(order.price_pesewas, 999_000, order.pay_code))
    page = ama_agent.get("/payments").text
    assert ticked(page) == [] and "must have been there" in page
    (message_id,) = message_ids(page)
    ama_agent.post(f"/payments/{message_id}/match", {"order": order.code})
    page = ama_agent.get("/payments").text
    assert ticked(page) == [order.code], "a person has vouched for it"


def test_over_and_under_are_not_ticked_when_a_person_takes_them(
    ama_agent: Visitor, place: Any, order_of: Any, inbox: Inbox
) -> None:
    order = order_of(place())
    paste(ama_agent, inbox.came(order.price_pesewas + 100, order.pay_code))
    page = ama_agent.get("/payments").text
    assert "Over: " in page
    (message_id,) = message_ids(page)
    ama_agent.post(f"/payments/{message_id}/match", {"order": order.code})
    page = ama_agent.get("/payments").text
    assert ticked(page) == [] and "more came than it costs" in page
    assert f'value="{order.code}"' in page and "Process the ticked" in page


def test_what_cannot_be_read_stays_in_the_field_and_is_never_guessed(
    ama_agent: Visitor, paid: Any
) -> None:
    strange = f"You got money {NASTY} GHS 24.00"
    answer = paste(ama_agent, *paid(1), "", strange)
    assert answer.status_code == 200
    assert "1 of what you pasted was not read" in answer.text
    assert "1 message read, 1 matched." in answer.text
    (field,) = re.findall(r"<textarea[^>]*>([^<]*)</textarea>", answer.text)
    assert "You got money &lt;img" in field and "Payment received" not in field


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"messages": "", "came_to": OWN}, "Paste at least one message"),
        ({"messages": "   \n ", "came_to": OWN}, "Paste at least one message"),
        ({"messages": "kept text", "came_to": ""}, "Type the number"),
        ({"messages": "kept text", "came_to": "12"}, "digits"),
        ({"messages": "kept text"}, "Type the number"),
    ],
)
def test_a_bad_form_says_how_to_mend_it_and_keeps_what_was_typed(
    ama_agent: Visitor, form: dict[str, str], says: str
) -> None:
    answer = ama_agent.post("/payments", form)
    assert answer.status_code == 422 and says in answer.text
    if form["messages"].strip():
        assert "kept text</textarea>" in answer.text


def test_two_hundred_long_messages_are_taken_at_once(
    ama_agent: Visitor, inbox: Inbox
) -> None:
    texts = [
        telecel(500, 100_000 + 500 * at, "2026-11-05 at 09:00:00", "x" * 90)
        + " Stay alert. Never share your PIN or OTP with anyone or click unknown links."
        for at in range(reading.MOST)
    ]
    assert len("\n".join(texts)) > 60_000
    assert paste(ama_agent, *texts, to="050 000 0000").status_code == 303
    page = ama_agent.get("/payments").text
    assert f"{reading.MOST} messages read" in page and "The newest 50 of 200" in page


def test_marks_of_direction_and_long_pastes_break_nothing(
    ama_agent: Visitor, paid: Any
) -> None:
    (text,) = paid(1)
    marked = "\u202e" + text.replace(" ", "\N{NO-BREAK SPACE}") + "\u202c"
    assert paste(ama_agent, marked).status_code == 303
    many = ["x"] * (2 * reading.MOST) + ["", "y"] * (reading.MOST + 1)
    answer = paste(ama_agent, *many)
    assert answer.status_code == 200 and "are still in the field" in answer.text
    assert paste(ama_agent, "x" * 1_100_000).status_code == 413


@pytest.mark.parametrize("typed", ["", "nothing", "482 914", "K7QM-2XR9-4T"])
def test_a_wrong_code_says_so_and_changes_nothing(
    ama_agent: Visitor, inbox: Inbox, typed: str
) -> None:
    paste(ama_agent, inbox.came(700))
    (message_id,) = message_ids(ama_agent.get("/payments").text)
    answer = ama_agent.post(f"/payments/{message_id}/match", {"order": typed})
    assert answer.status_code == 303
    page = ama_agent.get("/payments").text
    assert "Nothing was changed." in page and message_ids(page) == [message_id]


def test_a_message_of_another_store_is_none(
    ama_agent: Visitor, kofi_agent: Visitor, inbox: Inbox, place: Any
) -> None:
    paste(ama_agent, inbox.came(700))
    (message_id,) = message_ids(ama_agent.get("/payments").text)
    code = place("kofi")
    assert "EFUA SAMPLE" in ama_agent.get("/payments").text
    theirs_page = kofi_agent.get("/payments").text
    assert "EFUA SAMPLE" not in theirs_page and "7.00" not in theirs_page
    bodies = set()
    for of in (message_id, "999999", "0", "x"):
        for verb in ("match", "put-away", "take-back"):
            answer = kofi_agent.post(f"/payments/{of}/{verb}", {"order": code})
            assert answer.status_code == 404
            bodies.add(len(answer.text))
    assert len(bodies) == 1
    theirs = {"order": [place("ama")]}
    assert kofi_agent.post("/payments/process", theirs).status_code == 404
    assert message_ids(ama_agent.get("/payments").text) == [message_id]


def test_who_only_looks_may_press_nothing(
    ama_agent: Visitor, paid: Any, inbox: Inbox, logged_in: Any
) -> None:
    texts = paid(1)
    paste(ama_agent, *texts, inbox.came(700))
    (message_id,) = message_ids(ama_agent.get("/payments").text)
    viewer = logged_in("viewer@example.test", "portal", "ama")
    page = viewer.get("/payments").text
    assert "Matched, not processed yet" in page and "For you to decide" in page
    assert "<textarea" not in page and message_ids(page) == []
    assert paste(viewer, *texts).status_code == 403
    for path in ("process", f"{message_id}/match", f"{message_id}/put-away"):
        assert viewer.post(f"/payments/{path}", {}).status_code == 403


def test_put_away_and_taken_back(ama_agent: Visitor, inbox: Inbox) -> None:
    paste(ama_agent, inbox.came(700))
    (message_id,) = message_ids(ama_agent.get("/payments").text)
    for _ in range(2):
        ama_agent.post(f"/payments/{message_id}/put-away")
    page = ama_agent.get("/payments").text
    assert message_ids(page) == [] and "For no order, says" in page
    ama_agent.post(f"/payments/{message_id}/take-back")
    assert message_ids(ama_agent.get("/payments").text) == [message_id]


def test_the_queue_and_the_order_say_that_the_payment_was_found(
    ama_agent: Visitor, place: Any, order_of: Any, inbox: Inbox
) -> None:
    order, silent = order_of(place()), order_of(place(number="0559998888"))
    queue = ama_agent.get("/orders").text
    assert str(order.pay_code) in queue and str(silent.pay_code) in queue
    text = inbox.came(order.price_pesewas, order.pay_code, "EFUA (0551230000)")
    paste(ama_agent, text)
    assert f"{order.pay_code}, paid</span>" in ama_agent.get("/orders").text
    tab = ama_agent.get("/orders?tab=paid").text
    assert order.code in tab and silent.code not in tab
    page = ama_agent.get(f"/orders/{order.code}").text
    assert "Its payment was found" in page and re.search("055.123.0000", page)
    assert re.search(r"Transaction ID: (\d+)", text)[1] in page  # type: ignore[index]
    customer = Visitor(ama_agent.app, "ama").get(f"/orders/{order.code}").text
    assert "EFUA" not in customer and ", paid<" not in customer


def test_a_selection_that_is_none_is_said(ama_agent: Visitor) -> None:
    assert ama_agent.post("/payments/process", {}).status_code == 303
    assert "Select at least one order" in ama_agent.get("/payments").text
    assert ama_agent.get("/payments/process").status_code == 303


def test_no_number_of_a_payer_is_logged(
    ama_agent: Visitor, inbox: Inbox, capsys: Any
) -> None:
    paste(ama_agent, inbox.came(700, "1", "EFUA (0551230000)"), "0557654321 strange")
    ama_agent.get("/payments")
    logged = "".join(capsys.readouterr())
    assert "551230000" not in logged and "557654321" not in logged


@pytest.mark.browser
@pytest.mark.parametrize("dark", [False, True])
def test_in_a_browser_it_is_accessible_and_fits(
    ama_agent: Visitor,
    open_page: Callable[..., Any],
    paid: Any,
    place: Any,
    order_of: Any,
    inbox: Inbox,
    dark: bool,
) -> None:
    over = order_of(place(number="0551110000"))
    paste(
        ama_agent,
        *paid(3),
        inbox.came(over.price_pesewas + 50, over.pay_code),
        inbox.came(700, "for the shop", "A LONG NAME OF MADE UP PEOPLE AND SONS LTD"),
        # two that read the same
        *(inbox.came(650, "for you") for _ in range(2)),
        received(900, 990_000, "1"),
    )
    page = open_page(dark=dark)
    page.goto("/payments")
    for width in (320, 360, 1280):
        page.set_viewport_size({"width": width, "height": 740})
        room = "document.documentElement.scrollWidth - window.innerWidth"
        assert page.evaluate(room) <= 0, width
    assert axe.faults(page) == []
    page.set_viewport_size({"width": 360, "height": 740})
    page.click("text=Process all matched")
    page.wait_for_selector("text=Yes, process 3 orders")
    assert axe.faults(page) == []
    page.click("text=Yes, process 3 orders")
    page.wait_for_selector("text=3 sent")


@pytest.mark.browser
def test_without_script_it_works_as_well(
    ama_agent: Visitor, open_page: Callable[..., Any], paid: Any, inbox: Inbox
) -> None:
    page = open_page(js=False)
    page.goto("/payments")
    page.fill("#messages", "\n".join(paid(2)))
    page.fill("#came_to", OWN)
    page.click("button:text-is('Match')")
    page.click("text=Process all matched · 2")
    page.click("text=Yes, process 2 orders")
    expect(page.locator("h1")).to_contain_text("2 sent")
