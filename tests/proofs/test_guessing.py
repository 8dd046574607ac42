"""Guessing against real processes: it slows the guesser, lets everybody else in, and leaves the
store page quick."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.proofs import guessing
from tests.proofs.guessing import Seen
from tests.proofs.stage import Stage

pytestmark = [
    pytest.mark.slow(seconds=15),
    pytest.mark.alone,
    pytest.mark.timed,
    pytest.mark.timeout(300),
]
SECONDS = 8.0
"""`python -m tests.proofs.guessing` goes on for longer."""


@pytest.fixture
def guessed(
    stage: Stage, say: Callable[[object], None]
) -> Iterator[Callable[[Seen], Seen]]:
    def told(seen: Seen) -> Seen:
        for line in seen.lines():
            say(line)
        return seen

    yield told
    guessing.forget(stage)


def test_a_neighbour_who_guesses_shuts_nobody_out_who_shares_the_address(
    stage: Stage, guessed: Callable[[Seen], Seen]
) -> None:
    seen = guessed(guessing.behind_one_address(stage))
    assert seen.answers[404] == 60


def test_the_right_password_gets_in_while_fifty_addresses_guess(
    stage: Stage, guessed: Callable[[Seen], Seen]
) -> None:
    seen = guessed(guessing.from_many_addresses(stage, SECONDS))
    assert seen.let_in_s is not None and seen.let_in_s <= guessing.LET_IN_S
    assert seen.answers[429] > seen.answers[422], "most guesses were not even looked at"


def test_a_flood_of_log_ins_keeps_no_store_page_waiting(
    stage: Stage, guessed: Callable[[Seen], Seen]
) -> None:
    seen = guessed(guessing.flood(stage, SECONDS))
    assert seen.answers[422] > 0, "log-ins go on meanwhile"
