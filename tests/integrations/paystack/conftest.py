"""Gateways for the tests of payments, each on a store and a socket of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from paystack_kit import Pair

Make = Callable[..., Pair]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Pair] = []

    def build(**options: Any) -> Pair:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(Pair(folder, **options))
        return made[-1]

    yield build
    for pair in made:
        pair.close()


@pytest.fixture
def pair(make: Make) -> Pair:
    return make()
