"""Several web processes, each with stored pages of its own: none shows an old price, pause, stop or
closing for more than two seconds, and none takes an order at it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.proofs import two_processes
from tests.proofs.stage import Stage

pytestmark = [
    pytest.mark.slow(seconds=30),
    pytest.mark.alone,
    pytest.mark.timed,
    pytest.mark.timeout(300),
]


def test_a_change_is_seen_by_every_process_within_two_seconds(
    stage: Stage, say: Callable[[object], None]
) -> None:
    seen = two_processes.run(stage)
    for one in seen:
        say(one)
    assert len(seen) == 9
    assert {
        one.change for one in seen if max(one.seconds) > two_processes.SEEN_S
    } == set()
