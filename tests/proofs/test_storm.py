"""Thousands of forged, replayed and changed webhooks over sockets: nothing moves, little is asked,
purchases go on."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.proofs import forged, storm
from tests.proofs.stage import Stage

pytestmark = [pytest.mark.slow(seconds=40), pytest.mark.alone, pytest.mark.timeout(300)]
BODIES, ORDERS_MEANWHILE = 2_000, 20


def test_a_storm_of_forged_webhooks_changes_nothing_and_two_megabytes_are_refused_unread(
    stage: Stage, say: Callable[[object], None]
) -> None:
    done = storm.run(stage, BODIES, ORDERS_MEANWHILE, seed=1)
    for line in done.lines():
        say(line)
    assert sum(done.sent.values()) == BODIES
    assert set(done.sent) == set(forged.KINDS)
    assert done.announced is not None
    assert done.announced.sent_bytes == 0, "refused by its length alone"
