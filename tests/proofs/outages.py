"""Each part of the program is away for a minute under load, then comes back: nothing is lost, and
every page says why.

    python -m tests.proofs.outages                      every part, killed, at time scale 1
    python -m tests.proofs.outages --only postgres:frozen valkey:full --scale 10

Customers order and look at their orders, agents press *Process*, all the while. Away means killed
and kept down, frozen (SIGSTOP), or full: Valkey without room for one more key, PostgreSQL without
room on its disk. Judged: every answer is fine or a 503 page with the sentence that says what to do,
within the time allowed for that part; with the web itself away a connection may be refused; what
was ordered before and during the outage is bought once, each form once; the books hold. Printed:
the slowest page, and how long after the return the last waiting order was with the network.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections import Counter as Tally
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psycopg
import redis

from devkit import process_tree
from tests.proofs import full_disk, witness
from tests.proofs.crowd import Crowd, Log, Seen
from tests.proofs.stage import Stage
from tests.support import books
from tests.support.running import Failed, must, until
from tests.support.supplier import Supplier

OUTAGE_S = 60.0
ORDERS_BEFORE = 3
"""Made by the crowd between two outages, so that each falls into a load."""
FLOWS_S = 30.0
"""What waited is with the network this long after the return (B6); unscaled, for the parts do not
start faster."""
DELIVERED_S = 30.0
"""The supplier delivers this long after it was paid; scaled. Without a webhook the first look finds
it."""
PATIENCE_S = 120
LOOK_S = 0.1
MOST_MS = {"valkey": 500.0, "postgres:frozen": 25_000.0}
OTHERWISE_MS = 5_000.0
SENTENCE = (
    "Wait a minute and send it again. Sending the same form twice never orders twice."
)
KILLED = (
    "web:killed",
    "worker:killed",
    "relay:killed",
    "valkey:killed",
    "postgres:killed",
)
TRIALS = (*KILLED, "valkey:frozen", "valkey:full", "postgres:frozen", "postgres:full")


@dataclass
class Outcome:
    """The figures of one outage. `flows_s` is from the return to the moment when all that waited
    was bought."""

    trial: str
    answers: Tally[int]
    slowest_ms: float
    ordered: int
    ordered_meanwhile: int
    flows_s: float

    def __str__(self) -> str:
        told = ", ".join(
            f"{n} × {status or 'no answer'}"
            for status, n in sorted(self.answers.items())
        )
        return (
            f"{self.trial:<16} all {self.ordered} orders ({self.ordered_meanwhile} made meanwhile)"
            f" with the network {self.flows_s:.1f} s after the return; pages: {told}; the slowest"
            f" {self.slowest_ms:.0f} ms"
        )


def run(
    stage: Stage, trials: Sequence[str], outage_s: float, slack: float = 1.0
) -> Iterator[Outcome]:
    """One outage after the other on a running stage, under one load. Raises `Failed` at the first
    thing that must not be.

    `slack` multiplies how long a page may take and waiting orders may wait, for a machine that is
    not ours alone.
    """
    supplier = Supplier(stage.running)
    first_id = witness.rows(stage, "SELECT coalesce(max(id), 0) FROM orders")[0][0]
    try:
        with (
            supplier.keeping_pace(stage.running.time_scale),
            supplier.knobs(
                webhooks=False, auto_fulfil=DELIVERED_S / stage.running.time_scale
            ),
            Crowd(stage) as crowd,
        ):
            for trial in trials:
                yield _one(stage, crowd, trial, outage_s, slack)
            crowd.finish()
            _until_with_the_network(stage, crowd, PATIENCE_S)
            _judge_orders(stage, crowd.log, first_id)
    finally:
        supplier.close()
    proof = books.prove(stage.running)
    must(proof.hold, f"the books do not hold: {proof}")


def _one(
    stage: Stage, crowd: Crowd, trial: str, outage_s: float, slack: float
) -> Outcome:
    kind, _, way = trial.partition(":")
    log = crowd.log
    wanted = len(log.codes) + ORDERS_BEFORE
    until(
        lambda: len(log.codes) >= wanted or crowd.check(),
        PATIENCE_S,
        "the load goes on",
    )
    seen_before, went, made_before = len(log.seen), time.time(), len(log.codes)
    with away(stage, kind, way):
        time.sleep(outage_s)
        if trial == "postgres:full":
            # what is begun of its files must be filled first: a crowd on busy cores is slow
            full = partial(_was_said, stage, "No space left on device")
            until(full, PATIENCE_S, "no room is left")
        must(
            way != "killed" or not stage.pids(kind),
            f"{trial}: it came back before its time",
        )
        meanwhile = len(log.codes) - made_before
    back, back_at = time.monotonic(), time.time()
    until(
        lambda: any(one.at > back_at and one.status == 200 for one in log.seen[-50:]),
        FLOWS_S * slack,
        "pages answer",
    )
    _until_with_the_network(stage, crowd, FLOWS_S * slack)
    flows_s = time.monotonic() - back
    seen = log.seen[seen_before:]
    most_ms = MOST_MS.get(trial) or MOST_MS.get(kind) or OTHERWISE_MS
    _judge_pages(seen, trial, (went, back_at + FLOWS_S * slack), most_ms * slack)
    refusal = {"web:killed": 0, "postgres:killed": 503}.get(trial)
    must(
        refusal is None or any(one.status == refusal for one in seen),
        f"{trial}: nobody noticed",
    )
    answered = [one.ms for one in seen if one.status]
    return Outcome(
        trial,
        Tally(one.status for one in seen),
        max(answered),
        len(log.codes),
        meanwhile,
        flows_s,
    )


def _was_said(stage: Stage, words: str) -> bool:
    return words in stage.log()


@contextmanager
def away(stage: Stage, kind: str, way: str) -> Iterator[None]:
    """A part is away for the length of the block."""
    with ExitStack() as stack:
        if way == "killed":
            stack.enter_context(stage.without(kind))
        elif way == "frozen":
            stack.enter_context(_frozen(stage, kind))
        elif kind == "valkey":
            stack.enter_context(_no_room(stage))
        else:
            stack.enter_context(full_disk.under_postgres(stage))
        yield


@contextmanager
def _frozen(stage: Stage, kind: str) -> Iterator[None]:
    pids = [
        below
        for pid in stage.pids(kind)
        for below in (pid, *process_tree.descendants(pid))
    ]
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in pids:
            if process_tree.is_alive(pid):
                os.kill(pid, signal.SIGCONT)


@contextmanager
def _no_room(stage: Stage) -> Iterator[None]:
    """Valkey refuses every write that takes room."""
    connection = redis.Redis.from_url(stage.running.facts["redis_url"])
    try:
        connection.config_set("maxmemory-policy", "noeviction")
        connection.config_set("maxmemory", "1")
        yield
    finally:
        connection.config_set("maxmemory", "0")
        connection.close()


def _until_with_the_network(stage: Stage, crowd: Crowd, patience_s: float) -> None:
    """Until every order made so far was bought: released by its agent, taken by a worker, answered
    by the supplier."""
    codes, deadline = [*crowd.log.codes], time.monotonic() + patience_s
    while not _all_with_the_network(stage, codes):
        crowd.check()
        if time.monotonic() > deadline:
            raise Failed(
                f"after {patience_s:.0f} s orders still wait: {witness.standing(stage, codes)}"
            )
        time.sleep(LOOK_S)


def _all_with_the_network(stage: Stage, codes: list[str]) -> bool:
    query = (
        "SELECT count(*) FROM orders WHERE code = ANY(%s) AND state IN ('pending', 'queued',"
        " 'submitting')"
    )
    try:
        return not witness.rows(stage, query, codes)[0][0]
    except psycopg.OperationalError:  # it may still be starting
        return False


def _judge_pages(
    seen: Sequence[Seen], trial: str, away_between: tuple[float, float], most_ms: float
) -> None:
    for one in seen:
        told = (
            f"{trial}: {one.what} answered {one.status or one.said} after {one.ms:.0f} ms"
            f" ({one.said})"
        )
        if one.status == 0:
            must(
                trial.startswith("web:")
                and away_between[0] - 1 < one.at < away_between[1],
                told,
            )
        elif one.status >= 400:
            must(one.status == 503 and SENTENCE in one.said, told)
        must(one.ms <= most_ms, told)


def _judge_orders(stage: Stage, log: Log, first_id: int) -> None:
    """Each confirmed form is one order, each order is bought once, and nobody else's order
    appeared."""
    made = witness.rows(
        stage,
        "SELECT right(recipient_msisdn, 9), code, state FROM orders WHERE id > %s ORDER BY id",
        first_id,
    )
    several = {
        number: n
        for number, n in Tally(number for number, *_ in made).items()
        if n != 1
    }
    must(not several, f"more than one order for one form: {several}")
    missing = {number[-9:] for number in log.recipients} ^ {
        number for number, *_ in made
    }
    must(not missing, f"forms without an order, or orders without a form: {missing}")
    lost = set(log.codes) ^ {code for _, code, _ in made}
    must(not lost, f"orders that were promised and are not there: {lost}")
    missed = witness.not_once(stage, log.codes)
    must(not missed, f"not bought exactly once: {missed}")


def main() -> int:
    """Run the outages on a stage of their own; 0 when all went as they must."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.proofs.outages",
        description=(__doc__ or "").partition("\n")[0],
    )
    parser.add_argument(
        "--only", nargs="+", choices=TRIALS, default=TRIALS, metavar="PART:WAY"
    )
    parser.add_argument(
        "--scale", type=float, default=1.0, help="divides durations, and the outage"
    )
    parser.add_argument(
        "--away", type=float, help="seconds of each outage; default: a minute, scaled"
    )
    parser.add_argument(
        "--slack",
        type=float,
        default=1.0,
        help="multiplies the time allowed to pages and orders",
    )
    parser.add_argument(
        "--keep", type=Path, help="folder for the log and the charge file"
    )
    asked = parser.parse_args()
    trials = [
        trial
        for trial in asked.only
        if trial != "postgres:full" or full_disk.is_possible()
    ]
    for trial in set(asked.only) - set(trials):
        print(f"{trial:<16} cannot be done here: it takes root and a mount", flush=True)
    try:
        with Stage(scale=asked.scale, workers=2, keep_in=asked.keep) as stage:
            for outcome in run(
                stage, trials, asked.away or OUTAGE_S / asked.scale, asked.slack
            ):
                print(outcome, flush=True)
    except Failed as failure:
        print(f"FAILED: {failure}", flush=True)
        return 1
    print("every order bought once, each form one order, the books hold", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
