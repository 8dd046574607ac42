"""Each part of the program is away for a minute under load, then comes back: nothing is lost, and every page says why.

    python -m chaos.outages                      every part, killed, at time scale 1
    python -m chaos.outages --only postgres:frozen valkey:full --scale 10

Customers order and look at their orders, agents press *Process*, all the while. Away means killed and kept down, frozen
(SIGSTOP), or full: Valkey without room for one more key, PostgreSQL without room on its disk. Judged: every answer is
fine or a 503 page with the sentence that says what to do, within the time allowed for that part; with the web itself
away a connection may be refused; what was ordered before and during the outage is bought once, each form once; the
books hold. Printed: the slowest page, and how long after the return the last waiting order was with the network.
"""

from __future__ import annotations

import argparse
import http.client
import os
import re
import signal
import sys
import threading
import time
from collections import Counter as Tally
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import books
import psycopg
import redis
from people import Agent, Bundle, Customer, form_of, have_money_for, headline, some_number
from running import Failed, must, until
from supplier import Supplier
from wire import Answer

from chaos import full_disk, witness
from chaos.stage import Stage
from devkit import leash

OUTAGE_S = 60.0
BEFORE_S, AFTER_S = 15.0, 10.0
"""Load before and after the outage; scaled like the outage itself."""
FLOWS_S = 30.0
"""What waited is with the network this long after the return (B6); unscaled, for the parts do not start faster."""
PATIENCE_S = 120
MOST_MS = {"valkey": 500.0, "postgres:frozen": 25_000.0}
OTHERWISE_MS = 5_000.0
SENTENCE = "Wait a minute and send it again. Sending the same form twice never orders twice."
STORES = ("ama", "kofi")
TRIALS = (
    "web:killed", "worker:killed", "relay:killed", "valkey:killed", "valkey:frozen", "valkey:full", "postgres:killed",
    "postgres:frozen", "postgres:full",
)  # fmt: skip
_NO_ANSWER = (OSError, http.client.HTTPException)


@dataclass(frozen=True)
class Seen:
    """One answer, or none, as somebody outside saw it."""

    at: float
    what: str
    status: int
    ms: float
    said: str = ""


@dataclass
class Log:
    """Everything that was seen and ordered during one trial."""

    seen: list[Seen] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    processed: list[str] = field(default_factory=list)


@dataclass
class Outcome:
    """The figures of one trial."""

    trial: str
    answers: Tally[int]
    slowest_ms: float
    ordered: int
    ordered_meanwhile: int
    flows_s: float
    proof: books.Proof

    def __str__(self) -> str:
        told = ", ".join(f"{n} × {status or 'no answer'}" for status, n in sorted(self.answers.items()))
        return (
            f"{self.trial:<16} {told}; slowest page {self.slowest_ms:.0f} ms; {self.ordered} orders "
            f"({self.ordered_meanwhile} meanwhile), all bought once, the last {self.flows_s:.1f} s after the return; "
            f"{self.proof.entries} entries sum to {self.proof.total_pesewas}"
        )


class Crowd:
    """Two customers at both stores and their agents, who go on whatever they are answered."""

    def __init__(self, stage: Stage, log: Log) -> None:
        self._stage, self._log = stage, log
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.failures: list[str] = []
        self._people: list[Callable[[], None]] = []
        for store in STORES:
            customer, agent = Customer.of(stage.running, store), Agent.logged_in(stage.running, store)
            bundle = customer.shelf()[0]
            have_money_for(stage.running, agent, store, 200, bundle)
            self._people += [
                lambda customer=customer, bundle=bundle: self._order(customer, bundle),
                lambda customer=customer: self._look(customer),
                lambda agent=agent: self._process(agent),
            ]
        self._threads = [threading.Thread(target=self._live, args=(act,), daemon=True) for act in self._people]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """Let everybody finish the form in hand, agents until nothing waits for them. Raises `Failed`."""
        self._stop.set()
        for thread in self._threads:
            thread.join(PATIENCE_S)
        must(not self.failures, f"somebody gave up: {self.failures[:2]}")

    def _live(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as error:  # noqa: BLE001 - carried to `finish`
            self.failures.append(repr(error))

    def _ask(self, what: str, press: Callable[[], Answer]) -> Answer | None:
        """One request, noted. None when there was no answer, or one that asks to come again."""
        at, began = time.time(), time.perf_counter()
        try:
            answer = press()
        except _NO_ANSWER as error:
            self._log.seen.append(Seen(at, what, 0, (time.perf_counter() - began) * 1_000, repr(error)))
            return None
        said = headline(answer.text) if answer.status >= 400 else ""
        self._log.seen.append(Seen(at, what, answer.status, answer.ms, said))
        return answer if answer.status < 500 else None

    def _insist(self, what: str, press: Callable[[], Answer]) -> Answer:
        """Press until it is answered, as a person does who was told to send it again."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            answer = self._ask(what, press)
            if answer is not None:
                return answer
            time.sleep(0.3)
        raise Failed(f"{what} was never answered")

    def _order(self, customer: Customer, bundle: Bundle) -> None:
        while not self._stop.is_set():
            number = some_number()
            review = self._insist("review", lambda number=number: customer.review(bundle, number))
            form = form_of(review.text, "/orders")
            with self._lock:
                self._log.recipients.append(number)
            answer = self._insist("confirm", lambda form=form: customer.post("/orders", form))
            found = re.fullmatch(r"/orders/([0-9A-Z]{10})", answer.location)
            must(found, f"confirming answered {answer.status} {headline(answer.text)}")
            assert found
            with self._lock:
                self._log.codes.append(found[1])
            self._stop.wait(0.5)

    def _look(self, customer: Customer) -> None:
        while not self._stop.wait(0.3):
            self._ask("front", lambda: customer.get("/"))
            with self._lock:
                code = self._log.codes[-1] if self._log.codes else None
            if code:
                self._ask("status", lambda code=code: customer.get(f"/orders/{code}/status"))

    def _process(self, agent: Agent) -> None:
        while True:
            stopping = self._stop.is_set()
            page = self._insist("queue", lambda: agent.get("/orders?tab=new"))
            codes = re.findall(r'name="order" value="([0-9A-Z]{10})"', page.text)
            if not codes and stopping:
                return
            for code in codes:
                shown = self._insist("order", lambda code=code: agent.get(f"/orders/{code}"))
                if f'action="/orders/{code}/process"' not in shown.text:
                    continue  # an earlier press went through although its answer was lost
                form = form_of(shown.text, f"/orders/{code}/process")
                self._insist("process", lambda code=code, form=form: agent.post(f"/orders/{code}/process", form))
            self._stop.wait(0.3)


def run(stage: Stage, trial: str, outage_s: float, most_ms: float | None = None) -> Outcome:
    """One outage on a running stage. Raises `Failed` at the first thing that must not be."""
    kind, _, way = trial.partition(":")
    scale = stage.running.time_scale
    log, supplier = Log(), Supplier(stage.running)
    first_id = witness.rows(stage, "SELECT coalesce(max(id), 0) FROM orders")[0][0]
    try:
        with supplier.keeping_pace(scale), supplier.knobs(webhooks=False):
            crowd = Crowd(stage, log)
            crowd.start()
            time.sleep(BEFORE_S / scale)
            went, before = time.time(), len(log.codes)
            with away(stage, kind, way):
                time.sleep(outage_s)
                during = len(log.codes) - before
            back, back_at = time.monotonic(), time.time()
            _until_it_flows(stage, [*log.codes], patience_s=FLOWS_S + PATIENCE_S)
            flows_s = time.monotonic() - back
            time.sleep(AFTER_S / scale)
            crowd.finish()
            _until_it_flows(stage, log.codes, patience_s=PATIENCE_S)
        _judge_pages(log, trial, went, back_at, most_ms or MOST_MS.get(trial) or MOST_MS.get(kind) or OTHERWISE_MS)
        _judge_orders(stage, log, first_id)
    finally:
        supplier.close()
    proof = books.prove(stage.running)
    must(proof.hold, f"{trial}: the books do not hold: {proof}")
    answers = Tally(one.status for one in log.seen)
    slowest = max(one.ms for one in log.seen if one.status)
    return Outcome(trial, answers, slowest, len(log.codes), during, flows_s, proof)


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
    pids = [below for pid in stage.pids(kind) for below in (pid, *leash.descendants(pid))]
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in pids:
            if leash.is_alive(pid):
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


def _until_it_flows(stage: Stage, codes: list[str], patience_s: float) -> None:
    """Until every released one of these orders is with the network."""

    def all_flow() -> bool:
        try:
            found = witness.rows(
                stage,
                "SELECT count(*) FROM orders WHERE code = ANY(%s) AND state IN ('pending', 'queued', 'submitting')",
                codes,
            )
        except psycopg.OperationalError:  # it may still be starting
            return False
        return not found[0][0]

    until(all_flow, patience_s, "every order is with the network")


def _judge_pages(log: Log, trial: str, went: float, back_at: float, most_ms: float) -> None:
    for one in log.seen:
        told = f"{trial}: {one.what} answered {one.status or one.said} after {one.ms:.0f} ms ({one.said})"
        if one.status == 0:
            is_excused = trial.startswith("web:") and went - 1 < one.at < back_at + FLOWS_S
            must(is_excused, told)
        elif one.status >= 500:
            must(one.status == 503 and SENTENCE in one.said, told)
        must(one.ms <= most_ms, told)


def _judge_orders(stage: Stage, log: Log, first_id: int) -> None:
    """Each confirmed form is one order, each order is bought once, and nobody else's order appeared."""
    made = witness.rows(
        stage, "SELECT right(recipient_msisdn, 9), code, state FROM orders WHERE id > %s ORDER BY id", first_id
    )
    several = {number: n for number, n in Tally(number for number, *_ in made).items() if n != 1}
    must(not several, f"more than one order for one form: {several}")
    missing = {number[-9:] for number in log.recipients} ^ {number for number, *_ in made}
    must(not missing, f"forms without an order, or orders without a form: {missing}")
    lost = set(log.codes) ^ {code for _, code, _ in made}
    must(not lost, f"orders that were promised and are not there: {lost}")
    missed = witness.not_once(stage, log.codes)
    must(not missed, f"not bought exactly once: {missed}")


def main() -> int:
    """Run the trials on a stage of their own; 0 when all went as they must."""
    parser = argparse.ArgumentParser(prog="python -m chaos.outages", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=TRIALS, default=TRIALS, metavar="PART:WAY")
    parser.add_argument("--scale", type=float, default=1.0, help="divides the outage too")
    asked = parser.parse_args()
    worst = 0
    with Stage(scale=asked.scale, workers=2) as stage:
        for trial in asked.only:
            if trial == "postgres:full" and not full_disk.is_possible():
                print(f"{trial:<16} cannot be done here: it takes root and a mount", flush=True)
                continue
            try:
                print(run(stage, trial, OUTAGE_S / asked.scale), flush=True)
            except Failed as failure:
                worst = 1
                print(f"{trial:<16} FAILED: {failure}", flush=True)
    return worst


if __name__ == "__main__":
    sys.exit(main())
