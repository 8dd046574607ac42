"""`python -m chaos.sim`: thousands of days of trading in one process, each drawn from a seed.

Prints progress, and for a seed in which an invariant breaks the seed, the invariant by name and what led there. A seed is
a run: `--seed N` plays one again, event by event.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import wsgi  # noqa: F401 - loads every shipped module, so that the seams find all who know what they replace
from chaos import sim_seams
from chaos.sim_checks import INVARIANTS
from chaos.sim_profile import BulkMode
from chaos.sim_world import World

TRACE_LINES = 60
_SEEDS_A_SWEEP = 20


@dataclass
class Report:
    """What came of some seeds."""

    seeds: int = 0
    events: int = 0
    seconds: float = 0.0
    broken: list[tuple[int, str, str]] = field(default_factory=list)
    """(seed, invariant, evidence)"""
    counts: Counter[str] = field(default_factory=Counter)


def run_seeds(seeds: Iterable[int], orders: int, bulk: BulkMode, *, every: int = 0, most_broken: int = 5) -> Report:
    """Run seeds one after another; stop after `most_broken` that failed. Prints a line each `every` seeds."""
    report, began = Report(), time.monotonic()
    with _no_collector(), sim_seams.installed(memory=True):
        for seed in seeds:
            world = World(seed, orders, bulk=bulk)
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
                print(f"{report.seeds} seeds, {report.events} events, {report.seconds:.0f} s", flush=True)
    return report


@contextmanager
def _no_collector() -> Iterator[None]:
    """A world is thrown away whole: to look for garbage within it meanwhile costs a tenth of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def replay(seed: int, orders: int, bulk: BulkMode) -> World:
    """Run one seed and keep what happened in `world.trace`."""
    with sim_seams.installed(memory=True):
        world = World(seed, orders, bulk=bulk)
        world.tracing = True
        world.run()
    return world


def main(words: Sequence[str]) -> int:
    """0 when every invariant held in every seed."""
    parser = argparse.ArgumentParser(prog="python -m chaos.sim", description=__doc__)
    parser.add_argument("--seeds", type=int, default=500, help="how many seeds")
    parser.add_argument("--first", type=int, default=1, help="the first of them")
    parser.add_argument("--seed", type=int, help="play this one again and print its events")
    parser.add_argument("--orders", type=int, default=30, help="orders in each")
    parser.add_argument("--bulk", choices=("off", "auto", "both"), default="both", help="both: every other seed")
    options = parser.parse_args(words)
    modes: list[BulkMode] = ["off", "auto"] if options.bulk == "both" else [options.bulk]
    if options.seed is not None:
        return _show(options.seed, options.orders, modes[options.seed % len(modes)], lines=0)
    found = 0
    for number, mode in enumerate(modes):
        seeds = [seed for seed in range(options.first, options.first + options.seeds) if seed % len(modes) == number]
        report = run_seeds(seeds, options.orders, mode, every=max(1, min(500, len(seeds) // 5)))
        print(
            f"bulk {mode}: {report.seeds} seeds of {options.orders} orders, {report.events} events, "
            f"{report.seconds:.1f} s, {len(report.broken)} broken; "
            + ", ".join(f"{count} {what}" for what, count in sorted(report.counts.items()))
        )
        for seed, _invariant, _evidence in report.broken[:1]:
            _show(seed, options.orders, mode)
        found += len(report.broken)
    return int(found > 0)


def _show(seed: int, orders: int, bulk: BulkMode, lines: int = TRACE_LINES) -> int:
    world = replay(seed, orders, bulk)
    print("\n".join(world.trace[-lines:] if lines else world.trace))
    if world.checks.broken is None:
        print(f"seed {seed}, bulk {bulk}: every invariant held in {world.events} events.")
        return 0
    name, evidence = world.checks.broken
    print(f"seed {seed}, bulk {bulk}: {name} is broken ({INVARIANTS[name]}).\n  {evidence}")
    print(f"  again: python -m chaos.sim --seed {seed} --orders {orders} --bulk {bulk}")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
