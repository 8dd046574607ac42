"""The customer's own money: who is owed it, that the agent gave it back, and what the customer
reads."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from visitors import Visitor

from core import orders
from core.audit import Actor
from core.orders import giving_back
from tests.support.queues import queue

pytestmark = pytest.mark.slow(seconds=0.2)

AMA = Actor("agent", "Ama")


def back_tab(agent: Visitor) -> list[str]:
    return re.findall(r'<tr id="o-([0-9A-Z]{10})"', agent.get("/orders?tab=back").text)


def headline(app: Flask, code: str, slug: str = "ama") -> str:
    page = Visitor(app, slug).get(f"/orders/{code}").text
    return re.search(r'<h2 id="label"[^>]*>([^<]*)</h2>', page)[1].replace("&#39;", "'")  # type: ignore[index]


@pytest.fixture
def left(place: Any, in_store: Any) -> Callable[..., str]:
    """An order that the agent processed, and then cancelled in line: its payment had been
    confirmed."""

    def make(slug: str = "ama", **what: Any) -> str:
        code = place(slug, state="queued", **what)
        in_store(slug, lambda: orders.cancel(code, AMA))
        return str(code)

    return make


@pytest.mark.slow(seconds=0.4)
def test_who_paid_and_got_nothing_waits_in_give_back_until_it_is_said(
    app: Flask, ama_agent: Visitor, place: Any, left: Any, order_of: Any
) -> None:
    refunded, cancelled = place(state="refunded"), left(number="0559998888")
    for state in (
        "cancelled",
        "completed",
        "failed",
        "pending",
    ):  # cancelled while new: nobody had confirmed a payment
        place(number="0240000001", state=state)
    assert back_tab(ama_agent) == [refunded, cancelled]
    assert (
        refunded
        not in ama_agent.get("/orders?tab=failed").text
        + ama_agent.get("/orders?tab=done").text
    )
    assert headline(app, refunded) == "Not delivered: Ama's Data gives your money back"
    assert headline(app, cancelled) == "Cancelled: Ama's Data gives your money back"
    for code, how, said in (
        (refunded, "momo", "by MoMo"),
        (cancelled, "cash", "in cash"),
    ):
        page = ama_agent.get(f"/orders/{code}").text
        assert 'id="give-back"' in page and re.search(r"I gave GH₵\s[\d.]+ back", page)
        assert (
            ama_agent.post(f"/orders/{code}/give-back", {"how": how}).status_code == 303
        )
        order = order_of(code)
        assert (
            order.given_back_by == "Ama"
            and order.given_back_at is not None
            and order.state in ("refunded", "cancelled")
        )
        today = giving_back.day(order)
        assert headline(app, code) == f"Given back on {today}"
        page = ama_agent.get(f"/orders/{code}").text
        assert said in page and f"/orders/{code}/give-back/undo" in page
        assert code in ama_agent.get("/orders?tab=done").text
    assert back_tab(ama_agent) == []


@pytest.mark.parametrize(
    "state",
    [
        "pending",
        "queued",
        "submitting",
        "processing",
        "failed",
        "completed",
        "cancelled",
    ],
)
def test_nothing_is_owed_for_other_orders(
    ama_agent: Visitor, place: Any, counts: Any, state: str
) -> None:
    code = place(state=state)
    before = counts()
    answer = ama_agent.post(f"/orders/{code}/give-back", {"how": "momo"})
    assert (
        "Nobody is owed money for this order." in ama_agent.refused(answer)
        and counts() == before
    )


@pytest.mark.parametrize("how", ["", "bank", "momo ", "\x00", "x" * 5000])
def test_how_is_one_of_a_few(
    ama_agent: Visitor, place: Any, counts: Any, how: str
) -> None:
    code = place(state="refunded")
    before = counts()
    answer = ama_agent.post(f"/orders/{code}/give-back", {"how": how})
    assert (
        "Choose how the money went back" in ama_agent.refused(answer)
        and counts() == before
    )


def test_it_moves_no_money_of_ours(ama_agent: Visitor, place: Any, counts: Any) -> None:
    code = place(state="refunded")
    before = counts()
    ama_agent.post(f"/orders/{code}/give-back", {"how": "momo"})
    after = counts()
    assert (after[2], after[3], after[4]) == (
        before[2],
        before[3],
        before[4],
    )  # postings, entries, outbox


def test_pressed_by_eight_at_once_it_is_said_once(
    logged_in: Callable[..., Visitor], place: Any, in_store: Any
) -> None:
    code = place(state="refunded")
    people = [
        logged_in(f"{who}@example.test", "portal", "ama")
        for who in ("ama", "cashier") * 4
    ]
    gate, statuses = threading.Barrier(len(people)), []

    def press(person: Visitor) -> None:
        form = {"how": "momo", "csrf_token": person.csrf_token}
        gate.wait(10)
        statuses.append(person.post(f"/orders/{code}/give-back", form).status_code)

    threads = [threading.Thread(target=press, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    told = in_store(
        "ama", lambda: [event.kind for event in orders.timeline(orders.by_code(code))]
    )
    assert statuses == [303] * 8 and told.count("given_back") == 1


def test_a_mistake_is_taken_back_and_written_down(
    app: Flask, ama_agent: Visitor, place: Any, order_of: Any, in_store: Any
) -> None:
    code = place(state="refunded")
    ama_agent.post(f"/orders/{code}/give-back", {"how": "momo"})
    for _ in range(2):  # pressed twice it is taken back once
        assert ama_agent.post(f"/orders/{code}/give-back/undo").status_code == 303
    assert back_tab(ama_agent) == [code] and order_of(code).given_back_at is None
    assert headline(app, code).startswith("Not delivered: ")
    told = in_store(
        "ama", lambda: [event.kind for event in orders.timeline(orders.by_code(code))]
    )
    assert told.count("given_back") == 2
    ama_agent.post(f"/orders/{code}/give-back", {"how": "cash"})
    assert order_of(code).given_back_how == "cash"


@pytest.mark.parametrize(
    ("how", "said"),
    [("unpaid", "the customer had not paid"), ("delivered", "the data came after all")],
)
def test_nothing_to_give_back_ends_it_too_and_says_why(
    app: Flask, ama_agent: Visitor, place: Any, how: str, said: str
) -> None:
    code = place(state="refunded")
    ama_agent.post(f"/orders/{code}/give-back", {"how": how})
    assert back_tab(ama_agent) == [] and said in ama_agent.get(f"/orders/{code}").text
    assert headline(app, code) == "Not delivered: nothing to give back"
    page = Visitor(app, "ama").get(f"/orders/{code}").text
    to_them = {
        "unpaid": "says that you had not paid. If you had, s",
        "delivered": "the data came. If it did not, s",
    }
    assert to_them[how] in page and "the customer" not in page


def test_another_store_can_neither_see_nor_say_it(
    kofi_agent: Visitor, ama_agent: Visitor, place: Any, order_of: Any
) -> None:
    code = place(state="refunded")
    assert back_tab(kofi_agent) == []
    for path in ("give-back", "give-back/undo"):
        assert (
            kofi_agent.post(f"/orders/{code}/{path}", {"how": "momo"}).status_code
            == 404
        )
    assert order_of(code).given_back_at is None


def test_a_viewer_reads_it_and_presses_nothing(
    logged_in: Callable[..., Visitor], place: Any, order_of: Any
) -> None:
    code, viewer = (
        place(state="refunded"),
        logged_in("viewer@example.test", "portal", "ama"),
    )
    assert (
        f'action="/orders/{code}/give-back"' not in viewer.get(f"/orders/{code}").text
    )
    assert viewer.post(f"/orders/{code}/give-back", {"how": "momo"}).status_code == 403
    assert order_of(code).given_back_at is None


def test_the_rows_owing_by_the_database_and_by_the_program_are_the_same(
    ama: int, place: Any, left: Any, in_store: Any
) -> None:
    made = [
        place(state=state)
        for state in (
            "pending",
            "queued",
            "failed",
            "completed",
            "cancelled",
            "refunded",
        )
    ]
    made.append(left())

    def both() -> tuple[set[str], set[str]]:
        asked = {order.code for order in queue("back").orders}
        return asked, {order.code for order in orders.by_codes(made) if order.owes_back}

    asked, said = in_store("ama", both)
    assert asked == said == set(made[-2:])


def test_done_is_sorted_by_the_end_that_it_shows(
    ama_agent: Visitor, place: Any, in_store: Any, jump: Callable[[float], None]
) -> None:
    first, second = (
        place(state="processing"),
        place(number="0559998888", state="cancelled"),
    )
    jump(60)
    in_store(
        "ama",
        lambda: orders.advance(
            orders.by_code(first).id, "completed", text="Delivered."
        ),
    )
    shown = re.findall(
        r'<tr id="o-([0-9A-Z]{10})"', ama_agent.get("/orders?tab=done").text
    )
    assert shown == [first, second]


def test_a_failed_order_looks_stopped_and_promises_no_profit(
    ama_agent: Visitor, place: Any
) -> None:
    code = place(state="failed")
    row = (
        ama_agent.get("/orders?tab=failed")
        .text.partition(f'<tr id="o-{code}"')[2]
        .partition("</tr>")[0]
    )
    assert (
        'class="badge stopped"' in row
        and "money in" not in row
        and 'c-profit">–<' in row
    )
    page = ama_agent.get(f"/orders/{code}").text
    assert (
        'class="note stopped"' in page
        and "none unless it is delivered" in page
        and "k-moving" in page
    )
    assert page.count("k-stopped") == 1  # the line of its history too


def test_what_was_saved_is_said_in_the_words_of_what_was_done(
    ama_agent: Visitor, line_of: Any
) -> None:
    line, other = line_of("mtn", 5), line_of("mtn", 1)
    price = f"{line.price_pesewas / 100:.2f}"
    ama_agent.post(
        "/prices", {f"price-{line.bundle_id}": price, f"hidden-{line.bundle_id}": "on"}
    )
    assert "Hid 1 bundle." in ama_agent.get("/prices").text
    ama_agent.post(
        "/prices",
        {f"price-{line.bundle_id}": price, f"price-{other.bundle_id}": "99.00"},
    )
    assert "Saved 1 price, showed 1 bundle." in ama_agent.get("/prices").text
