"""Each part is away for six seconds under load, then comes back: nothing is lost, and every page
says what to do."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.proofs import outages
from tests.proofs.stage import Stage

pytestmark = [pytest.mark.slow(seconds=70), pytest.mark.alone, pytest.mark.timeout(400)]
AWAY_S = 6.0
SLACK = 3.0
"""Pages and orders may take this much longer than on a quiet machine."""


def test_each_part_goes_away_and_comes_back_and_nothing_is_lost(
    stage: Stage, say: Callable[[object], None]
) -> None:
    gone = []
    for outcome in outages.run(stage, outages.KILLED, AWAY_S, SLACK):
        say(outcome)
        gone.append(outcome.trial)
    assert gone == [
        "web:killed",
        "worker:killed",
        "relay:killed",
        "valkey:killed",
        "postgres:killed",
    ]
