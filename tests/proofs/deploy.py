"""Deploys while orders are being bought: SIGTERM to the supervisor and to the web, again and again.

    python -m tests.proofs.deploy --orders 200 --terms 10

The supplier answers slowly, and each SIGTERM waits until it says that it is working on a purchase,
so that every deploy falls into one. Judged: no order was ever unclear, no purchase was cut off,
each was bought once, each program was gone within its stop time, and no page said anything worse
than nothing.
"""

from __future__ import annotations

import argparse
import http.client
import signal
import sys
import threading
import time
from collections import Counter as Tally
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx

import supervision
from core.base.config import Config
from devkit import process_tree
from tests.proofs import witness
from tests.proofs.counter import Counter
from tests.proofs.stage import Stage
from tests.support.people import Customer
from tests.support.running import Failed, must, until
from tests.support.supplier import Supplier

ANSWER_S = 3.0
"""How long the supplier takes; unscaled."""
STOP_EXTRA_S = 15.0
"""What the supervisor allows beside the longest job."""
WAIT_S = 60
CALLS_A_WINDOW, WINDOW_S = 50, 60


@dataclass
class Deploys:
    """What came of it."""

    orders: int
    took_s: float = 0.0
    stops_s: list[float] = field(default_factory=list)
    web_stops_s: list[float] = field(default_factory=list)
    in_flight: int = 0
    pages: Tally[str] = field(default_factory=Tally)

    def lines(self) -> Iterator[str]:
        yield (
            f"{self.orders} orders bought once each in {self.took_s:.1f} s through"
            f" {len(self.stops_s)} deploys, {self.in_flight} of them with a purchase in flight; 0"
            " unknown"
        )
        yield (
            f"supervisor and workers gone after {_spread(self.stops_s)}, web after"
            f" {_spread(self.web_stops_s)}"
        )
        yield "pages meanwhile: " + ", ".join(
            f"{n} × {what}" for what, n in sorted(self.pages.items())
        )


def run(stage: Stage, orders: int, terms: int, seed: int = 0) -> Deploys:
    """Release `orders` at once and deploy `terms` times, spread over their buying. Raises
    `Failed`."""
    scale = stage.running.time_scale
    stop_time_s = Config.job_timeout_s / scale + STOP_EXTRA_S
    done, supplier, stop = Deploys(orders), Supplier(stage.running), threading.Event()
    reader = threading.Thread(target=_read_pages, args=(stage, done, stop), daemon=True)
    try:
        with (
            supplier.keeping_pace(scale),
            supplier.knobs(webhooks=False, latency_s=ANSWER_S / scale),
            Counter(stage, orders, seed) as counter,
        ):
            refs = witness.references(stage, counter.codes)
            began = time.monotonic()
            counter.release()
            reader.start()
            for number in range(terms):
                _until_bought(stage, refs, number * orders // (terms + 1))
                _deploy(stage, done, stop_time_s)
            _until_bought(stage, refs, orders)
            done.took_s = time.monotonic() - began
            _until_answered(stage, counter.codes)
            stop.set()
            reader.join(WAIT_S)
            _judge(stage, done, counter.codes)
    finally:
        stop.set()
        supplier.close()
    return done


def _deploy(stage: Stage, done: Deploys, stop_time_s: float) -> None:
    """SIGTERM in the middle of a purchase; new programs start as soon as the old ones are gone."""
    old = [*stage.pids("supervise"), *stage.pids("worker"), *stage.pids("relay")]
    web = stage.pids("web")
    must(web and stage.pids("supervise"), "supervisor and web are running")
    until(lambda: _buying(stage), WAIT_S, "the supplier works on a purchase")
    began = time.monotonic()
    supervision.send(stage.pids("supervise")[0], signal.SIGTERM)
    done.in_flight += bool(_buying(stage))
    supervision.send(web[0], signal.SIGTERM)
    until(
        lambda: not any(map(process_tree.is_alive, web)),
        stop_time_s,
        "the old web is gone within its stop time",
    )
    done.web_stops_s.append(time.monotonic() - began)
    until(
        lambda: not any(map(process_tree.is_alive, old)),
        stop_time_s,
        "the old workers are gone within their stop time",
    )
    done.stops_s.append(time.monotonic() - began)
    until(
        lambda: stage.pids("worker") and not set(stage.pids("worker")) & set(old),
        WAIT_S,
        "new workers are there",
    )


def _buying(stage: Stage) -> int:
    said = httpx.get(
        f"{stage.running.facts['sandbox_url']}/sandbox/buying",
        trust_env=False,
        timeout=10,
    )
    return len(said.json()["buying"])


def _until_bought(stage: Stage, refs: list[str], count: int) -> None:
    scale = stage.running.time_scale
    patience_s = (
        WAIT_S + len(refs) * (2 * ANSWER_S + 2 * WINDOW_S / CALLS_A_WINDOW) / scale
    )
    until(
        lambda: len(set(refs) & set(witness.charges(stage))) >= count,
        patience_s,
        f"{count} orders are bought",
    )


def _until_answered(stage: Stage, codes: list[str]) -> None:
    def all_answered() -> bool:
        return not {"queued", "submitting"} & set(witness.states(stage, codes))

    until(all_answered, WAIT_S, "the last answers are written down")


def _judge(stage: Stage, done: Deploys, codes: list[str]) -> None:
    unclear = witness.rows(
        stage,
        "SELECT code, state, attempt FROM orders WHERE code = ANY(%s) AND (ever_unknown OR attempt"
        " <> 1)",
        codes,
    )
    must(
        not unclear, f"{len(unclear)} orders were unclear or tried again: {unclear[:3]}"
    )
    # A worker that was killed in its call marks nothing: only the line of the call tells, which
    # stays without an answer.
    cut_off = witness.rows(
        stage,
        "SELECT order_refs FROM supplier_calls WHERE endpoint IN ('purchase', 'bulk') AND"
        " answered_at IS NULL AND order_refs && %s",
        witness.references(stage, codes),
    )
    must(not cut_off, f"{len(cut_off)} purchases were cut off: {cut_off[:3]}")
    missed = witness.not_once(stage, codes)
    must(not missed, f"not bought exactly once: {missed}")
    must(
        done.in_flight >= len(done.stops_s) * 0.8,
        f"only {done.in_flight} deploys fell into a purchase",
    )
    bad = [what for what in done.pages if what.startswith("5") and what != "503"]
    must(not bad, f"pages answered {bad} during a deploy")


def _read_pages(stage: Stage, done: Deploys, stop: threading.Event) -> None:
    customer = Customer.of(stage.running, "ama")
    while not stop.wait(0.1):
        try:
            done.pages[str(customer.get("/").status)] += 1
        except (OSError, http.client.HTTPException):
            done.pages["no answer"] += 1


def _spread(times_s: list[float]) -> str:
    return f"{min(times_s):.1f} to {max(times_s):.1f} s" if times_s else "–"


def main() -> int:
    """Run once on a stage of its own; 0 when all went as it must."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.proofs.deploy",
        description=(__doc__ or "").partition("\n")[0],
    )
    parser.add_argument("--orders", type=int, default=200)
    parser.add_argument("--terms", type=int, default=10)
    parser.add_argument("--scale", type=float, default=10.0)
    parser.add_argument("--workers", type=int, default=3)
    asked = parser.parse_args()
    try:
        with Stage(scale=asked.scale, workers=asked.workers) as stage:
            for line in run(stage, asked.orders, asked.terms).lines():
                print(line, flush=True)
    except Failed as failure:
        print(f"FAILED: {failure}", flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
