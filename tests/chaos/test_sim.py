"""Five hundred days of trading in one process: whatever a seed draws, every invariant holds. And the tool itself: the same
seed is the same run, and a stand-in whose original has changed stops it instead of answering wrongly.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import wsgi  # noqa: F401 - loads every shipped module, so that the seams find all who know what they replace
from chaos import ROOT, patching, sim, sim_memory, sim_seams, sim_tables, sim_texts
from chaos.sim_profile import BulkMode
from chaos.sim_store import MemoryStore
from chaos.sim_words import NotSpoken
from core import clock, db, leap, outbox, supply
from core.orders import Order
from fulfilment import link

SEEDS = 500
ORDERS = 30
REGRESSION_SEEDS: list[tuple[int, BulkMode, str]] = [
    (1880, "off", "the run ended while an order that a question had stopped was on its way again"),
]
"""Seeds beyond the five hundred that once broke something: (seed, bulk mode, what was wrong)."""


def check(seeds: list[int], bulk: BulkMode) -> sim.Report:
    """Run these seeds; fail with the seed, what it broke, and the command that plays it again."""
    report = sim.run_seeds(seeds, ORDERS, bulk)
    if report.broken:
        seed, invariant, evidence = report.broken[0]
        pytest.fail(
            f"seed {seed}: {invariant} is broken: {evidence}\n"
            f"  again, event by event: .venv/bin/python -m chaos.sim --seed {seed} --orders {ORDERS} --bulk {bulk}",
            pytrace=False,
        )
    return report


@pytest.mark.timeout(600)
@pytest.mark.slow(seconds=40)
@pytest.mark.parametrize(("bulk", "first"), [("off", 2), ("auto", 1)])
def test_every_invariant_holds_in_five_hundred_seeds(bulk: BulkMode, first: int) -> None:
    report = check(list(range(first, SEEDS + 1, 2)), bulk)
    assert report.seeds == SEEDS // 2
    for what in ("kills in a purchase", "freezes", "restarts", "clock jumps", "purchase lost", "purchase late"):
        assert report.counts[what] > 50, f"hardly any {what}: {report.counts}"
    assert bool(report.counts["bulk calls"]) == (bulk == "auto")


@pytest.mark.parametrize(("seed", "bulk", "was"), REGRESSION_SEEDS)
def test_what_once_broke_holds(seed: int, bulk: BulkMode, was: str) -> None:
    check([seed], bulk)


def test_a_seed_is_a_run() -> None:
    """Also after another seed has run in this process, and in another process whose sets have another order."""
    first = sim.replay(7, ORDERS, "auto").trace
    assert len(first) > 500
    assert sim.replay(8, ORDERS, "off").trace != first
    assert sim.replay(7, ORDERS, "auto").trace == first
    said = subprocess.run(
        [sys.executable, "-m", "chaos.sim", "--seed", "7", "--orders", str(ORDERS), "--bulk", "auto"],
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
    shipped = [db.transaction, link.wallet_turn, outbox.select, supply.insert, clock.random]
    with sim_seams.installed(memory=True):
        inside = [db.transaction, link.wallet_turn, outbox.select, supply.insert, clock.random]
        assert all(one is not other for one, other in zip(shipped, inside, strict=True))
    assert [db.transaction, link.wallet_turn, outbox.select, supply.insert, clock.random] == shipped


def test_a_function_that_takes_something_else_now_stops_the_simulation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sim_seams, "FUNCTIONS", [(link.wallet_turn, lambda wallet: None)])
    with pytest.raises(patching.Drifted, match="wallet_turn takes"), sim_seams.installed(memory=True):
        pass


def test_a_function_that_nobody_knows_any_more_stops_the_simulation() -> None:
    def gone() -> None: ...

    with pytest.raises(patching.Drifted, match="nothing of ours knows"):
        patching.everywhere(gone, lambda: None)
    with pytest.raises(patching.Drifted, match="has no 'moment'"):
        patching.attribute(clock, "moment", None)


def test_a_statement_written_as_text_that_reads_otherwise_stops_the_simulation(monkeypatch: pytest.MonkeyPatch) -> None:
    name, text, digest, reading = sim_texts._READINGS[0]
    monkeypatch.setattr(sim_texts, "_READINGS", ((name, text.replace("'failed'", "'lost'"), digest, reading),))
    with pytest.raises(patching.Drifted, match=r"doubts\._ORDERS reads otherwise"):
        MemoryStore()


def test_a_query_in_new_words_is_not_answered() -> None:
    orders = sim_tables.TABLES[Order]
    session = sim_memory.Session(sim_tables.fresh({}))
    with sim_seams.installed(memory=True):
        with pytest.raises(NotSpoken, match="group_by"):
            outbox.select(orders.c.state).group_by(orders.c.state)
        with pytest.raises(NotSpoken, match="session.execute"):
            session.execute(leap.text("SELECT 1"))
        with pytest.raises(NotSpoken, match="percentile"):
            outbox.func.percentile_cont(0.5)
