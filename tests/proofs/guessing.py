"""Guessing against the whole program: behind the address of many, from fifty addresses, and in a
flood.

    flock /tmp/heavy.lock python -m tests.proofs.guessing --seconds 20

Each attack says what the store page answered meanwhile, and is over the bound when that took a
second. Addresses are those of this machine's loopback, each a client of its own to the program. The
account that was guessed is left as found.
"""

from __future__ import annotations

import argparse
import http.client
import sys
import threading
import time
from collections import Counter as Tally
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg

from tests.proofs.stage import Stage
from tests.support.people import (
    Customer,
    Fields,
    Visitor,
    form_of,
    headline,
    some_number,
)
from tests.support.running import Failed, must, until
from tests.support.wire import WAIT_S, Answer, Call

STORE_S = 1.0
"""No store page may take longer, whatever goes on at the doors."""
LET_IN_S = 30.0
"""The right password from a new address is in by then."""
WARM_S = 60.0
"""By then the fifty guess as fast as they are let."""
LOOK_EVERY_S = 0.1
CALM_LOOKS = 10
GUESSERS = 50
PAUSE_S = 0.5
"""Between two presses of one guesser: more would only measure this machine's own client."""
AT_ONCE = 16
MISSES = 70
SHARED = "127.0.0.9"
"""The address of many, as a carrier gives one to all its customers."""
_NO_ANSWER = (OSError, http.client.HTTPException)


@dataclass
class From(Call):
    """A request that comes from an address of its own."""

    source: str = SHARED

    def connect(self) -> None:
        self._connection = http.client.HTTPConnection(
            self.address, timeout=WAIT_S, source_address=(self.source, 0)
        )
        self._connection.connect()


@dataclass
class Stranger(Visitor):
    """A browser at an address."""

    source: str = SHARED
    fields: list[tuple[str, str]] = field(default_factory=list)

    def call(
        self, method: str, path: str, fields: Fields | None = None, htmx: bool = False
    ) -> Call:
        made = super().call("GET" if method == "HEAD" else method, path, fields, htmx)
        return From(
            made.address, method, made.path, made.headers, made.body, source=self.source
        )

    def ask(self, method: str, path: str) -> int:
        return self.call(method, path).send().status

    def log_in(self, email: str, password: str) -> Answer:
        """Type into the log-in page and press; the page is asked for once."""
        if not self.fields:
            self.fields = list(form_of(self.get("/login").text, "/login"))
        said = {**dict(self.fields), "email": email, "password": password}
        return self.post("/login", list(said.items()))

    def forget_session(self) -> None:
        """Logged out, and known still."""
        self.cookies.pop("__Host-makola", None)
        self.fields = []


@dataclass
class Seen:
    """What one attack met, and what the store page answered meanwhile."""

    attack: str
    answers: Tally[int] = field(default_factory=Tally)
    calm_ms: list[float] = field(default_factory=list)
    """The store page right before the attack: what the machine gives at that moment."""
    store_ms: list[float] = field(default_factory=list)
    store_wrong: list[str] = field(default_factory=list)
    took_s: float = 0.0
    let_in_s: float | None = None
    pressed: int = 0

    def lines(self) -> Iterator[str]:
        met = ", ".join(f"{n} × {status}" for status, n in sorted(self.answers.items()))
        yield f"{self.attack}: {self.took_s:.1f} s, answers to the guesser: {met}"
        ordered = sorted(self.store_ms)
        yield (
            f"  the store page meanwhile: {len(ordered)} times, median"
            f" {ordered[len(ordered) // 2]:.0f} ms, longest {ordered[-1]:.0f} ms; right before:"
            f" median {sorted(self.calm_ms)[len(self.calm_ms) // 2]:.0f} ms, longest"
            f" {max(self.calm_ms):.0f} ms"
        )
        if self.let_in_s is not None:
            yield (
                f"  the right password from a new address: in after {self.let_in_s:.1f} s and"
                f" {self.pressed} presses"
            )

    def judge(self) -> None:
        """Raises `Failed` when the store page was wrong or slow."""
        must(self.store_ms, f"{self.attack}: the store page was never asked")
        must(
            not self.store_wrong,
            f"{self.attack}: the store page failed: {self.store_wrong[:2]}",
        )
        longest_s = max(self.store_ms) / 1_000
        must(
            longest_s <= STORE_S,
            f"the store page took {longest_s:.2f} s: {' '.join(self.lines())}",
        )


def behind_one_address(stage: Stage) -> Seen:
    """A neighbour guesses codes and passwords; whoever shares the address goes on as if nothing
    happened."""
    seen = Seen("a neighbour guesses behind one address")
    logins = stage.running.facts["logins"]
    known = _portal(stage, SHARED)
    must(
        known.log_in(**logins["ama"]).status == 303,
        "ama cannot log in before anybody guesses",
    )
    buyer = Customer.of(stage.running, "ama")
    code = buyer.order(buyer.shelf()[0], some_number())
    with _watching(stage, seen):
        neighbour = Stranger(
            stage.running, stage.running.facts["store_urls"]["ama"], source=SHARED
        )
        for number in range(MISSES):
            path = ("/orders/{:010d}", "/orders/{:010d}/status", "/track?code={:010d}")[
                number % 3
            ].format(number)
            seen.answers[neighbour.ask("HEAD" if number % 2 else "GET", path)] += 1
        must(
            seen.answers[429] == MISSES - 60,
            f"misses were answered {dict(seen.answers)}",
        )
        guesser = _portal(stage, SHARED)
        statuses = [
            guesser.log_in(logins["ama"]["email"], f"guess {n}").status
            for n in range(7)
        ]
        must(
            statuses == [422] * 5 + [429] * 2, f"seven guesses were answered {statuses}"
        )
        for number in range(25):
            seen.answers[
                _insist(
                    lambda n=number: guesser.log_in(f"nobody{n}@nowhere.test", "guess")
                ).status
            ] += 1
        seen.answers.update(statuses)
        own = Stranger(stage.running, neighbour.url, dict(buyer.cookies), source=SHARED)
        polls = {own.ask("GET", f"/orders/{code}/status") for _ in range(MISSES)}
        must(polls == {200}, f"the own order page answered {polls}")
        must(
            own.ask("GET", f"/track?code={code}") == 303,
            "the own order is not found any more",
        )
        other = _insist(lambda: _portal(stage, SHARED).log_in(**logins["kofi"]))
        must(
            other.status == 303,
            f"kofi behind the same address reads {other.status}: {headline(other.text)}",
        )
        known.forget_session()
        again = _insist(lambda: known.log_in(**logins["ama"]))
        must(
            again.status == 303,
            f"ama's known device reads {again.status}: {headline(again.text)}",
        )
    seen.judge()
    return seen


def from_many_addresses(stage: Stage, seconds: float) -> Seen:
    """Fifty addresses guess one account and never wait; the person comes from an address nobody has
    seen."""
    seen = Seen(f"{GUESSERS} addresses guess one account")
    who = stage.running.facts["logins"]["ama"]
    with _watching(stage, seen), _guessing(stage, seen, lambda _n: who["email"]):
        began = time.monotonic()
        until(
            lambda: seen.answers[429] > GUESSERS,
            WARM_S,
            "all guessers are at it, and told to wait",
        )
        person, came = _portal(stage, "127.3.0.1"), time.monotonic()
        while seen.let_in_s is None:
            answer = person.log_in(**who)
            seen.pressed += 1
            if answer.status == 303:
                seen.let_in_s = time.monotonic() - came
                break
            must(
                answer.status in (429, 503),
                f"the right password reads {answer.status}: {headline(answer.text)}",
            )
            wait_s = int(
                {name.lower(): value for name, value in dict(answer.headers).items()}[
                    "retry-after"
                ]
            )
            must(wait_s <= 10, f"the person is told to wait {wait_s} s")
            must(
                time.monotonic() - came < LET_IN_S,
                f"not let in within {LET_IN_S:.0f} s, {seen.pressed} presses",
            )
            time.sleep(wait_s)
        time.sleep(max(0.0, began + seconds - time.monotonic()))
    must(seen.let_in_s <= LET_IN_S, f"let in only after {seen.let_in_s:.1f} s")
    must(
        set(seen.answers) <= {422, 429, 503},
        f"guessers were answered {dict(seen.answers)}",
    )
    seen.judge()
    return seen


def flood(stage: Stage, seconds: float) -> Seen:
    """Log-ins with invented e-mails, many at once, each from an address not seen before."""
    seen = Seen(f"a flood of log-ins, {AT_ONCE} at once")
    ends = time.monotonic() + seconds

    def pour(lane: int) -> None:
        number = 0
        while time.monotonic() < ends:
            guesser = _portal(
                stage, f"127.{20 + lane}.{number // 250}.{number % 250 + 1}"
            )
            number += 1
            try:
                seen.answers[
                    guesser.log_in(f"{lane}-{number}@nowhere.test", "guess").status
                ] += 1
            except _NO_ANSWER as error:
                seen.store_wrong.append(f"no answer to a log-in: {error!r}")

    with _watching(stage, seen):
        lanes = [
            threading.Thread(target=pour, args=(lane,), daemon=True)
            for lane in range(AT_ONCE)
        ]
        for lane in lanes:
            lane.start()
        for lane in lanes:
            lane.join(seconds + 2 * WAIT_S)
    must(
        set(seen.answers) <= {422, 503}, f"the flood was answered {dict(seen.answers)}"
    )
    must(
        seen.answers[503] > 0,
        "nobody was told that the log-in is busy: this was no flood",
    )
    seen.judge()
    return seen


def forget(stage: Stage) -> None:
    """Leave the stage as it was found: others log in there too."""
    with psycopg.connect(stage.running.facts["database_url"]) as connection:
        connection.execute("DELETE FROM login_counts")


@contextmanager
def _watching(stage: Stage, seen: Seen) -> Iterator[None]:
    """Somebody looks at the store page ten times a second."""
    customer = Customer.of(stage.running, "ama")
    seen.calm_ms = [customer.get("/").ms for _ in range(CALM_LOOKS)]
    over, began = threading.Event(), time.monotonic()

    def look() -> None:
        while not over.is_set():
            try:
                answer = customer.get("/")
            except _NO_ANSWER as error:
                seen.store_wrong.append(repr(error))
                continue
            seen.store_ms.append(answer.ms)
            if answer.status != 200:
                seen.store_wrong.append(f"{answer.status}: {headline(answer.text)}")
            over.wait(LOOK_EVERY_S)

    looker = threading.Thread(target=look, daemon=True)
    looker.start()
    try:
        yield
    finally:
        over.set()
        looker.join(WAIT_S)
        seen.took_s = time.monotonic() - began


@contextmanager
def _guessing(
    stage: Stage, seen: Seen, email_of: Callable[[int], str]
) -> Iterator[None]:
    over = threading.Event()

    def guess(number: int) -> None:
        guesser, tries = _portal(stage, f"127.2.0.{number + 1}"), 0
        while not over.wait(PAUSE_S):
            tries += 1
            try:
                seen.answers[
                    guesser.log_in(email_of(number), f"guess {tries}").status
                ] += 1
            except _NO_ANSWER as error:
                seen.store_wrong.append(f"no answer to a guess: {error!r}")

    guessers = [
        threading.Thread(target=guess, args=(number,), daemon=True)
        for number in range(GUESSERS)
    ]
    for thread in guessers:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in guessers:
            thread.join(WAIT_S)


def _insist(press: Callable[[], Answer]) -> Answer:
    """Press again while the log-in is busy, as its page says."""
    deadline = time.monotonic() + LET_IN_S
    answer = press()
    while answer.status == 503 and time.monotonic() < deadline:
        time.sleep(LOOK_EVERY_S)
        answer = press()
    return answer


def _portal(stage: Stage, source: str) -> Stranger:
    return Stranger(stage.running, stage.running.facts["portal_url"], source=source)


def main() -> int:
    """Every attack on a stage of its own; 0 when the store page stayed within its bound."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.proofs.guessing",
        description=(__doc__ or "").partition("\n")[0],
    )
    parser.add_argument(
        "--seconds", type=float, default=20.0, help="how long guessers and flood go on"
    )
    asked = parser.parse_args()
    try:
        with Stage(workers=1) as stage:
            for attack in (
                lambda: behind_one_address(stage),
                lambda: from_many_addresses(stage, asked.seconds),
                lambda: flood(stage, asked.seconds),
            ):
                for line in attack().lines():
                    print(line, flush=True)
                forget(stage)
    except Failed as failure:
        print(f"FAILED: {failure}", flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
