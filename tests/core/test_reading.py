"""Finding orders and saying how they stand: tabs, pages, search, counts, poll steps, words."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import tables_owner
from sqlalchemy import update

from core import orders, stores
from core.audit import Actor
from core.base import clock, config
from core.base.db import db
from core.orders import Order
from tests.support.queues import queue

pytestmark = pytest.mark.slow(seconds=0.1)

AMA = Actor("agent", "Ama")
Place = Callable[..., Order]


def change(order: Order, **values: Any) -> Order:
    tables_owner.execute(update(Order).where(Order.id == order.id).values(**values))
    db.session.remove()
    found = orders.by_code(order.code)
    assert found is not None
    return found


def ids(page: orders.Page) -> list[int]:
    return [order.id for order in page.orders]


@pytest.mark.parametrize(
    ("tab", "oldest_first"), [("new", True), ("all", False), ("no such tab", True)]
)
def test_pages_of_a_tab_follow_each_other_without_gap_or_repeat(
    ama: int, place: Place, tab: str, oldest_first: bool
) -> None:
    placed = [place().id for _ in range(5)]
    wanted = placed if oldest_first else placed[::-1]
    first = queue(tab, limit=2)
    second = queue(tab, before=first.next_before, limit=2)
    third = queue(tab, before=second.next_before, limit=2)
    assert ids(first) + ids(second) + ids(third) == wanted
    assert third.next_before is None
    assert (
        queue(tab, limit=5).next_before is None
    )  # a full last page does not promise another


def test_each_tab_holds_its_states_and_the_counts_agree(ama: int, place: Place) -> None:
    for state in orders.STATES:
        change(
            place(),
            state=state,
            final_at=clock.now() if state in orders.FINAL else None,
        )
    held = {
        tab: sorted(order.state for order in queue(tab).orders) for tab in orders.TABS
    }
    assert held == {
        "new": ["pending"],
        "processing": ["processing", "queued", "submitting"],
        "late": [],
        "paid": [],
        "missing": [],
        "failed": ["failed"],
        "back": ["refunded"],
        "done": ["cancelled", "completed", "expired"],
        "all": sorted(orders.STATES),
    }
    assert orders.tab_counts() == {tab: len(states) for tab, states in held.items()}


def test_history_of_earlier_days_is_not_counted_but_work_is(
    ama: int, place: Place, jump: Callable[[float], None]
) -> None:
    change(place(), state="completed", final_at=clock.now())
    change(place(), state="processing")
    jump(86_400)
    place()
    counts = orders.tab_counts()
    assert (counts["done"], counts["all"], counts["processing"], counts["new"]) == (
        0,
        1,
        1,
        1,
    )


@pytest.mark.parametrize(
    ("state", "column", "limit"),
    [
        ("processing", "processing_at", "late_processing_s"),
        ("queued", "queued_at", "late_queued_s"),
        ("submitting", "queued_at", "late_queued_s"),
    ],
)
def test_an_order_is_late_after_its_time_and_not_before(
    ama: int, place: Place, state: str, column: str, limit: str
) -> None:
    order, seconds = place(), getattr(config.current(), limit)
    change(
        order, state=state, **{column: clock.now() - timedelta(seconds=seconds - 30)}
    )
    assert ids(queue("late")) == []
    change(order, **{column: clock.now() - timedelta(seconds=seconds + 1)})
    assert ids(queue("late")) == [order.id]
    assert orders.tab_counts()["late"] == 1


@pytest.mark.parametrize(
    "typed",
    [
        "0241234567", "024 123 4567", "+233241234567", "233241234567", "1234567", "4567",
        "akosua", "Akosua M", "SUP-REF-1", "{code}", "{shown}", "{lower}", "{ref}", "{ref_lower}",
    ],
)  # fmt: skip
def test_an_order_is_found_by_everything_a_person_may_have(
    ama: int, place: Place, typed: str
) -> None:
    place("+233209999999", customer_name="Kwame")
    order = change(
        place("+233241234567", customer_name="Akosua Mensah"), supplier_ref="SUP-REF-1"
    )
    words = typed.format(
        code=order.code,
        shown=order.shown_code,
        lower=order.shown_code.lower(),
        ref=order.order_ref,
        ref_lower=order.order_ref.lower(),
    )
    assert [found.id for found in orders.find_any(words, 10)] == [order.id]
    assert ids(orders.search(words)) == [order.id]


def test_the_digits_of_a_code_or_reference_find_nobody_s_number(
    ama: int, place: Place
) -> None:
    order = change(place("+233241234567"), order_ref="MK-99912A")
    other = place("+233209999123")
    digits = re.sub(r"[^0-9]", "", order.code)
    if len(digits) >= 3:
        place("+23320" + (digits * 7)[:7])
    for typed in (
        order.code,
        order.shown_code,
        order.code.lower(),
        "MK-99912A",
        "mk-99912a",
    ):
        assert [found.id for found in orders.find_any(typed, 10)] == [order.id], typed
    assert [found.id for found in orders.find_any("9999123", 10)] == [other.id]


@pytest.mark.parametrize(
    "typed", ["%", "_", "\\", "00", "nobody", "\x00x", "'; DROP TABLE orders --"]
)
def test_a_search_for_nothing_that_exists_finds_nothing(
    ama: int, place: Place, typed: str
) -> None:
    place("+233241234567", customer_name="Akosua")
    assert orders.find_any(typed, 10) == []


@pytest.mark.parametrize("typed", ["", "   ", "\x00"])
def test_an_empty_search_is_no_search(ama: int, place: Place, typed: str) -> None:
    placed = [place().id, place().id]
    assert [order.id for order in orders.find_any(typed, 10)] == placed[::-1]
    assert len(orders.find_any(typed, 1)) == 1


def test_zeros_alone_search_for_themselves(ama: int, place: Place) -> None:
    order = place("+233240001234")
    assert [found.id for found in orders.find_any("000", 10)] == [order.id]


def test_new_orders_are_counted_from_the_one_last_seen(ama: int, place: Place) -> None:
    seen = place()
    assert orders.newer_than(seen.id) == 0
    place()
    orders.cancel(place().code, AMA)
    assert orders.newer_than(seen.id) == 1


@pytest.mark.parametrize(
    ("age", "step"), [(0, 2), (55, 2), (61, 10), (1_790, 10), (1_801, 60), (90_000, 60)]
)
def test_a_page_asks_more_rarely_as_its_order_ages(
    ama: int, place: Place, jump: Callable[[float], None], age: int, step: int
) -> None:
    order = place()
    jump(age)
    assert orders.next_poll_s(order) == step


@pytest.mark.parametrize("state", sorted(orders.FINAL))
def test_a_final_order_is_not_asked_about_again(
    ama: int, place: Place, state: str
) -> None:
    assert orders.next_poll_s(change(place(), state=state)) is None


def words(order: Order) -> tuple[str, str, str]:
    store = stores.by_slug("ama")
    assert store is not None
    customer = orders.customer_words(order, store)
    return customer.label, customer.sentence, orders.agent_words(order).sentence


def test_sending_reads_as_checking_only_after_two_minutes_or_an_unclear_answer(
    ama: int, place: Place
) -> None:
    order = change(place(), state="submitting", submitted_at=clock.now())
    assert words(order) == (
        "Processing",
        "We are sending it to the network.",
        "Sending to the supplier.",
    )
    next_check_at = clock.now() + timedelta(minutes=5)
    at = clock.shown(next_check_at)  # with its day when that is tomorrow
    for values in (
        {"submitted_at": clock.now() - timedelta(seconds=121)},
        {"submitted_at": clock.now(), "unknown_since": clock.now()},
    ):
        label, customer, agent = words(
            change(order, next_look_at=next_check_at, unknown_since=None)
            and change(order, **values)
        )
        assert label == "Checking with the network"
        assert (
            customer
            == f"Checking with the network. Nothing is lost; next check at {at}."
        )
        assert f"; next check at {at}. It will not be bought twice." in agent


def test_a_refused_order_says_why_to_both_and_a_failed_one_until_when_it_is_watched(
    ama: int, place: Place
) -> None:
    now = clock.now()
    order = change(
        place(), state="refunded", submitted_at=now, failure_reason="Not a number"
    )
    _label, customer, agent = words(order)
    assert _label == "Not delivered: Ama's Data gives your money back"
    assert customer.startswith(
        "It could not be sent: the network does not take this number. You get GH₵"
    )
    assert "(“Not a number”)" in agent
    order = change(order, processing_at=now)
    assert words(order)[1].startswith("The network did not deliver it. You get GH₵")
    order = change(order, state="failed", failed_since=now)
    until = (now + clock.delta(config.current().failed_watch_s)).astimezone(clock.ACCRA)
    for sentence in words(order)[1:]:
        assert f"{until.day} {until:%b %H:%M}" in sentence


def test_a_waiting_order_says_what_it_waits_for_and_an_old_moment_its_day(
    ama: int, place: Place
) -> None:
    since = clock.now() - timedelta(days=2)
    order = change(place(), state="queued", queued_at=since, wait_reason="float")
    local = since.astimezone(clock.ACCRA)
    assert (
        words(order)[2]
        == f"Waiting: supplier float too low. In line since {local.day} {local:%b %H:%M}."
    )
    assert (
        words(change(order, wait_reason=None))[2]
        == "In line. It is sent within a minute."
    )


def test_a_code_that_cannot_be_one_finds_nothing(ama: int, place: Place) -> None:
    place()
    assert orders.by_code("not a code") is None
    assert orders.by_code("ZZZZZZZZZZ") is None


def test_a_prefix_that_hints_at_another_network_is_seen(ama: int, place: Place) -> None:
    assert place("+233241234567").network_mismatch is False
    assert place("+233201234567").network_mismatch is True


@pytest.mark.slow(seconds=0.4)
def test_the_table_of_states_prints_one_line_for_each_move() -> None:
    root = Path(__file__).parents[2]
    printed = subprocess.run(
        [sys.executable, "-m", "core.orders.states"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert len(printed) == len(orders.TRANSITIONS)
    assert printed[3].split()[:4] == ["pending", "->", "queued", "hold"]
