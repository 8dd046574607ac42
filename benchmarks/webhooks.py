"""What taking a webhook costs, beside an empty Flask view under the same load.

    python -m benchmarks.webhooks --rate 150 --seconds 5 --rounds 5

Bodies are those of the storm (`tests/proofs/forged.py`): forged, replayed, changed, about orders
that exist. Each is stored and committed to PostgreSQL (fsync on) before it is answered. One web
process of four threads serves the webhooks, as does each of the empty views: one on the same
server, one on gunicorn's threads, the usual measure.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
from urllib.parse import urlsplit

from benchmarks.side_by_side import FRONT, GTHREAD, Target, measure, server
from tests.proofs import forged, witness
from tests.proofs.counter import Counter
from tests.proofs.stage import Stage
from tests.support.running import until

ORDERS, BODIES, SEED = 20, 4_000, 1
EMPTY = "benchmarks.hello:create_app"


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.webhooks",
        description=(__doc__ or "").partition("\n")[0],
    )
    parser.add_argument("--rate", type=float, default=150.0, help="requests a second")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each round")
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    with (
        Stage(workers=1, web_workers=1) as stage,
        server(FRONT, EMPTY) as (same, same_pid),
        server(GTHREAD, f"{EMPTY}()") as (usual, usual_pid),
    ):
        bodies = _bodies(stage)
        url = urlsplit(stage.running.facts["webhook_url"])
        at_home = [(url.path, body) for body in bodies]
        elsewhere = [("/", body) for body in bodies]
        targets = [
            Target(
                "webhook",
                url.netloc,
                stage.pids("web")[0],
                lambda n: at_home[n % BODIES],
                204,
            ),
            Target(
                "empty view, same front",
                same,
                same_pid,
                lambda n: elsewhere[n % BODIES],
                204,
            ),
            Target(
                "empty view, gthread",
                usual,
                usual_pid,
                lambda n: elsewhere[n % BODIES],
                204,
            ),
        ]
        measure(targets, asked.rounds, asked.seconds, asked.rate)
    _print(targets, asked.rate)
    return 0


def _bodies(stage: Stage) -> list[bytes]:
    """The storm's bodies about orders that were bought."""
    with Counter(stage, ORDERS) as counter:
        counter.release()
        until(
            lambda: not witness.not_once(stage, counter.codes),
            120,
            "the orders are bought",
        )
        told = "SELECT body FROM webhook_events WHERE verified_by IS NOT NULL"
        until(
            lambda: len(witness.rows(stage, told)) >= ORDERS / 2,
            60,
            "their webhooks came",
        )
        loot = forged.Loot(
            witness.references(stage, counter.codes),
            [bytes(body) for (body,) in witness.rows(stage, told)],
        )
    chance = random.Random(SEED)
    return [forged.draw(chance, loot).body for _ in range(BODIES)]


def _print(targets: list[Target], rate: float) -> None:
    base = targets[1]
    print(
        f"| at {rate:g} a second | p50 ms | p99 ms | p99, ratio | CPU µs a request | CPU, ratio |"
    )
    print("| --- | --- | --- | --- | --- | --- |")
    for one in targets:
        cpu, cpu_base = statistics.median(one.cpu_us), statistics.median(base.cpu_us)
        p99 = one.quantile_ms(0.99)
        print(
            f"| {one.name} | {one.quantile_ms(0.5):.1f} | {p99:.1f} |"
            f" {p99 / base.quantile_ms(0.99):.1f} | {cpu:.0f} | {cpu / cpu_base:.1f} |"
        )


if __name__ == "__main__":
    sys.exit(main())
