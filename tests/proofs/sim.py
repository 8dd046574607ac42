"""`python -m tests.proofs.sim`: hundreds of days of trading in one process, each drawn from a seed.

Prints progress, and for a seed in which an invariant breaks the seed, the invariant by name and
what led there. A seed is a run: `--seed N` plays one again, event by event.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from tests.proofs import sim_database, sim_seams
from tests.proofs.sim_checks import INVARIANTS
from tests.proofs.sim_database import Database
from tests.proofs.sim_profile import BulkMode
from tests.proofs.sim_world import World

TRACE_LINES = 60
FEW_ORDERS, MANY_ORDERS = 8, 30
"""One seed in five has many orders: enough to use up the calls and, in bulk mode, for bulk calls.
With few a fault shows in nearly as many seeds (six mutants: 105 of 240 against 115), and each takes
a quarter of the time."""
_SEEDS_A_SWEEP = 20


def orders_of(seed: int) -> int:
    """How many orders a seed has when nobody says otherwise."""
    is_bulk_with_many, is_plain_with_many = seed % 6 == 1, seed % 20 == 10
    return MANY_ORDERS if is_bulk_with_many or is_plain_with_many else FEW_ORDERS


def mode_of(seed: int) -> BulkMode:
    """Every other seed is in bulk mode when nobody says otherwise."""
    return "auto" if seed % 2 else "off"


@dataclass
class Report:
    """What came of some seeds."""

    seeds: int = 0
    events: int = 0
    seconds: float = 0.0
    broken: list[tuple[int, str, str]] = field(default_factory=list)
    """(seed, invariant, evidence)"""
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, other: Report) -> None:
        """Take in what another process ran at the same time."""
        self.seeds += other.seeds
        self.events += other.events
        self.seconds = max(self.seconds, other.seconds)
        self.broken += other.broken
        self.counts.update(other.counts)

    def __str__(self) -> str:
        a_minute = self.seeds * 60 / max(self.seconds, 0.001)
        counts = ", ".join(
            f"{count} {what}" for what, count in sorted(self.counts.items())
        )
        return (
            f"{self.seeds} seeds, {self.events} events, {self.seconds:.1f} s, "
            f"{a_minute:.0f} seeds a minute, {len(self.broken)} broken; {counts}"
        )


def run_seeds(
    seeds: Iterable[int],
    database: Database,
    *,
    orders: int | None = None,
    bulk: BulkMode | None = None,
    every: int = 0,
    most_broken: int = 5,
) -> Report:
    """Run seeds one after another; stop after `most_broken` that failed. Prints a line each `every`
    seeds."""
    report, began = Report(), time.monotonic()
    with _no_collector(), sim_seams.installed():
        for seed in seeds:
            world = _world(seed, database, orders, bulk)
            broken = world.run()
            report.seeds += 1
            report.events += world.events
            report.counts.update(world.counts)
            report.seconds = time.monotonic() - began
            del world
            if report.seeds % _SEEDS_A_SWEEP == 0:
                gc.collect()
            if broken:
                report.broken.append((seed, *broken))
                print(f"seed {seed}: {broken[0]} is broken: {broken[1]}", flush=True)
                if len(report.broken) >= most_broken:
                    break
            if every and report.seeds % every == 0:
                print(
                    f"{report.seeds} seeds, {report.events} events, {report.seconds:.0f} s",
                    flush=True,
                )
    return report


def _world(
    seed: int, database: Database, orders: int | None, bulk: BulkMode | None
) -> World:
    return World(
        seed,
        orders or orders_of(seed),
        database.fresh(),
        bulk=bulk or mode_of(seed),
    )


@contextmanager
def _no_collector() -> Iterator[None]:
    """A world is thrown away whole: to look for garbage within it meanwhile costs a tenth of the
    time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def replay(
    seed: int,
    database: Database,
    *,
    orders: int | None = None,
    bulk: BulkMode | None = None,
) -> World:
    """Run one seed and keep what happened in `world.trace`."""
    with sim_seams.installed():
        world = _world(seed, database, orders, bulk)
        world.tracing = True
        world.run()
    return world


def again(seed: int, orders: int | None = None, bulk: BulkMode | None = None) -> str:
    """The command that plays a seed again, event by event."""
    return (
        f".venv/bin/python -m tests.proofs.sim --seed {seed} "
        f"--orders {orders or orders_of(seed)} --bulk {bulk or mode_of(seed)}"
    )


def main(words: Sequence[str]) -> int:
    """0 when every invariant held in every seed."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.proofs.sim", description=__doc__
    )
    parser.add_argument("--seeds", type=int, default=100, help="how many seeds")
    parser.add_argument("--first", type=int, default=1, help="the first of them")
    parser.add_argument(
        "--seed", type=int, help="play this one again and print its events"
    )
    parser.add_argument(
        "--orders",
        type=int,
        help=f"in each; else {FEW_ORDERS}, and {MANY_ORDERS} in one seed of five",
    )
    parser.add_argument(
        "--bulk", choices=("off", "auto"), help="else every other seed is in bulk mode"
    )
    parser.add_argument(
        "--jobs", type=int, default=1, help="processes, each with a database server"
    )
    options = parser.parse_args(words)
    if options.seed is not None:
        return _show(options.seed, options.orders, options.bulk, lines=0)
    seeds = range(options.first, options.first + options.seeds)
    report = run_shared(seeds, options.jobs, orders=options.orders, bulk=options.bulk)
    print(report)
    for seed, _invariant, _evidence in report.broken[:1]:
        _show(seed, options.orders, options.bulk)
    return int(bool(report.broken))


def run_shared(
    seeds: range, jobs: int, *, orders: int | None = None, bulk: BulkMode | None = None
) -> Report:
    """Run seeds in so many processes, each with a database server of its own."""
    shares = [list(seeds[number::jobs]) for number in range(jobs)]
    if jobs == 1:
        return _share(shares[0], orders, bulk)
    report = Report()
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        for done in pool.map(partial(_share, orders=orders, bulk=bulk), shares):
            report.add(done)
    return report


def _share(seeds: list[int], orders: int | None, bulk: BulkMode | None) -> Report:
    """What one process runs."""
    with sim_database.started() as database:
        every = max(1, min(500, len(seeds) // 5))
        return run_seeds(seeds, database, orders=orders, bulk=bulk, every=every)


def _show(
    seed: int, orders: int | None, bulk: BulkMode | None, lines: int = TRACE_LINES
) -> int:
    with sim_database.started() as database:
        world = replay(seed, database, orders=orders, bulk=bulk)
    print("\n".join(world.trace[-lines:] if lines else world.trace))
    if world.checks.broken is None:
        print(f"seed {seed}: every invariant held in {world.events} events.")
        return 0
    name, evidence = world.checks.broken
    print(f"seed {seed}: {name} is broken ({INVARIANTS[name]}).\n  {evidence}")
    print(f"  again: {again(seed, orders, bulk)}")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
