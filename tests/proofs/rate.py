"""The supplier's limit is neither broken nor wasted: counted by the supplier's own clock.

    python -m tests.proofs.rate --orders 300 --scale 1

Sixty calls a window are allowed there, our budget is fifty, of which twenty are kept for purchases.
Three workers, all orders released at once, no webhook at all, so that every order is looked at
again and again by the sweep while others still wait to be bought. Judged: no window over the limit
and at most two 429; never more than sixty calls in any stretch as long as a window, whenever the
supplier's began; in no whole window fewer than twenty purchases beside more look-ups than are their
share; at least nine tenths of the budget used while orders waited; every order bought once. The
last but one is not judged when the machine had no processor left to give: then that was the limit,
not the rules.

Ours is counted when a call is taken, theirs when it arrives: a stretch may hold a call or two more
than fifty.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from bisect import bisect_left
from collections import Counter as Tally
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.proofs import witness
from tests.proofs.counter import Counter
from tests.proofs.stage import Stage
from tests.support.running import Failed, must
from tests.support.supplier import Supplier

LIMIT, BUDGET, KEPT_FOR_PURCHASES, WINDOW_S = 60, 50, 20, 60.0
LEAST_USED, MOST_REFUSED = 0.9, 2
JITTER = 2
"""A window of ours begins when a call is taken, one of theirs when it arrives."""
LEAST_IDLE = 0.1
"""With less of the machine idle, an unused call says nothing about the rules."""
LOOK_S = 0.5
BUYING = ("purchase", "bulk", "bulk_alias")


@dataclass(frozen=True)
class Slice:
    """One whole window of the run, counted from its first call: how many purchases, how many other
    calls."""

    purchases: int
    others: int

    @property
    def used(self) -> float:
        return (self.purchases + self.others) / BUDGET


@dataclass
class Use:
    """How the budget was used from the first call to the last purchase."""

    window_s: float
    orders: int
    took_s: float = 0.0
    slices: list[Slice] = field(default_factory=list)
    most_in_a_window: int = 0
    most_at_the_supplier: int = 0
    refused: int = 0
    calls: Tally[str] = field(default_factory=Tally)
    jobs: int = 0
    transactions: int = 0
    idle: float = 0.0
    """Share of the machine's processors that had nothing to do meanwhile."""

    @property
    def used_whole(self) -> float:
        """The share of the budget that was used in the whole windows, during all of which orders
        waited."""
        return (
            sum(one.used for one in self.slices) / len(self.slices)
            if self.slices
            else 0.0
        )

    def lines(self) -> Iterator[str]:
        yield (
            f"{self.orders} orders bought in {self.took_s:.1f} s, {self.took_s / self.window_s:.2f}"
            " windows of the supplier"
        )
        yield "calls: " + ", ".join(
            f"{n} {name}" for name, n in self.calls.most_common()
        )
        yield (
            f"most in one window of the supplier {self.most_at_the_supplier} of {LIMIT}; 429:"
            f" {self.refused}"
        )
        yield f"most in any {self.window_s:g} s: {self.most_in_a_window}, our budget is {BUDGET}"
        yield f"budget used: {self.used_whole:.0%}; window by window " + " ".join(
            f"{one.used:.0%} ({one.purchases}+{one.others})" for one in self.slices
        )
        yield (
            f"jobs for each order bought: {self.jobs / self.orders:.1f}; transactions of the"
            f" database: {self.transactions / self.orders:.0f}; of the machine {self.idle:.0%} were"
            " idle"
        )


def run(stage: Stage, orders: int, seed: int = 0, standing: int = 0) -> Use:
    """Release `orders` at once and count until the last is bought; `standing` more are with the
    network before that."""
    scale = stage.running.time_scale
    supplier = Supplier(stage.running)
    use = Use(WINDOW_S / scale, orders)
    try:
        with (
            supplier.keeping_pace(scale),
            supplier.knobs(webhooks=False),
            Counter(stage, orders, seed) as counter,
        ):
            if standing:
                with Counter(stage, standing, seed + 1) as earlier:
                    earlier.release()
                    _until_bought(
                        stage,
                        earlier.codes,
                        use.window_s * (standing / KEPT_FOR_PURCHASES + 2) + 30,
                    )
            since, jobs, transactions, spent = (
                time.time(),
                _jobs(stage),
                _transactions(stage),
                psutil.cpu_times(),
            )
            counter.release()
            _until_bought(
                stage,
                counter.codes,
                use.window_s * (orders / KEPT_FOR_PURCHASES + 2) + 30,
            )
            use.idle = _idle_since(spent)
            _count(use, witness.requests(stage, since))
            use.jobs, use.transactions = (
                _jobs(stage) - jobs,
                _transactions(stage) - transactions,
            )
            missed = witness.not_once(stage, counter.codes)
            must(not missed, f"not bought exactly once: {missed}")
    finally:
        supplier.close()
    return use


def judge(use: Use) -> None:
    """Raise `Failed` for the first rule that did not hold."""
    must(
        use.most_at_the_supplier <= LIMIT,
        f"{use.most_at_the_supplier} calls in one window of the supplier",
    )
    must(use.refused <= MOST_REFUSED, f"{use.refused} calls were refused with a 429")
    must(
        use.most_in_a_window <= LIMIT,
        f"{use.most_in_a_window} calls of ours within one window's length",
    )
    must(use.slices, "the run was shorter than one window: give it more orders")
    starved = [
        one
        for one in use.slices
        if one.purchases < KEPT_FOR_PURCHASES
        and one.others > BUDGET - KEPT_FOR_PURCHASES + JITTER
    ]
    must(not starved, f"look-ups starved purchases: {starved}")
    if use.idle < LEAST_IDLE and use.used_whole < LEAST_USED:
        print(
            f"only {use.used_whole:.0%} used, not judged: {use.idle:.0%} of the machine were idle",
            flush=True,
        )
        return
    must(
        use.used_whole >= LEAST_USED,
        f"only {use.used_whole:.0%} of the budget were used while orders waited",
    )


def _until_bought(stage: Stage, codes: list[str], patience_s: float) -> None:
    refs = set(witness.references(stage, codes))
    deadline = time.monotonic() + patience_s
    while not refs <= set(witness.charges(stage)):
        must(
            time.monotonic() < deadline,
            f"after {patience_s:.0f} s not all were bought: {witness.standing(stage, codes)}",
        )
        time.sleep(LOOK_S)


def _count(use: Use, requests: list[witness.Request]) -> None:
    """Cut the supplier's list of requests at the last purchase and look at it window by window."""
    last = max(one.at for one in requests if one.endpoint in BUYING)
    counted = [one for one in requests if one.at <= last]
    times = [one.at for one in counted]
    use.took_s = last - times[0]
    use.calls = Tally(one.endpoint for one in counted)
    use.refused = sum(one.exceeded for one in counted)
    use.most_at_the_supplier = max(
        Tally(one.window for one in counted if not one.exceeded).values()
    )
    use.most_in_a_window = max(
        number + 1 - bisect_left(times, at - use.window_s + 0.001)
        for number, at in enumerate(times)
    )
    for number in range(math.floor(use.took_s / use.window_s)):
        begin = times[0] + number * use.window_s
        inside = [one for one in counted if begin <= one.at < begin + use.window_s]
        bought = sum(one.endpoint in BUYING for one in inside)
        use.slices.append(Slice(bought, len(inside) - bought))


def _idle_since(before: Any) -> float:
    spent = [now - then for now, then in zip(psutil.cpu_times(), before, strict=True)]
    names = before._fields
    return (spent[names.index("idle")] + spent[names.index("iowait")]) / sum(spent)


def _jobs(stage: Stage) -> int:
    return stage.log().count(" jobs looked ")


def _transactions(stage: Stage) -> int:
    query = (
        "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname ="
        " current_database()"
    )
    return int(witness.rows(stage, query)[0][0])


def main() -> int:
    """Run once on a stage of its own; 0 when every rule held."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.proofs.rate",
        description=(__doc__ or "").partition("\n")[0],
    )
    parser.add_argument("--orders", type=int, default=300)
    parser.add_argument(
        "--standing",
        type=int,
        default=0,
        help="orders that are with the network before",
    )
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--bulk", choices=("off", "auto"), default="off")
    parser.add_argument(
        "--keep", type=Path, help="folder for the log and the charge file"
    )
    asked = parser.parse_args()
    try:
        with Stage(
            scale=asked.scale,
            workers=asked.workers,
            bulk=asked.bulk,
            keep_in=asked.keep,
        ) as stage:
            use = run(stage, asked.orders, standing=asked.standing)
            for line in use.lines():
                print(line, flush=True)
            judge(use)
    except Failed as failure:
        print(f"FAILED: {failure}", flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
