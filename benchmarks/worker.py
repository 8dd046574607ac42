"""From *Process* to the supplier: how long an order waits for its call, and what its worker spends.

    .venv/bin/python -m benchmarks.worker --orders 40

An agent presses *Process*, one order at a time, with one idle worker; the next press comes when the
call before was seen. The wait counts from the moment at which the release was written to the moment
at which the supplier counted the purchase, both by this machine's clock.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time

from benchmarks.side_by_side import cpu_s
from tests.proofs import witness
from tests.proofs.stage import Stage
from tests.support.people import Agent, Customer
from tests.support.running import until

WARM_UP = 5


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.worker",
        description=(__doc__ or "").partition("\n")[0],
    )
    parser.add_argument("--orders", type=int, default=40)
    asked = parser.parse_args()
    with Stage(workers=1, web_workers=1, supplier_cedis=50_000) as stage:
        customer = Customer.of(stage.running, "ama")
        agent = Agent.logged_in(stage.running, "ama")
        bundle = customer.shelf()[0]
        codes = [
            customer.order(bundle, f"024{number:07d}")
            for number in range(1_000, 1_000 + WARM_UP + asked.orders)
        ]
        for code in codes[:WARM_UP]:
            waited_ms(stage, agent, code)
        worker = stage.pids("worker")[0]
        before = cpu_s(worker)
        waits = [waited_ms(stage, agent, code) for code in codes[WARM_UP:]]
        spent_ms = (cpu_s(worker) - before) / asked.orders * 1_000
    waits.sort()
    print("| what | p50 | p95 | goal |\n| --- | --- | --- | --- |")
    print(
        f"| released → supplier's call, ms | {statistics.median(waits):.1f} |"
        f" {waits[int(len(waits) * 0.95) - 1]:.1f} | p50 25 |"
    )
    print(f"| processor time of the worker an order, ms | {spent_ms:.1f} | | 4 |")
    return 0


def waited_ms(stage: Stage, agent: Agent, code: str) -> float:
    """Release one order and wait for its call."""
    since = time.time()
    agent.process(code)
    until(lambda: _called_at(stage, since), 30, f"{code} is bought")
    (released,) = witness.rows(
        stage,
        "SELECT extract(epoch FROM queued_at)::float FROM orders WHERE code = %s",
        code,
    )[0]
    called = _called_at(stage, since)
    assert called is not None
    # what follows the call is the worker's too, and must not meet the next order
    until(
        lambda: witness.states(stage, [code]).keys() - {"queued", "submitting"},
        30,
        f"{code} is with the supplier",
    )
    return (called - released) * 1_000


def _called_at(stage: Stage, since: float) -> float | None:
    calls = [
        one.at
        for one in witness.requests(stage, since)
        if one.endpoint in ("purchase", "bulk")
    ]
    return calls[0] if calls else None


if __name__ == "__main__":
    sys.exit(main())
