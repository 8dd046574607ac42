"""Sixty calls a minute at the supplier, three workers, more orders than that: the limit is neither
broken nor wasted."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.proofs import rate
from tests.proofs.stage import Stage

pytestmark = [
    pytest.mark.slow(seconds=50),
    pytest.mark.alone,
    # whether calls were wasted is judged only where the machine had some of itself to give
    pytest.mark.timed,
    pytest.mark.timeout(300),
]
ORDERS = 130
"""Two windows of purchases, then look-ups that would fill the budget alone. They go on when the
test is over, so no other test should use its stage after this."""


def test_the_supplier_s_limit_is_neither_broken_nor_wasted_nor_given_to_look_ups(
    stage: Stage, say: Callable[[object], None]
) -> None:
    use = rate.run(stage, ORDERS)
    for line in use.lines():
        say(line)
    rate.judge(use)
    assert len(use.slices) >= 2
