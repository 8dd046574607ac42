#!/usr/bin/env python3
"""The supplier freezes and its wallet runs low, against a running `dev.py up`: the shop says so
before money is taken.

Frozen is SIGSTOP, so connections are accepted and never answered. While it lasts nothing is
offered, reviewed or placed, the portal and the console say why and since when, and a released order
goes in line. After SIGCONT everything opens by itself, and each order was bought once.
"""

from __future__ import annotations

import os
import re
import signal
import time
from dataclasses import dataclass

from tests.support.people import (
    Agent,
    Customer,
    Owner,
    have_money_for,
    headline,
    some_number,
)
from tests.support.running import Failed, Running, must, options, report, until
from tests.support.supplier import Supplier

CLOSES_S, OPENS_S, BOUGHT_S = 20, 10, 400
"""Unscaled: the next call, silence at two addresses and a round of the relay; an answer; look-ups
until the last one is bought."""
SLACK_S, SAYS_S = 5, 30
SAID = (
    "supplier (has not answered|has been out of reach|has given no clear answers) since"
)


@dataclass(frozen=True)
class Run:
    """The figures of one freeze."""

    closed_s: float
    opened_s: float
    charges: int

    def __str__(self) -> str:
        return (
            f"shop closed {self.closed_s:.1f} s after the freeze, open {self.opened_s:.1f} s after"
            f" it ended, {self.charges} charges for two orders"
        )


def run(running: Running) -> Run:
    """One freeze while an order is being bought. Raises `Failed` when a page says something
    else."""
    customer, agent, owner = (
        Customer.of(running, "ama"),
        Agent.logged_in(running, "ama"),
        Owner.logged_in(running),
    )
    supplier = Supplier(running)
    bundle, numbers = customer.shelf()[0], (some_number(), some_number())
    have_money_for(running, agent, "ama", 2, bundle)
    scale = running.time_scale
    first, second = (customer.order(bundle, number) for number in numbers)
    kept = customer.filled_form(bundle, some_number())
    frozen = running.pids("sandbox")
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        agent.process(first)
        until(
            lambda: is_closed(customer),
            CLOSES_S / scale + SLACK_S,
            "the shop says that nothing can be ordered",
        )
        closed_s = time.monotonic() - began
        running.say(
            f"closed after {closed_s:.1f} s: {headline(customer.get('/').text)[:160]}"
        )
        refused = customer.post("/orders", kept)
        must(
            refused.status == 422,
            f"a reviewed order was answered {refused.status}: {headline(refused.text)}",
        )
        must(
            "do not pay yet" in customer.get(f"/orders/{second}").text,
            "a pending order still asks for money",
        )
        for path in ("/", "/orders"):
            must(
                "Nothing can be sent since" in agent.get(path).text,
                f"the portal's {path} says nothing",
            )
        says_so = lambda: "buying stands still since" in owner.get("/").text
        until(says_so, SAYS_S, "the overview's figures say it")
        agent.process(second)
        must("It waits" in agent.get(f"/orders/{second}").text or "Waiting" in agent.get(f"/orders/{second}").text,
             "the order in line does not say what it waits for")  # fmt: skip
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
    ended = time.monotonic()
    until(
        lambda: 'type="radio"' in customer.get("/").text,
        OPENS_S / scale + SLACK_S,
        "the shop opens by itself",
    )
    opened_s = time.monotonic() - ended
    with supplier.keeping_pace(scale):
        for code in (first, second):
            until(
                lambda code=code: customer.is_with_the_network(code),
                BOUGHT_S / scale + SAYS_S,
                f"{code} is bought",
            )
    charges = [supplier.charges_to(number) for number in numbers]
    supplier.close()
    must(charges == [1, 1], f"charges for the two orders: {charges}")
    return Run(closed_s, opened_s, sum(charges))


def is_closed(customer: Customer) -> bool:
    page = customer.get("/").text
    if 'type="radio"' in page:
        return False
    if not re.search(SAID, page):
        raise Failed(f"the shop is closed without a reason: {headline(page)}")
    return True


def main() -> None:
    chosen = options(__doc__).parse_args()
    running = Running.at(chosen.instance)
    report(lambda: running.say(str(run(running))))


if __name__ == "__main__":
    main()
