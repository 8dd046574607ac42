"""Anonymous connections against the whole program: the store page answers meanwhile, within a
second."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.proofs import attacks
from tests.proofs.stage import Stage

pytestmark = [
    pytest.mark.slow(seconds=10),
    pytest.mark.alone,
    pytest.mark.timed,
    pytest.mark.timeout(300),
]


@pytest.mark.parametrize("attack", list(attacks.ATTACKS))
def test_the_store_page_answers_while_somebody_attacks(
    stage: Stage, say: Callable[[object], None], attack: str
) -> None:
    for outcome in attacks.run(stage, [attack]):
        say(outcome)
