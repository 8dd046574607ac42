#!/usr/bin/env python3
"""A worker is killed with -9 in the middle of the purchase call, against a running `dev.py up`.

The supplier is at its worst: it does not recognise a repeated reference, so a second call would buy
twice. It holds the purchase open

  before  it has charged: the charge falls only after the worker is dead, in every second run even after our side has
          asked for the reference and been told that it does not exist
  after   it has charged: the answer never arrives

The worker that holds the connection is found by its socket and killed. Then: exactly one charge in
the supplier's own file, the order completed, the books at zero and equal to the supplier's balance.
Works at any time scale; unscaled a run takes about half a minute.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass

import psutil

from tests.support import books
from tests.support.people import Agent, Bundle, Customer, have_money_for, some_number
from tests.support.running import Running, must, options, report, until
from tests.support.supplier import Supplier

STAGES = ("before", "after")
HELD_S = 60
LOOKED_UP_S = 400
"""Unscaled: lease, first look-ups and, if all of them miss, grace. The pages usually know within
half a minute."""
SLACK_S = 60


@dataclass(frozen=True)
class Run:
    """The figures of one kill."""

    stage: str
    number: int
    late: bool
    pid: int
    processing_s: float
    completed_s: float
    charges: int
    proof: books.Proof

    def __str__(self) -> str:
        when = f"{self.stage} the charge" + (
            ", which falls after a look-up" if self.late else ""
        )
        return (
            f"run {self.number}, {when}: worker {self.pid} killed, {self.charges} charge, with the"
            f" network {self.processing_s:.1f} s after the kill, completed after"
            f" {self.completed_s:.1f} s; {self.proof}"
        )


def run(running: Running, stages: tuple[str, ...], runs: int) -> list[Run]:
    """`runs` kills at each stage. Raises `Failed` at the first that shows something else."""
    customer, agent, supplier = (
        Customer.of(running, "ama"),
        Agent.logged_in(running, "ama"),
        Supplier(running),
    )
    bundle, done = customer.shelf()[0], []
    have_money_for(running, agent, "ama", runs * len(stages), bundle)
    try:
        with supplier.knobs(dedupe=False), supplier.keeping_pace(running.time_scale):
            for stage in stages:
                for number in range(1, runs + 1):
                    late = stage == "before" and number % 2 == 0
                    done.append(
                        kill_one(
                            running,
                            customer,
                            agent,
                            supplier,
                            bundle,
                            stage,
                            number,
                            late,
                        )
                    )
                    running.say(str(done[-1]))
    finally:
        supplier.plan()
        supplier.close()
    return done


def kill_one(
    running: Running,
    customer: Customer,
    agent: Agent,
    supplier: Supplier,
    bundle: Bundle,
    stage: str,
    number: int,
    late: bool,
) -> Run:
    """One order, its worker killed during the call, followed to its end."""
    recipient, patience = some_number(), LOOKED_UP_S / running.time_scale + SLACK_S
    supplier.plan({"endpoint": "purchase", "fault": f"hold_{stage}", "times": 1})
    code = customer.order(bundle, recipient)
    agent.process(code)
    held = until(
        supplier.in_flight, HELD_S, "the purchase is in flight at the supplier"
    )[0]
    reference = held["reference"]
    must(held["stage"] == stage, f"held {held['stage']} the charge instead of {stage}")
    charged = len(supplier.charges([reference]))
    must(
        charged == (stage == "after"),
        f"{charged} charges while the purchase is held {stage} the charge",
    )

    pid = until(
        lambda: holder(running), HELD_S, "one worker holds a connection to the supplier"
    )
    os.kill(pid, signal.SIGKILL)
    killed_at = time.monotonic()
    until(
        lambda: all(one["client_gone"] for one in supplier.in_flight()),
        HELD_S,
        "the supplier's client is gone",
    )
    # Its socket is closed before its last breath.
    until(
        lambda: pid not in running.pids("worker") or not is_alive(pid),
        HELD_S,
        f"worker {pid} is dead",
    )
    if late:
        until(
            lambda: books.look_ups_of(running, reference),
            patience,
            "our side asks for the reference",
        )
        must(not supplier.charges([reference]), "charged while still held")
    supplier.release(reference)

    until(
        lambda: customer.is_with_the_network(code),
        patience,
        f"{code} is with the network",
    )
    processing_s = time.monotonic() - killed_at
    supplier.mark(reference, "successful")
    until(lambda: customer.is_completed(code), patience, f"{code} is completed")
    completed_s = time.monotonic() - killed_at

    charges = supplier.charges_to(recipient)
    must(charges == 1, f"{charges} charges for one order")
    postings = books.postings_of(running, code)
    must(
        postings == ["hold", "commit", "capture"],
        f"the order's postings are {postings}",
    )
    proof = books.prove(running)
    must(proof.hold, f"the books do not hold: {proof}")
    balance = supplier.state()["balance_pesewas"]
    must(
        proof.balances["supplier_float"] == balance,
        f"our books say {proof.balances['supplier_float']} at the supplier, the supplier says"
        f" {balance}",
    )
    return Run(stage, number, late, pid, processing_s, completed_s, charges, proof)


def holder(running: Running) -> int | None:
    """The one worker with an open connection to the supplier; None while there is none, or more
    than one."""
    found = []
    for pid in running.pids("worker"):
        try:
            connections = psutil.Process(pid).net_connections("tcp")
        except psutil.NoSuchProcess:
            continue
        if any(
            one.status == psutil.CONN_ESTABLISHED
            and one.raddr
            and one.raddr.port == running.sandbox_port
            for one in connections
        ):
            found.append(pid)
    return found[0] if len(found) == 1 else None


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def main() -> None:
    parser = options(__doc__)
    parser.add_argument(
        "--runs", type=int, default=3, help="kills at each stage (default 3)"
    )
    parser.add_argument(
        "--stage", choices=(*STAGES, "both"), default="both", help="default both"
    )
    chosen = parser.parse_args()

    def journey() -> None:
        running = Running.at(chosen.instance)
        running.say(
            f"workers {running.pids('worker')}, time scale {running.time_scale:g}"
        )
        done = run(
            running, STAGES if chosen.stage == "both" else (chosen.stage,), chosen.runs
        )
        slowest = max(one.processing_s for one in done)
        running.say(
            f"{len(done)} kills, {sum(one.charges for one in done)} charges, slowest recovery"
            f" {slowest:.1f} s"
        )

    report(journey)


if __name__ == "__main__":
    main()
