"""Each rule of online money taken out, one at a time: the invariants of the kill test see every one of
the six in a short scene, and hold in the same scene with the rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask import Flask
from visitors import Visitor

from tests.proofs import mutants, online_mutants, patching
from tests.proofs.online_scenes import SCENES, Stage
from tests.support.payouts_desk import paydays
from tests.support.settings import Using
from tests.support.till import SETTINGS, Till

pytestmark = [pytest.mark.slow(seconds=0.7), pytest.mark.alone]


@pytest.fixture
def stage(
    app: Flask,
    tmp_path: Path,
    jump: Callable[[float], None],
    superuser: psycopg.Connection[Any],
    postgres: dict[str, str],
    using: Using,
    visitor: Callable[[str], Visitor],
) -> Iterator[Stage]:
    with ExitStack() as stack:

        def till() -> Till:
            using(**SETTINGS)
            made = Till(app, tmp_path, jump, superuser)
            stack.callback(made.close)
            return made

        def payday(**knobs: Any) -> Any:
            stack.enter_context(app.app_context())
            build = stack.enter_context(paydays(app, tmp_path, superuser, jump))
            return build(**knobs)

        yield Stage(till, payday, visitor, tmp_path, postgres["super"])


@pytest.mark.parametrize("name", online_mutants.MUTANTS)
def test_a_rule_of_online_money_that_is_taken_out_is_seen(
    name: str, stage: Stage, superuser: psycopg.Connection[Any], restore: Any
) -> None:
    scene, invariants = SCENES[name]
    in_database = online_mutants.MUTANTS[name].in_database
    with mutants.applied(name):
        if in_database is not None:
            in_database(superuser)
        try:
            broken = scene(stage)
        finally:
            if in_database is not None:
                restore()
                online_mutants.let_none_repeat(superuser)
    assert broken & invariants, f"only {broken}"


@pytest.mark.parametrize("name", online_mutants.MUTANTS)
def test_with_the_rule_the_same_scene_breaks_nothing_of_it(
    name: str, stage: Stage
) -> None:
    scene, invariants = SCENES[name]
    assert not scene(stage) & invariants


def test_every_mutant_has_its_scene_and_is_gone_after_its_run() -> None:
    assert set(SCENES) == set(online_mutants.MUTANTS)
    from core.online import accepting, paying_in
    from core.payouts import sending
    from fulfilment import gateway_hooks, paying, refunding

    rooms = (accepting, paying_in, sending, gateway_hooks, paying, refunding)
    before = [dict(vars(room)) for room in rooms]
    for name in online_mutants.MUTANTS:
        patching.undo_all(mutants.apply(name))
    assert [dict(vars(room)) for room in rooms] == before
