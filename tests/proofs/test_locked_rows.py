"""A session that holds a row or a table for ever, on the whole program: shops go on, everybody is
told (fault S12)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.proofs import locked_rows
from tests.proofs.stage import Stage

pytestmark = [
    pytest.mark.slow(seconds=15),
    pytest.mark.alone,
    pytest.mark.timed,
    pytest.mark.timeout(180),
]
HOLD_S = 3.0


def test_a_held_lock_is_said_and_stops_no_shop(
    stage: Stage, say: Callable[[object], None]
) -> None:
    told = list(locked_rows.run(stage, HOLD_S))
    for one in told:
        say(one)
    assert len(told) == 4
    assert all(one.store_pages_s and one.others for one in told)
