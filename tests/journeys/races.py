#!/usr/bin/env python3
"""Fifty people press the same button in one moment, over HTTP, against a running `dev.py up`.

Each round:
  a  50 simultaneous posts of one confirmed form       → one order, and all 50 answers (2xx or 3xx) name it
  b  50 simultaneous *Process* clicks on that order    → one purchase in the supplier's own charge file
  c  8 orders processed at once with money for 2       → exactly 2 released, the other 6 still waiting

Round c drains kofi's wallet below the price of three orders first and gives the money back at the
end. A round places nine orders from one address; with more than six rounds start `up` with
MAKOLA_ORDERS_PER_ADDRESS_MINUTE=1000, or this script waits for the limit.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.support import books
from tests.support.people import (
    Agent,
    Bundle,
    Customer,
    Fields,
    Owner,
    code_of,
    have_money_for,
    some_number,
)
from tests.support.running import Running, must, options, report, until
from tests.support.supplier import Supplier
from tests.support.wire import Answer, at_once

SUBMITS = 50
CLICKS = 50
RACING = 8
AFFORDABLE = 2
BUYING_S = 150
"""Until a released order is bought: the shared budget of calls may make it wait for the next
minute."""
ADDRESS_LIMIT_S = 90


@dataclass(frozen=True)
class Round:
    """The figures of one race."""

    name: str
    number: int
    answers: Counter[str]
    slowest_ms: float
    result: str

    def __str__(self) -> str:
        codes = ", ".join(
            f"{count} × {status}" for status, count in sorted(self.answers.items())
        )
        return f"{self.number:5}  {self.name:<9} {codes:<20} {self.slowest_ms:8.0f} ms  {self.result}"


def run(running: Running, rounds: int) -> list[Round]:
    """All rounds of all three races. Raises `Failed` at the first that shows something else."""
    must(
        len(running.pids("web")) >= 3,
        f"only {len(running.pids('web')) - 1} web processes: the races need two or more",
    )
    customer, buyer, agent = (
        Customer.of(running, "ama"),
        Customer.of(running, "kofi"),
        Agent.logged_in(running, "ama"),
    )
    supplier = Supplier(running)
    bundle, cheapest = customer.shelf()[0], buyer.shelf()[0]
    have_money_for(running, agent, "ama", rounds, bundle)
    done: list[Round] = []
    bought: list[str] = []
    with (
        supplier.keeping_pace(running.time_scale),
        _money_for(running, supplier, buyer, cheapest) as till,
    ):
        print(
            f"{'round':>5}  {'race':<9} {'answers':<20} {'slowest':>11}  result",
            flush=True,
        )
        for number in range(1, rounds + 1):
            recipient = some_number()
            bought.append(recipient)
            code, submits = submit_race(running, customer, bundle, recipient, number)
            clicks = process_race(running, agent, supplier, code, recipient, number)
            wallet = wallet_race(running, buyer, till, supplier, cheapest, number)
            for line in (submits, clicks, wallet):
                print(line, flush=True)
            done += [submits, clicks, wallet]
            _settled(supplier, customer, {recipient: code})
    again = {number: supplier.charges_to(number) for number in bought}
    must(
        set(again.values()) == {1},
        f"counted again at the end, not one purchase each: {again}",
    )
    proof = books.prove(running)
    must(proof.hold, f"the books do not hold: {proof}")
    running.say(
        f"counted again at the end: one purchase for each of {len(bought)} orders; {proof}"
    )
    supplier.close()
    return done


def submit_race(
    running: Running, customer: Customer, bundle: Bundle, recipient: str, number: int
) -> tuple[str, Round]:
    """One confirmed form, sent fifty times in one moment."""
    form = _form(customer, bundle, recipient)
    answers = at_once([customer.call("POST", "/orders", form) for _ in range(SUBMITS)])
    bad = [answer for answer in answers if not 200 <= answer.status < 400]
    must(
        not bad,
        f"round {number}: {len(bad)} of {SUBMITS} submits answered {bad[0].status if bad else ''}",
    )
    codes = {code_of(answer) for answer in answers}
    must(
        len(codes) == 1,
        f"round {number}: {SUBMITS} submits of one form named {len(codes)} orders",
    )
    rows = books.orders_of(running, recipient)
    must(rows == 1, f"round {number}: {rows} rows for one form")
    return codes.pop(), _round(
        "submit", number, answers, f"1 order, named by all {SUBMITS}"
    )


def process_race(
    running: Running,
    agent: Agent,
    supplier: Supplier,
    code: str,
    recipient: str,
    number: int,
) -> Round:
    """Fifty clicks on *Process*: half from the order page, half from the queue's row."""
    form = agent.process_form(code)
    path = f"/orders/{code}/process"
    calls = [
        agent.call(
            "POST", path if click % 2 else f"{path}?row=1", form, htmx=not click % 2
        )
        for click in range(CLICKS)
    ]
    answers = at_once(calls)
    bad = [
        answer
        for answer in answers
        if not 200 <= answer.status < 400 or answer.is_refusal
    ]
    must(
        not bad,
        f"round {number}: {len(bad)} of {CLICKS} clicks answered {bad[0].status if bad else ''}",
    )
    until(
        lambda: supplier.charges_to(recipient),
        BUYING_S,
        f"round {number}: {code} is bought",
    )
    held = books.postings_of(running, code).count("hold")
    purchases = supplier.charges_to(recipient)
    must(
        (purchases, held) == (1, 1),
        f"round {number}: {purchases} purchases and {held} holds for one order",
    )
    return _round("process", number, answers, "1 purchase, 1 hold")


@dataclass
class Till:
    """Kofi's wallet, kept between two and three orders' worth before each race."""

    agent: Agent
    owner: Owner
    price_pesewas: int

    def fill(self, number: int) -> int:
        """Fund what is missing for exactly `AFFORDABLE` orders; what is in the wallet then."""
        have = self.agent.wallet_pesewas()
        need = AFFORDABLE * self.price_pesewas - have
        if need > 0:
            self.owner.fund("kofi", need, f"race {number} {time.time_ns() % 10**9}")
        have = self.agent.wallet_pesewas()
        must(
            have // self.price_pesewas == AFFORDABLE,
            f"the wallet holds {have} pesewas, not enough for exactly {AFFORDABLE} orders of"
            f" {self.price_pesewas}",
        )
        return have


def wallet_race(
    running: Running,
    buyer: Customer,
    till: Till,
    supplier: Supplier,
    bundle: Bundle,
    number: int,
) -> Round:
    """Eight orders processed in one moment, with money for two."""
    recipients = [some_number() for _ in range(RACING)]
    codes = [_ordered(buyer, bundle, recipient) for recipient in recipients]
    forms = [till.agent.process_form(code) for code in codes]
    before = till.fill(number)
    answers = at_once(
        [
            till.agent.call("POST", f"/orders/{code}/process", form)
            for code, form in zip(codes, forms, strict=True)
        ]
    )
    released = [
        code for code, answer in zip(codes, answers, strict=True) if answer.is_done
    ]
    refused = [
        code for code, answer in zip(codes, answers, strict=True) if answer.is_refusal
    ]
    must(
        (len(released), len(refused)) == (AFFORDABLE, RACING - AFFORDABLE),
        f"round {number}: {len(released)} released and {len(refused)} refused of {RACING} with"
        f" money for {AFFORDABLE}",
    )
    why = till.agent.led_by(answers[codes.index(refused[-1])]).text
    must(
        "Nothing was changed" in why and "in your wallet" in why,
        f"round {number}: no sentence says why one was refused",
    )
    after = till.agent.wallet_pesewas()
    must(
        before - after == AFFORDABLE * till.price_pesewas and after >= 0,
        f"round {number}: the wallet went from {before} to {after} for {AFFORDABLE} orders of"
        f" {till.price_pesewas}",
    )
    waiting = [code for code in codes if buyer.sees(code).startswith("Pending.")]
    must(
        waiting == [code for code in codes if code in refused],
        f"round {number}: refused orders are not all pending",
    )
    for code in refused:
        till.agent.cancel(code)
    _settled(
        supplier,
        buyer,
        {
            to: code
            for to, code in zip(recipients, codes, strict=True)
            if code in released
        },
    )
    purchases = [supplier.charges_to(to) for to in recipients]
    must(
        sum(purchases) == AFFORDABLE and max(purchases) == 1,
        f"round {number}: purchases {purchases}",
    )
    return _round(
        "wallet",
        number,
        answers,
        f"{AFFORDABLE} of {RACING} released, {AFFORDABLE} purchases",
    )


@contextmanager
def _money_for(
    running: Running, supplier: Supplier, buyer: Customer, bundle: Bundle
) -> Iterator[Till]:
    """Kofi's wallet brought down to less than three orders of `bundle`, and filled again
    afterwards."""
    agent, owner = Agent.logged_in(running, "kofi"), Owner.logged_in(running)
    first, costs = agent.wallet_pesewas(), agent.costs()
    till = Till(agent, owner, costs[bundle.bundle_id])
    spent = _drain(till, buyer, costs)
    _settled(supplier, buyer, spent)
    running.say(
        f"kofi's wallet went from GHS {first / 100:.2f} to {agent.wallet_pesewas() / 100:.2f} by"
        f" {len(spent)} orders; one of the race costs {till.price_pesewas / 100:.2f}"
    )
    try:
        yield till
    finally:
        missing = first - agent.wallet_pesewas()
        if missing > 0:
            owner.fund("kofi", missing, "the money back after the races")


def _drain(till: Till, buyer: Customer, costs: dict[str, int]) -> dict[str, str]:
    """Process the dearest bundles that fit, then cheaper ones, until less than three orders' worth
    is left.

    Returns the orders, recipient to code.
    """
    spent: dict[str, str] = {}
    too_much = (AFFORDABLE + 1) * till.price_pesewas
    have = till.agent.wallet_pesewas()
    for bundle in sorted(buyer.shelf(), key=lambda bundle: -costs[bundle.bundle_id]):
        while have >= max(too_much, costs[bundle.bundle_id]):
            recipient = some_number()
            code = spent[recipient] = _ordered(buyer, bundle, recipient)
            till.agent.process(code)
            have = till.agent.wallet_pesewas()
    must(have < too_much, "kofi's wallet could not be emptied for the race")
    return spent


def _settled(supplier: Supplier, buyer: Customer, bought: dict[str, str]) -> None:
    """Wait until all are bought, let the supplier deliver them, and wait until their pages say
    so."""
    for recipient in bought:
        found = until(
            lambda to=recipient: supplier.references_to(to),
            BUYING_S,
            f"the order to {recipient} is bought",
        )
        supplier.mark(found[0], "successful")
    for code in bought.values():
        until(
            lambda code=code: buyer.is_completed(code), BUYING_S, f"{code} is completed"
        )


def _ordered(buyer: Customer, bundle: Bundle, recipient: str) -> str:
    return code_of(buyer.post("/orders", _form(buyer, bundle, recipient)))


def _form(buyer: Customer, bundle: Bundle, recipient: str) -> Fields:
    """The confirmed form, after the limit for one address if need be."""

    def reviewed() -> bool:
        return buyer.review(bundle, recipient).status != 429

    until(reviewed, ADDRESS_LIMIT_S, "the limit of orders for one address is over")
    return buyer.filled_form(bundle, recipient)


def _round(name: str, number: int, answers: list[Answer], result: str) -> Round:
    told = Counter(
        f"{answer.status} refused" if answer.is_refusal else str(answer.status)
        for answer in answers
    )
    return Round(name, number, told, max(a.ms for a in answers), result)


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--rounds", type=int, default=10, help="default 10")
    chosen = parser.parse_args()

    def journey() -> None:
        running = Running.at(chosen.instance)
        running.say(
            f"{len(running.pids('web')) - 1} web processes, time scale {running.time_scale:g}"
        )
        done = run(running, chosen.rounds)
        running.say(
            f"{len(done)} races, {sum(sum(line.answers.values()) for line in done)} answers, all as"
            " they must be"
        )

    report(journey)


if __name__ == "__main__":
    main()
