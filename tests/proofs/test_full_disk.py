"""No byte is free on PostgreSQL's disk, under load: what cannot be written is a 503 and undone,
nothing is lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.proofs import full_disk, outages
from tests.proofs.stage import Stage

pytestmark = [pytest.mark.slow(seconds=25), pytest.mark.alone, pytest.mark.timeout(300)]
FULL_S = 8.0
SLACK = 3.0


def test_a_full_disk_loses_nothing_and_pages_say_to_come_again(
    request: pytest.FixtureRequest, say: Callable[[object], None]
) -> None:
    if not full_disk.is_possible():
        pytest.skip("a small file system takes root and a kernel that mounts")
    stage: Stage = request.getfixturevalue("stage")
    (outcome,) = outages.run(stage, ["postgres:full"], FULL_S, SLACK)
    say(outcome)
    assert outcome.answers[503], "nobody noticed"
