"""A road to a purchase with a supplier of its own, for the tests that stop or freeze the worker on
it. A stage of real processes, for those that take parts of it away: one for all of them, since it
takes seconds to set up. The database of the simulation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from tests.proofs import sim_database
from tests.proofs.crash_road import Road
from tests.proofs.sim_database import Database
from tests.proofs.stage import Stage
from tests.support.settings import Using

SCALE = 5.0
"""Minutes become twelve seconds. Faster, and a machine of two cores is what limits, not what the
tests are about."""


@pytest.fixture
def road(
    app: Flask,
    tmp_path: Path,
    postgres: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    using: Using,
) -> Iterator[Road]:
    with app.app_context():
        made = Road(app, tmp_path, postgres["super"], monkeypatch, using)
        yield made
        made.close()


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """The whole program, three workers: one for each file, since what one leaves under way is
    looked up for minutes, and nobody else finds a quiet moment."""
    with Stage(scale=SCALE, workers=3) as made:
        yield made


@pytest.fixture(scope="package")
def database() -> Iterator[Database]:
    """The simulation's own PostgreSQL, put back before each seed."""
    with sim_database.started() as made:
        yield made


@pytest.fixture
def say(capfd: pytest.CaptureFixture[str]) -> Callable[[object], None]:
    """Prints past the capture: the figures belong into the log of a green run too."""

    def line(text: object) -> None:
        with capfd.disabled():
            print(f"\n{text}", end="", flush=True)

    return line
