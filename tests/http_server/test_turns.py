"""Each address has its turn at the threads, however many requests another one sends."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from raw_wire import Served, read_answer

from http_server import QUEUE
from http_server.turns import Turns

pytestmark = pytest.mark.slow(seconds=0.6)

SLOW_S = 0.2
FLOOD = 40

steps = st.lists(
    st.one_of(st.tuples(st.sampled_from("abcde"), st.booleans()), st.none()),
    max_size=120,
)


def nothing() -> None:
    """Work that nobody runs."""


@given(steps)
def test_nothing_is_lost_or_doubled_and_an_address_keeps_its_order(
    steps: list[tuple[str, bool] | None],
) -> None:
    turns, given_, taken = Turns(1_000), [], []
    for step in [*steps, *[None] * len(steps)]:
        if step is not None:
            number = len(given_)
            given_.append((*step, number))
            assert turns.add(
                partial(taken.append, (*step, number)), step[0], is_dear=step[1]
            )
        elif turns.has(is_dear=False) or turns.has(is_dear=True):
            task = turns.take(may_be_dear=True)
            task.work()
            assert taken[-1][:2] == (task.who, task.is_dear)
    assert sorted(taken) == sorted(given_)
    for kind in {one[:2] for one in given_}:
        numbers = [number for *whose, number in taken if tuple(whose) == kind]
        assert numbers == sorted(numbers)


@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), max_size=200),
    st.integers(0, 200),
    st.booleans(),
)
def test_a_newcomer_waits_for_one_work_of_each_other_address_at_most(
    flood: list[tuple[str, bool]], taken: int, is_dear: bool
) -> None:
    turns = Turns(1_000)
    for who, dear in flood:
        turns.add(nothing, who, is_dear=dear)
    for _ in range(min(taken, len(flood))):
        turns.take(may_be_dear=True)
    turns.add(nothing, "new", is_dear=is_dear)
    before = []
    while (task := turns.take(may_be_dear=True)).who != "new":
        before.append(task)
    same = [task.who for task in before if task.is_dear == is_dear]
    assert len(same) == len(set(same)) <= 4
    assert len(before) <= 2 * len(same) + 1, "the two kinds alternate"


def test_no_address_waits_for_ever_while_newcomers_come() -> None:
    turns = Turns(QUEUE)
    for _ in range(3):
        turns.add(nothing, "a", is_dear=False)
    of_a = 0
    for at in range(10):
        turns.add(nothing, f"new {at}", is_dear=False)
        of_a += turns.take(may_be_dear=True).who == "a"
    assert of_a == 3


def test_dear_work_goes_only_when_it_may() -> None:
    turns = Turns(10)
    for who, is_dear in (("a", True), ("a", False), ("a", True), ("b", False)):
        turns.add(nothing, who, is_dear=is_dear)
    taken = [turns.take(may_be_dear=may) for may in (False, True, True, True)]
    assert [(task.who, task.is_dear) for task in taken] == [
        ("a", False),
        ("a", True),
        ("b", False),
        ("a", True),
    ]


def test_an_address_takes_three_quarters_of_the_room_at_most() -> None:
    turns = Turns(100)
    assert [turns.add(nothing, "a", is_dear=False) for _ in range(80)].count(True) == 75
    assert all(turns.add(nothing, f"b{at}", is_dear=False) for at in range(25))
    assert not turns.add(nothing, "c", is_dear=False), "full"
    assert turns.add(nothing, "a", is_dear=True), "dear work is counted apart"
    turns.take(may_be_dear=False)
    assert turns.add(nothing, "c", is_dear=False)


def test_on_the_wire_a_visitor_does_not_wait_behind_a_flood(
    start_server: Callable[..., Served],
) -> None:
    front = start_server(threads=2)
    flood = [
        front.line(b"GET /slow/%.1f HTTP/1.1\r\nHost: a\r\n\r\n" % SLOW_S)
        for _ in range(FLOOD)
    ]
    front.took_s("/stored")  # by then all of them are whole and given
    visitor = http.client.HTTPConnection(
        "127.0.0.1", front.port, timeout=10, source_address=("127.0.0.2", 0)
    )
    began = time.monotonic()
    visitor.request("GET", "/")
    status, took_s = visitor.getresponse().status, time.monotonic() - began
    visitor.close()
    assert (status, {read_answer(line).status for line in flood}) == (200, {200})
    assert took_s < FLOOD * SLOW_S / 2 / 4, "the flood takes four seconds"
