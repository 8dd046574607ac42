"""Days of taking money online, drawn from seeds, with a worker that is killed at any of its seams: the
invariants of the kill test hold at the end. ONLINE_DAYS=200 in the environment is the long form."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask import Flask
from visitors import Visitor

from tests.proofs.online_days import UNASKED, Days
from tests.proofs.online_scenes import Stage
from tests.support.settings import Using
from tests.support.till import SETTINGS, Till

RUNS, STEPS = int(os.environ.get("ONLINE_DAYS", "4")), 40

pytestmark = [pytest.mark.slow(seconds=3), pytest.mark.alone]


@pytest.fixture
def till(
    app: Flask,
    tmp_path: Path,
    jump: Callable[[float], None],
    superuser: psycopg.Connection[Any],
    using: Using,
) -> Iterator[Till]:
    using(**SETTINGS)
    made = Till(app, tmp_path, jump, superuser)
    yield made
    made.close()


@pytest.mark.parametrize("seed", range(1, RUNS + 1))
def test_whatever_happens_the_books_are_the_gateways(
    seed: int,
    till: Till,
    visitor: Callable[[str], Visitor],
    tmp_path: Path,
    postgres: dict[str, str],
    say: Callable[[object], None],
) -> None:
    hooks = visitor("hooks").client

    def post(body: bytes, headers: dict[str, str]) -> int:
        answer = hooks.post(
            "/paystack", base_url="http://hooks.localhost", data=body, headers=headers
        )
        return int(answer.status_code)

    days = Days(till, post, seed)
    days.play(STEPS)
    stage = Stage(lambda: till, lambda: None, visitor, tmp_path, postgres["super"])  # type: ignore[arg-type]
    found = stage.found(tmp_path / "gateway.db")
    wrong = {name: shown for name, shown in found.items() if name not in UNASKED}
    assert wrong == {}, f"seed {seed}: {wrong}"
    till.proven()
    states = Counter(till.state(order) for order in days.orders)
    say(f"seed {seed}: {dict(states)}; {dict(days.happened)}; open: {till.cases()}")
    assert "awaiting_payment" not in states, "all had their time"
    assert days.happened["killed"]
