"""What `dev.py prove NAME --long` hands to a proof's program, and what that makes of it."""

from __future__ import annotations

import pytest

from devkit.prove import PROOFS
from tests.proofs import kill


@pytest.mark.parametrize(
    ("words", "seeds"),
    [
        ((), [1, 2, 3]),
        (("--seed", "7"), [7]),
        (("--seeds", "2-3"), [2, 3]),
        (("--seeds", "4"), [4]),
    ],
)
def test_the_seeds_that_are_named_are_those_that_run(
    words: tuple[str, ...], seeds: list[int]
) -> None:
    _program, *its = PROOFS["kill"].long
    assert kill.seeds_of(kill.options().parse_args([*its, *words])) == seeds
