"""A worker is stopped after any statement of claim → call → record, whatever the supplier answers:
it buys once.

The supplier lives in this process behind a real socket and never recognises a repeated reference
(but for the one answer that needs it), so a second call would be a second charge in its own charge
file. The worker is a forked child with connections of its own. After its death the parent does what
relay and workers do, with time that jumps.

Points are listed by `tests.proofs.crash_points`. Here one point is tried for each effect on the
world outside; for all answers but the first, statements that PostgreSQL rolls back with the process
count as no effect, since nobody can see them. `python -m tests.proofs.crash_points --all` tries
every point of every answer. Workers that left the same world behind (`tests.proofs.crash_world`) end
in the same way: the end of each world is walked once.

The eight answers are those after which the road differs: taken; unclear in the three ways that
money can hide in (charged and said 500, charged and reset, reset before any charge); and the four
that say "not bought" and mean different things (wait for the float, give the money back, wait for
the rate limit, take another reference). A time-out is not among them: the client makes one word of
it and a reset, nobody knows. One call for several orders is a road of its own, tried with an answer
for each line and with none.
"""

from __future__ import annotations

import os
from collections import Counter

import pytest

from core.base.db import db
from tests.proofs import crash_points
from tests.proofs.crash_points import Point
from tests.proofs.crash_road import Answer, Road

pytestmark = pytest.mark.alone

EVERY_POINT = os.environ.get("CRASH_POINTS") == "all"
ANSWERS = [
    Answer("accepted"),
    Answer("500 after the charge", fault="http_500_after"),
    Answer("reset after the charge", fault="reset_after"),
    Answer("reset before the charge", fault="reset_before", second_is_a_person_s=True),
    Answer("its wallet is too low", wallet_pesewas=100),
    Answer("it does not sell that", "refunded", knobs={"products": ("TELECEL",)}),
    Answer("429", fault="text_429"),
    Answer(
        "a stranger's reference",
        knobs={"dedupe": True},
        taken_by_a_stranger=True,
        second_is_a_person_s=True,
    ),
    Answer("accepted, two in one call", lines=2),
    Answer("reset after the charge, two in one call", fault="reset_after", lines=2),
]


@pytest.mark.timeout(600 if not EVERY_POINT else 36_000)
@pytest.mark.slow(seconds=15)
@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: answer.name)
def test_a_worker_stopped_after_any_statement_buys_once(
    road: Road, answer: Answer
) -> None:
    first = answer is ANSWERS[0]
    road.prepare(answer)
    listed = crash_points.points_of(db.engine, road.start(answer)[1])
    assert_the_road_was_walked(answer, listed)
    chosen = (
        listed
        if EVERY_POINT
        else crash_points.one_for_each_effect(listed, rolled_back_too=first)
    )
    never_came, wrong, ends = [], [], Counter[str]()
    walked: dict[str, tuple[list[str], str]] = {}
    for point in chosen:
        released, job = road.start(answer)
        if not crash_points.stopped_at(db.engine, job, point):
            never_came.append(point)
        world = road.world(released)
        if world not in walked:
            ended = road.end_of(released, rung_by_rung=first)
            states = [f"{order.state}, attempt {order.attempt}" for order in ended]
            walked[world] = (states, road.wrong(answer, ended))
        states, said = walked[world]
        ends.update(states)
        if said:
            wrong.append((point, said))
    print(
        f"{answer.name}: {len(listed)} points, {len(chosen)} tried, {len(walked)} worlds,"
        f" {dict(ends)}"
    )
    assert never_came == []
    assert wrong == []


def assert_the_road_was_walked(answer: Answer, listed: list[Point]) -> None:
    """The list must hold the claim, the call and the record of this answer: else the tracer looked
    elsewhere."""
    places = {point.where.rpartition(":")[0] for point in listed}
    for wanted in (
        "core/orders/claiming.py:_claim",
        "fulfilment/buying/purchase.py:call",
        (
            f"integrations/datamart/client.py:DataMart.{'submit' if answer.lines == 1 else 'submit_bulk'}"
        ),
        "integrations/http.py:send",
        "fulfilment/buying/answers.py:_take_purchase",
        "core/supplier/records.py:record_call",
        "core/leases.py:finish",
    ):
        assert wanted in places


def test_worlds_are_told_apart_by_all_that_an_end_can_depend_on(road: Road) -> None:
    answer = ANSWERS[1]
    road.prepare(answer)
    released, _job = road.start(answer)
    as_it_began = road.world(released)
    changed = {
        "a row that was changed": "UPDATE orders SET attempt = attempt + 1",
        "a lease": "UPDATE outbox SET lease_until = lease_until + interval '60 s'",
        "a row less": "DELETE FROM balance_reads",
        "a row more": "INSERT INTO settings (key, value) VALUES ('a_world', '{}')",
    }
    worlds = {}
    for what, statement in changed.items():
        released, _job = road.start(answer)
        assert road.world(released) == as_it_began, what
        road.superuser.execute(statement)
        worlds[what] = road.world(released)
    released, _job = road.start(answer)
    road.sandbox.sandbox.faults.install([])
    worlds["an answer of the supplier"] = road.world(released)
    released, job = road.start(answer)
    job()
    worlds["a purchase"] = road.world(released)
    assert len({as_it_began, *worlds.values()}) == 1 + len(worlds)


def test_a_point_that_never_comes_is_noticed(road: Road) -> None:
    road.prepare(ANSWERS[1])
    job = road.start(ANSWERS[1])[1]
    assert (
        crash_points.stopped_at(
            db.engine, job, Point("fulfilment/buying/purchase.py:call:1", 1, (0, 0, 0))
        )
        is False
    )
