#!/usr/bin/env python3
"""Valkey is away, frozen (SIGSTOP) and killed (SIGTERM), while people go on.

Meanwhile every page answers 2xx or 3xx within 500 ms: the store, the review, the confirmed order,
the order's polling fragment, the portal's Process. Once Valkey is back, everything processed
meanwhile is with the network within 30 s. The same requests are timed before, with Valkey there,
for comparison.
"""

from __future__ import annotations

import math
import os
import signal
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil
import redis

from tests.support.people import (
    Agent,
    Bundle,
    Customer,
    code_of,
    form_of,
    have_money_for,
    headline,
    some_number,
)
from tests.support.running import Running, must, options, report, until
from tests.support.supplier import Supplier
from tests.support.wire import Answer

WAYS = ("frozen", "killed")
MOST_MS = 500
FLOWS_S = 30
OUTAGE_S = 8.0
"""The orders are spread over about this long: a page that rings Valkey in vain keeps its process
quiet for two seconds."""
BACK_S = 60
REQUESTS = (
    "GET /",
    "POST /orders, review",
    "POST /orders, confirm",
    "GET status",
    "POST process",
    "GET / again",
)


@dataclass
class Pages:
    """How long each kind of request took, in milliseconds, and which orders were processed."""

    ms: dict[str, list[float]]
    codes: list[str]

    @property
    def slowest_ms(self) -> float:
        return max(max(times) for times in self.ms.values())

    def lines(self) -> list[str]:
        return [
            f"    {name:<24} {len(times)} requests, p50 {_share(times, 0.5):4.0f} ms, p95"
            f" {_share(times, 0.95):4.0f} ms, max {max(times):4.0f} ms"
            for name, times in self.ms.items()
        ]


def run(
    running: Running,
    ways: tuple[str, ...],
    times: int,
    outage_s: float = OUTAGE_S,
    most_ms: float = MOST_MS,
) -> dict[str, tuple[Pages, float]]:
    """Try each way with `times` orders. Returns the pages' times and the seconds until everything
    flowed."""
    customer, agent, supplier = (
        Customer.of(running, "ama"),
        Agent.logged_in(running, "ama"),
        Supplier(running),
    )
    bundle = customer.shelf()[0]
    have_money_for(running, agent, "ama", times * (1 + len(ways)), bundle)
    found = {}
    try:
        with supplier.keeping_pace(running.time_scale):
            usual = use_pages(customer, agent, bundle, (times + 1) // 2, spread_s=0)
            running.say("Valkey is there")
            print("\n".join(usual.lines()), flush=True)
            _flow(customer, supplier, usual.codes)
            for way in ways:
                away_at = time.monotonic()
                with _away(running, way):
                    pages = use_pages(customer, agent, bundle, times, spread_s=outage_s)
                back_at = time.monotonic()
                running.say(f"Valkey {way} for {back_at - away_at:.1f} s")
                print("\n".join(pages.lines()), flush=True)
                _flow(customer, supplier, pages.codes)
                flowed_s = time.monotonic() - back_at
                found[way] = (pages, flowed_s)
                running.say(
                    f"{len(pages.codes)} orders with the network {flowed_s:.1f} s after Valkey was"
                    " back"
                )
                must(
                    flowed_s <= FLOWS_S,
                    f"{way}: {flowed_s:.1f} s until everything flowed, more than {FLOWS_S}",
                )
                must(
                    pages.slowest_ms < most_ms,
                    f"{way}: the slowest answer took {pages.slowest_ms:.0f} ms, more than"
                    f" {most_ms:.0f}; with Valkey there the slowest took {usual.slowest_ms:.0f} ms",
                )
            # Only now: each delivery is a look-up, and a minute has fifty calls for all that is
            # bought above.
            for pages in (usual, *(pages for pages, _ in found.values())):
                _deliver(customer, supplier, pages.codes)
    finally:
        supplier.close()
    return found


def use_pages(
    customer: Customer, agent: Agent, bundle: Bundle, times: int, spread_s: float
) -> Pages:
    """Order, poll and process `times` times over `spread_s` seconds, one request after the
    other."""
    ms: dict[str, list[float]] = defaultdict(list)
    codes = []

    def timed(name: str, answer: Answer) -> Answer:
        must(
            200 <= answer.status < 400 and not answer.is_refusal,
            f"{name} answered {answer.status}: {headline(answer.text)}",
        )
        ms[name].append(answer.ms)
        return answer

    began = time.monotonic()
    for number in range(times):
        time.sleep(max(0.0, began + number * spread_s / times - time.monotonic()))
        timed(REQUESTS[0], customer.get("/"))
        review = timed(REQUESTS[1], customer.review(bundle, some_number()))
        code = code_of(
            timed(
                REQUESTS[2], customer.post("/orders", form_of(review.text, "/orders"))
            )
        )
        timed(REQUESTS[3], customer.get(f"/orders/{code}/status"))
        form = agent.process_form(code)
        timed(REQUESTS[4], agent.post(f"/orders/{code}/process", form))
        timed(REQUESTS[5], customer.get("/"))
        codes.append(code)
    return Pages(dict(ms), codes)


@contextmanager
def _away(running: Running, way: str) -> Iterator[None]:
    """Valkey does not answer inside the block, and does again after it."""
    if way == "frozen":
        pid = running.pids("valkey")[0]
        os.kill(pid, signal.SIGSTOP)
        try:
            until(lambda: not answers(running), BACK_S, "Valkey is frozen")
            yield
        finally:
            os.kill(pid, signal.SIGCONT)
    else:
        # `up` would start it again within a second, so its runner sleeps meanwhile. It only reads
        # the others' lines, and a pipe holds hundreds of those.
        pid = running.pids("valkey")[0]
        runner = psutil.Process(pid).ppid()
        os.kill(runner, signal.SIGSTOP)
        try:
            os.kill(pid, signal.SIGTERM)
            until(lambda: not answers(running), BACK_S, "Valkey is down")
            yield
        finally:
            os.kill(runner, signal.SIGCONT)
    until(lambda: answers(running), BACK_S, "Valkey is back")


def answers(running: Running) -> bool:
    """Whether Valkey answers a PING."""
    try:
        with redis.Redis.from_url(
            running.facts["redis_url"], socket_timeout=0.3, socket_connect_timeout=0.3
        ) as connection:
            return bool(connection.ping())
    except redis.RedisError:
        return False


def _flow(customer: Customer, supplier: Supplier, codes: list[str]) -> None:
    """Wait until all are with the network."""
    for code in codes:
        until(
            lambda code=code: customer.is_with_the_network(code),
            4 * FLOWS_S,
            f"{code} is with the network",
        )


def _deliver(customer: Customer, supplier: Supplier, codes: list[str]) -> None:
    """Let the supplier deliver what it waits with, so that nobody asks about it any more."""
    for order in supplier.state()["orders"]:
        if order["status"] == "pending":
            supplier.mark(order["reference"], "successful")
    for code in codes:
        until(
            lambda code=code: customer.is_completed(code),
            4 * FLOWS_S,
            f"{code} is completed",
        )


def _share(times: list[float], share: float) -> float:
    """The value that `share` of the times do not exceed."""
    return sorted(times)[max(0, math.ceil(share * len(times)) - 1)]


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--orders", type=int, default=8,
    help="orders placed each time (default 8); unscaled, a minute "
                        "has 50 calls of the supplier, and each order takes two of them at once")  # fmt: skip
    parser.add_argument(
        "--outage",
        type=float,
        default=OUTAGE_S,
        metavar="S",
        help=f"seconds (default {OUTAGE_S:g})",
    )
    parser.add_argument(
        "--way", choices=(*WAYS, "both"), default="both", help="default both"
    )
    chosen = parser.parse_args()

    def journey() -> None:
        running = Running.at(chosen.instance)
        running.say(
            f"Valkey {running.pids('valkey')}, time scale {running.time_scale:g}"
        )
        run(
            running,
            WAYS if chosen.way == "both" else (chosen.way,),
            chosen.orders,
            chosen.outage,
        )

    report(journey)


if __name__ == "__main__":
    main()
