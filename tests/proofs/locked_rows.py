"""Somebody with a psql session holds a row, or a whole table: pages say so in about a second, and
shops go on selling.

    python -m tests.proofs.locked_rows                on a stage of its own
    python -m tests.proofs.locked_rows --hold-s 20    holds each lock so long

While one lock is held, eight people at a time press on what it holds, again and again, and two
visitors look at the store pages of the same store and of another one. Judged: each store page came
in `PAGE_S`; everybody who waited for the lock has a page that says so, in the time of his kind; the
webhook has its answer before its sender hangs up; when the lock is gone, the same presses work.
Printed: what the store pages answered meanwhile.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections import Counter as Tally
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg

from tests.proofs.stage import Stage
from tests.proofs.witness import CONNECT_S
from tests.support.people import Agent, Customer, code_of, form_of
from tests.support.running import Failed, must
from tests.support.wire import Answer

PAGE_S = 1.0
"""The longest a store page may take while somebody holds a lock."""
READ_S, PRESS_S = 1.0, 2.0
"""What `core.base.fixed` lets a page and a press wait for a lock."""
SLACK_S = 1.0
TURNS = 2
"""Of several who wait for a row the second waits for the first, and then for the holder: PostgreSQL
counts both anew."""
PEOPLE = 8
HOLD_S = 6.0
BUSY = "Busy for a moment"
STORES = ("ama", "kofi")
VISITORS_FROM = "127.0.0.3"
"""The two who only look come from elsewhere than those who press: each address has its turn at the
threads."""


@dataclass
class Told:
    """What was answered while one lock was held: of each store page the seconds, of the others the
    status too."""

    name: str
    store_pages_s: list[float] = field(default_factory=list)
    store_statuses: Tally[int] = field(default_factory=Tally)
    others: Tally[int] = field(default_factory=Tally)
    slowest_s: float = 0.0

    def __str__(self) -> str:
        pages = sorted(self.store_pages_s)
        kinds = ", ".join(
            f"{n} × {status}" for status, n in sorted(self.store_statuses.items())
        )
        rest = ", ".join(f"{n} × {status}" for status, n in sorted(self.others.items()))
        return (
            f"{self.name:<34} store pages: {kinds}, half within {pages[len(pages) // 2] * 1000:.0f}"
            f" ms, the slowest {pages[-1] * 1000:.0f} ms; {PEOPLE} people at it: {rest}, the"
            f" slowest {self.slowest_s:.1f} s"
        )


@contextmanager
def held(stage: Stage, statement: str) -> Iterator[None]:
    """A session of the owner that has done `statement` and goes on holding what it took."""
    with psycopg.connect(
        stage.running.facts["database_admin_url"], connect_timeout=CONNECT_S
    ) as session:
        session.execute(statement)
        yield
        session.rollback()


def run(stage: Stage, hold_s: float = HOLD_S, slack: float = 1.0) -> Iterator[Told]:
    """One lock after the other. Raises `Failed` at the first thing that must not be; `slack` widens
    the bounds."""
    customer, agent = (
        Customer.of(stage.running, "ama"),
        Agent.logged_in(stage.running, "ama"),
    )
    bundle = customer.shelf()[0]
    codes = [customer.order(bundle, f"02476543{number:02}") for number in range(3)]
    row = f"SELECT 1 FROM orders WHERE code = '{codes[0]}' FOR UPDATE"
    form = agent.process_form(codes[0])
    queue = form_of(agent.get("/orders?tab=new").text, "/orders/process")
    press = lambda: agent.post(f"/orders/{codes[0]}/process", form)

    with held(stage, row):
        told = _meanwhile(stage, "a row of orders, pressed", press, hold_s)
    _judge(told, {503}, PRESS_S, slack)
    yield told

    with held(stage, row):
        began = time.monotonic()
        ticked = [
            *(pair for pair in queue if pair[0] != "order"),
            *(("order", code) for code in codes),
        ]
        answer = agent.post("/orders/process", ticked)
        took_s = time.monotonic() - began
        must(
            answer.status == 200,
            f"a selection with its first row locked answered {answer.status}",
        )
        must(
            "Somebody else is at this order" in answer.text,
            "the locked row of the selection has no sentence",
        )
        must(
            took_s < (PRESS_S + SLACK_S) * slack,
            f"a selection with its first row locked took {took_s:.1f} s",
        )
        for code in codes[1:]:
            must(
                not customer.sees(code).startswith("Pending"),
                f"{code} was held up by the locked row before it",
            )

    with held(stage, "LOCK TABLE orders IN ACCESS EXCLUSIVE MODE"):
        told = _meanwhile(
            stage,
            "the table orders, order pages read",
            lambda: customer.get(f"/orders/{codes[0]}"),
            hold_s,
        )
    _judge(told, {503}, READ_S, slack)
    yield told

    order = customer.filled_form(bundle, "0247654399")
    row = "SELECT 1 FROM stores WHERE slug = 'ama' FOR UPDATE"
    with held(stage, row):
        reviews = lambda: customer.review(bundle, "0247654398")
        told = _meanwhile(stage, "a row of stores, reviewed", reviews, hold_s)
    _judge(told, {503}, PRESS_S, slack)
    yield told

    with held(stage, row):
        told = _meanwhile(
            stage,
            "a row of stores, ordered",
            lambda: customer.post("/orders", order),
            hold_s,
        )
    _judge(told, {503}, PRESS_S, slack)
    yield told

    must(press().is_done, "the lock is gone, and the same press does not work")
    agent.cancel(
        code_of(customer.post("/orders", order))
    )  # the lock is gone, so the same order works; nobody needs it


def _meanwhile(
    stage: Stage, name: str, act: Callable[[], Answer], hold_s: float
) -> Told:
    """Eight people do `act`, one of each store looks at its page, all of them over and over for
    `hold_s`."""
    told, counting, over = Told(name), threading.Lock(), time.monotonic() + hold_s
    problems: list[BaseException] = []

    def people() -> None:
        while time.monotonic() < over:
            answer = act()
            with counting:
                told.others[answer.status] += 1
                told.slowest_s = max(told.slowest_s, answer.ms / 1000)
            must(
                answer.status != 503 or BUSY in answer.text,
                "a 503 page that does not say why",
            )

    def looks(store: str) -> None:
        visitor = Customer.of(stage.running, store)
        visitor.source = VISITORS_FROM
        while time.monotonic() < over:
            answer = visitor.get("/")
            with counting:
                told.store_pages_s.append(answer.ms / 1000)
                told.store_statuses[answer.status] += 1
            time.sleep(0.05)

    def guarded(deed: Callable[[], None]) -> None:
        try:
            deed()
        except BaseException as problem:  # noqa: BLE001 - raised again in the thread that waits for all
            problems.append(problem)

    deeds = [
        *[people] * PEOPLE,
        *(lambda store=store: looks(store) for store in STORES),
    ]
    threads = [threading.Thread(target=guarded, args=(deed,)) for deed in deeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise problems[0]
    return told


def _judge(told: Told, wanted: set[int], most_s: float, slack: float) -> None:
    must(set(told.store_statuses) == {200}, f"{told}: a store page failed")
    must(
        max(told.store_pages_s) <= PAGE_S * slack, f"{told}: a store page took too long"
    )
    must(set(told.others) == wanted, f"{told}: wanted {wanted}")
    must(
        told.slowest_s <= (TURNS * most_s + SLACK_S) * slack,
        f"{told}: somebody waited too long",
    )


def main() -> int:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument(
        "--hold-s", type=float, default=HOLD_S, help="seconds that each lock is held"
    )
    chosen = options.parse_args()
    with Stage() as stage:
        try:
            for told in run(stage, chosen.hold_s):
                print(told, flush=True)
        except Failed as failed:
            print(failed)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
