"""Days of trading in one process, on a real PostgreSQL: whatever a seed draws, every invariant
holds. And the tool itself: the same seed is the same run, what a commit wrote is seen, and a
stand-in whose original has changed stops it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import text

from core import ledger
from core.audit import SYSTEM
from core.base import clock, db, tenancy
from fulfilment import relay
from fulfilment.buying import supplier_link
from tests.proofs import ROOT, patching, sim, sim_actors, sim_journal, sim_seams
from tests.proofs.sim_database import Database
from tests.proofs.sim_profile import BulkMode
from tests.proofs.sim_world import World

pytestmark = pytest.mark.alone

SEEDS, PROCESSES = 56, 2
"""As many as fit in two minutes on two cores that do nothing else: 29 a minute."""
REGRESSION_SEEDS: list[tuple[int, int, BulkMode, str]] = [
    (
        1880,
        30,
        "off",
        "the run ended while an order that a question had stopped was on its way again",
    ),
]
"""Seeds beyond those that once broke something: (seed, orders, bulk mode, what was wrong)."""


def check(
    report: sim.Report, orders: int | None = None, bulk: BulkMode | None = None
) -> sim.Report:
    """Fail with the seed, what it broke, and the command that plays it again."""
    if report.broken:
        seed, invariant, evidence = report.broken[0]
        pytest.fail(
            f"seed {seed}: {invariant} is broken: {evidence}\n  again, event by event:"
            f" {sim.again(seed, orders, bulk)}",
            pytrace=False,
        )
    return report


@pytest.mark.all_cores
@pytest.mark.timeout(600)
@pytest.mark.slow(seconds=120)
def test_every_invariant_holds_in_every_seed(say: Callable[[object], None]) -> None:
    report = check(sim.run_shared(range(1, SEEDS + 1), PROCESSES))
    say(report)
    assert report.seeds == SEEDS
    for what in (
        "kills in a purchase",
        "freezes",
        "restarts",
        "clock jumps",
        "purchase lost",
        "purchase late",
    ):
        assert report.counts[what] > 10, f"hardly any {what}: {report.counts}"
    assert report.counts["bulk calls"] > 5
    assert report.counts["claims hit"] > 5, (
        "the nemesis that waits for a commit of a claim does not see them"
    )


@pytest.mark.slow(seconds=4.8)
@pytest.mark.parametrize(("seed", "orders", "bulk", "was"), REGRESSION_SEEDS)
def test_what_once_broke_holds(
    database: Database, seed: int, orders: int, bulk: BulkMode, was: str
) -> None:
    check(sim.run_seeds([seed], database, orders=orders, bulk=bulk), orders, bulk)


@pytest.mark.slow(seconds=10.5)
def test_a_seed_is_a_run(database: Database) -> None:
    """Also after another seed has run in this process, and in another process whose sets have
    another order."""
    first = sim.replay(5, database).trace
    assert len(first) > 200
    assert sim.replay(6, database).trace != first
    assert sim.replay(5, database).trace == first
    said = subprocess.run(
        [sys.executable, "-m", "tests.proofs.sim", "--seed", "5"],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "42"},
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    assert said.returncode == 0, said.stdout[-2_000:] + said.stderr
    assert said.stdout.splitlines()[:-1] == "\n".join(first).splitlines()


def test_every_stand_in_is_taken_out_again() -> None:
    shipped = [db.transaction, supplier_link.wallet_turn, relay.queue_of, clock.random]
    with sim_seams.installed():
        inside = [
            db.transaction,
            supplier_link.wallet_turn,
            relay.queue_of,
            clock.random,
        ]
        assert all(one is not other for one, other in zip(shipped, inside, strict=True))
    assert [
        db.transaction,
        supplier_link.wallet_turn,
        relay.queue_of,
        clock.random,
    ] == shipped


def test_a_function_that_takes_something_else_now_stops_the_simulation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        sim_seams, "FUNCTIONS", [(supplier_link.wallet_turn, lambda wallet: None)]
    )
    with (
        pytest.raises(patching.Drifted, match="wallet_turn takes"),
        sim_seams.installed(),
    ):
        pass


def test_a_function_that_nobody_knows_any_more_stops_the_simulation() -> None:
    def gone() -> None: ...

    with pytest.raises(patching.Drifted, match="nothing of ours knows"):
        patching.everywhere(gone, lambda: None)
    with pytest.raises(patching.Drifted, match="has no 'moment'"):
        patching.attribute(clock, "moment", None)


@pytest.fixture
def world(database: Database) -> Iterator[World]:
    """A world on a fresh database, opened: its orders wait to be released."""
    made = World(1, 3, database.fresh())
    with sim_seams.installed(), sim_seams.running(made):
        made._open()
        yield made
        made._end_all()


def test_what_is_committed_is_told_and_what_is_rolled_back_is_not(world: World) -> None:
    told: list[tuple[int, int]] = []

    def hear(before: sim_journal.Row | None, after: sim_journal.Row) -> None:
        assert before is not None
        if "balance_pesewas" in after:
            told.append((before["balance_pesewas"], after["balance_pesewas"]))
        else:
            told.append((before["charged_pesewas"] or 0, after["charged_pesewas"]))

    world.store.listen("accounts", hear)
    world.store.listen("orders", hear)
    with world.store.process(), tenancy.across_stores():
        with pytest.raises(ZeroDivisionError), db.transaction():
            ledger.fund_float(700, "taken back", SYSTEM)
            raise ZeroDivisionError
        assert told == []
        with db.transaction() as session:
            for change in (
                1,
                -1,
                1,
            ):  # as text, and back to what it was: the same row, told three times
                session.execute(
                    text(
                        "UPDATE orders SET charged_pesewas = coalesce(charged_pesewas, 0) + :more"
                        " WHERE id = 1"
                    ),
                    {"more": change},
                )
    assert [after - before for before, after in told] == [1, -1, 1]


def test_a_commit_that_nobody_heard_is_noticed(
    database: Database, world: World
) -> None:
    world.store.compare()
    database.change(
        lambda unheard: (
            unheard.execute("UPDATE orders SET wait_reason = 'rate' WHERE id = 2")
            and None
        )
    )
    with pytest.raises(sim_journal.Missed, match=r"orders: \[2\]"):
        world.store.compare()


@pytest.mark.slow(seconds=0.7)
def test_a_process_that_gives_way_with_a_transaction_open_is_an_error_of_ours(
    world: World,
) -> None:
    """There is one connection. Whoever waits for the supplier must not hold it."""

    def reads() -> None:
        db.db.session.execute(text("SELECT 1"))

    def reads_and_waits() -> None:
        reads()
        sim_actors.current().sleep(30)

    world._start_page("first", reads)
    assert world.checks.broken is None
    world._start_page("second", reads_and_waits)
    world._start_page("third", reads)
    assert world.checks.broken is not None
    invariant, evidence = world.checks.broken
    assert invariant == "no_error_of_ours"
    assert evidence.startswith("third")
    assert "QueuePool limit" in evidence


@pytest.mark.slow(seconds=4)
def test_nothing_of_a_seed_is_left_for_the_next(database: Database) -> None:
    sim.run_seeds([1], database)
    store = database.fresh()
    assert (store.orders(), store.next_due(), store.float_pesewas()) == ([], None, 0)
