"""SIGTERM to supervisor and web in the middle of purchases: each is finished first, none is ever
unclear."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.proofs import deploy
from tests.proofs.stage import Stage

pytestmark = [pytest.mark.slow(seconds=50), pytest.mark.alone, pytest.mark.timeout(300)]


def test_a_deploy_in_the_middle_of_purchases_leaves_none_unclear(
    stage: Stage, say: Callable[[object], None]
) -> None:
    done = deploy.run(stage, orders=12, terms=2)
    for line in done.lines():
        say(line)
    assert (len(done.stops_s), done.in_flight) == (2, 2)
