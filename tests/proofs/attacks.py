"""Attacks by anonymous connections, each while somebody looks at the store page all the time.

    python -m tests.proofs.attacks                        every attack on a stage of its own
    python -m tests.proofs.attacks --only half_bodies

Each prints what the store page answered meanwhile. Judged: every page came, within a second; the
attacker was told why, or cut off, when his time was over; and nothing that came in half was done.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import itertools
import os
import selectors
import signal
import socket
import struct
import sys
import threading
import time
from collections import Counter as Tally
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

from devkit import process_tree
from tests.proofs import frames, witness
from tests.proofs.stage import Stage
from tests.support.people import Agent, Customer, Visitor, form_of, some_number
from tests.support.running import Failed, must, until

MOST_MS = 1_000.0
"""The slowest the store page may be meanwhile; unscaled, a person waits."""
PROBE_S = 20
PAUSE_S = 0.02
DEADLINE_S = 10.0
"""What the server gives a head and a body, and a silent process."""
LATE_S = 4.0
"""How much later than its deadline something may be noticed, on two busy cores."""
SOCKETS, HELD_BODIES, HALF_HEADS = 8, 200, 1_000
STREAMS, TIMES = 4, 5
FLOOD_LINES, AHEAD, FLOOD_S, FLOOD_FROM = 60, 8, 5.0, "127.0.0.2"
AT_ONCE, MOST_MORE_MB = 20, 20
CUT_OFF = "did not arrive whole"


@dataclass
class Seen:
    """What the store page answered, in the order it was asked; 0 stands for no answer."""

    statuses: list[int] = field(default_factory=list)
    ms: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        told = ", ".join(
            f"{n} × {status or 'no answer'}"
            for status, n in sorted(Tally(self.statuses).items())
        )
        ranked = sorted(self.ms)
        return (
            f"store page: {told}; median {ranked[len(ranked) // 2]:.0f} ms, slowest"
            f" {ranked[-1]:.0f} ms"
        )


@dataclass
class Outcome:
    """One attack: what was done to the attacker, and what the store page answered meanwhile."""

    attack: str
    told: str
    page: Seen

    def __str__(self) -> str:
        return f"{self.attack:<14} {self.told}; {self.page}"

    def judge(self) -> None:
        """Raises `Failed` when the store page was away or slow."""
        must(
            len(self.page.ms) >= 10,
            f"{self.attack}: only {len(self.page.ms)} pages were asked for",
        )
        must(set(self.page.statuses) == {200}, f"{self.attack}: {self.page}")
        must(max(self.page.ms) <= MOST_MS, f"{self.attack}: {self.page}")


class Lookers:
    """Two people who load the store page again and again, each time on a new connection."""

    def __init__(self, stage: Stage) -> None:
        self.seen = Seen()
        self._stage = stage
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._look, daemon=True) for _ in range(2)
        ]

    def __enter__(self) -> Seen:
        for thread in self._threads:
            thread.start()
        return self.seen

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(2 * PROBE_S)

    def _look(self) -> None:
        host = self._stage.running.facts["store_urls"]["ama"].partition("://")[2]
        while not self._stop.wait(PAUSE_S):
            began, status = time.perf_counter(), 0
            line = http.client.HTTPConnection(
                self._stage.running.facts["web_address"], timeout=PROBE_S
            )
            try:
                line.request("GET", "/", headers={"Host": host, "Connection": "close"})
                answer = line.getresponse()
                answer.read()
                status = answer.status
            except (OSError, http.client.HTTPException):
                pass
            finally:
                line.close()
            self.seen.statuses.append(status)
            self.seen.ms.append((time.perf_counter() - began) * 1_000)


def half_bodies(stage: Stage) -> str:
    """Half a form at every door, eight sockets each, then two hundred more: each is told 408, and
    when."""
    return _held(
        stage,
        [(_half(*one), SOCKETS) for one in _doors(stage)]
        + [(_half(*_doors(stage)[0]), HELD_BODIES)],
    )


def half_heads(stage: Stage) -> str:
    """A thousand sockets with half a head."""
    return _held(
        stage, [(b"GET / HTTP/1.1\r\nHost: ama.localhost\r\nCook", HALF_HEADS)]
    )


def cut_streams(stage: Stage) -> str:
    """HTTP/2 without TLS: forms of which half the body comes, then the streams are reset, or the
    connection is."""
    store = stage.running.facts["store_urls"]["ama"].partition("://")[2]
    answered: Tally[str] = Tally()
    for number in range(TIMES):
        with _line(stage) as line:
            line.sendall(
                frames.preface()
                + b"".join(frames.half_stream(1 + 2 * n, store) for n in range(STREAMS))
            )
            answered[line.recv(12).decode("latin-1") or "closed"] += 1
            if number % 2:
                _cut(line)
    time.sleep(
        2 * MOST_MS / 1_000
    )  # what it did to the threads shows after the connections are gone
    must(
        all(word.startswith("HTTP/1.1 400") for word in answered),
        f"HTTP/2 was taken up: {answered}",
    )
    return f"{TIMES} connections of {STREAMS} streams each answered {dict(answered)}"


def cut_bodies(stage: Stage) -> str:
    """An order, a price, a log-in and a webhook of which the end is missing: told so, and nothing
    is done."""
    before = _records(stage)
    told: Tally[int] = Tally()
    for visitor, path, body, missing in _forms(stage):
        for reset in (False, True):
            with _line(stage) as line:
                line.sendall(_head(visitor, path, len(body)) + body[:-missing])
                if reset:
                    _cut(line)
                    continue
                line.shutdown(socket.SHUT_WR)
                answer = http.client.HTTPResponse(line)
                answer.begin()
                must(
                    CUT_OFF in answer.read().decode(),
                    f"{path}: it was not said that the form was cut off",
                )
                told[answer.status] += 1
    must(set(told) == {400}, f"cut-off forms were answered {dict(told)}")
    time.sleep(MOST_MS / 1_000)  # a form that was taken would be done by now
    after = _records(stage)
    must(
        after == before, f"something was done with half a form: {before} became {after}"
    )
    return f"{told.total()} cut-off forms answered 400, {told.total()} reset; nothing was done"


def frozen_worker(stage: Stage) -> str:
    """One web process is stopped (SIGSTOP): the others answer, and it is replaced."""
    main, frozen, *others = stage.pids("web")
    began = time.monotonic()
    os.kill(frozen, signal.SIGSTOP)
    until(
        lambda: not process_tree.is_alive(frozen),
        DEADLINE_S + LATE_S,
        "the frozen web process is gone",
    )
    gone_s = time.monotonic() - began
    wanted = 2 + len(others)
    until(
        lambda: len(now := stage.pids("web")) == wanted and frozen not in now,
        LATE_S,
        "it is replaced",
    )
    must(stage.pids("web")[0] == main, "the main web process ended too")
    return (
        f"killed after {gone_s:.1f} s, replaced after {time.monotonic() - began:.1f} s"
    )


def page_flood(stage: Stage) -> str:
    """Sixty connections of one address ask for the store page, eight times ahead, as fast as they
    are answered."""
    host, _, port = stage.running.facts["web_address"].partition(":")
    store = stage.running.facts["store_urls"]["ama"].partition("://")[2]
    ask = f"GET / HTTP/1.1\r\nHost: {store}\r\n\r\n".encode()
    answers: Tally[str] = Tally()
    over = time.monotonic() + FLOOD_S
    with ExitStack() as stack, selectors.DefaultSelector() as ready:

        def opens() -> None:
            line = stack.enter_context(
                socket.create_connection((host, int(port)), PROBE_S, (FLOOD_FROM, 0))
            )
            line.sendall(ask * AHEAD)
            ready.register(line, selectors.EVENT_READ)

        for _ in range(FLOOD_LINES):
            opens()
        while time.monotonic() < over:
            for key, _ in ready.select(0.1):
                line = key.fileobj
                assert isinstance(line, socket.socket)
                heads = line.recv(1 << 20).count(b"HTTP/1.1 ")
                answers["answered"] += heads
                line.sendall(ask * heads)
    return f"{FLOOD_LINES} connections were answered {answers['answered']} times in {FLOOD_S:.0f} s"


def large_heads(stage: Stage) -> str:
    """Twenty connections at a time send a query of 1 MB, two hundred headers of 1 KB, or a cookie of
    100 KB: each is told 431, and nothing more of it is read."""
    store = stage.running.facts["store_urls"]["ama"].partition("://")[2]
    ends = (
        (f"/?q={'x' * 1_000_000}", ""),
        ("/", "".join(f"X-{at}: {'x' * 1_000}\r\n" for at in range(200))),
        ("/", f"Cookie: a={'x' * 100_000}\r\n"),
    )
    heads = [
        f"GET {path} HTTP/1.1\r\nHost: {store}\r\n{more}\r\n".encode()
        for path, more in ends
    ]
    answers = _ask_for_a_while(stage, itertools.cycle(heads))
    # one that sent on after it was refused may have lost the answer
    must(set(answers) <= {"431", ""} and answers["431"], f"large_heads: {answers}")
    return f"{answers['431']} of {sum(answers.values())} told 431"


def made_up_hosts(stage: Stage) -> str:
    """Twenty connections at a time ask for the front page of shops that are not there, another name
    each time: 404, and the web processes remember none of them."""
    names = (
        f"GET / HTTP/1.1\r\nHost: no-{at}.localhost\r\n\r\n".encode()
        for at in itertools.count()
    )
    before = _resident_kb(stage)
    answers = _ask_for_a_while(stage, names)
    more_mb = (_resident_kb(stage) - before) / 1_024
    must(set(answers) == {"404"}, f"made_up_hosts: {answers}")
    must(more_mb <= MOST_MORE_MB, f"the web processes grew by {more_mb:.0f} MB")
    a_second = answers["404"] / FLOOD_S
    return f"{a_second:.0f} hosts a second told 404, {more_mb:.1f} MB more"


def _ask_for_a_while(stage: Stage, heads: Iterator[bytes]) -> Tally[str]:
    """Send one head after the other, each on a connection of its own; which status came how often.
    The empty one: the connection was ended without."""
    host, _, port = stage.running.facts["web_address"].partition(":")
    answers: Tally[str] = Tally()
    over = time.monotonic() + FLOOD_S
    with selectors.DefaultSelector() as ready:

        def opens() -> None:
            line = socket.create_connection((host, int(port)), PROBE_S, (FLOOD_FROM, 0))
            with contextlib.suppress(OSError):  # refused before all of it was sent
                line.sendall(next(heads))
            ready.register(line, selectors.EVENT_READ)

        for _ in range(AT_ONCE):
            opens()
        while ready.get_map():
            for key, _ in ready.select(0.1):
                line = key.fileobj
                assert isinstance(line, socket.socket)
                ready.unregister(line)
                answers[_status(line)] += 1
                line.close()
                if time.monotonic() < over:
                    opens()
    return answers


def _status(line: socket.socket) -> str:
    try:
        return line.recv(1 << 16)[9:12].decode()
    except OSError:
        return ""


def _resident_kb(stage: Stage) -> int:
    """Memory of all web processes."""
    found = 0
    for pid in stage.pids("web"):
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
        found += int(status.partition("VmRSS:")[2].split()[0])
    return found


ATTACKS: dict[str, Callable[[Stage], str]] = {
    "half_bodies": half_bodies,
    "half_heads": half_heads,
    "cut_streams": cut_streams,
    "cut_bodies": cut_bodies,
    "frozen_worker": frozen_worker,
    "page_flood": page_flood,
    "large_heads": large_heads,
    "made_up_hosts": made_up_hosts,
}


def run(stage: Stage, attacks: Sequence[str]) -> Iterator[Outcome]:
    """One attack after the other on a running stage. Raises `Failed` at what must not be."""
    for name in attacks:
        with Lookers(stage) as seen:
            told = ATTACKS[name](stage)
        outcome = Outcome(name, told, seen)
        yield outcome
        outcome.judge()


def _held(stage: Stage, halves: Sequence[tuple[bytes, int]]) -> str:
    """Send halves and nothing more; how long each connection lived, and what it was told."""
    with ExitStack() as stack:
        began = time.monotonic()
        lines = []
        for half, count in halves:
            for _ in range(count):
                line = stack.enter_context(_line(stage))
                line.sendall(half)
                lines.append(line)
        sent_s = time.monotonic() - began
        told: Tally[str] = Tally()
        for line in lines:
            line.settimeout(
                max(0.1, began + sent_s + DEADLINE_S + LATE_S - time.monotonic())
            )
            try:
                told[line.recv(12).decode("latin-1") or "closed"] += 1
            except TimeoutError:
                told["still held"] += 1
            except ConnectionResetError:
                told["closed"] += 1
        took_s = time.monotonic() - began
    must(
        not told["still held"],
        f"{told['still held']} of {len(lines)} were still held after {took_s:.1f} s",
    )
    must(
        set(told) <= {"HTTP/1.1 408", "HTTP/1.1 503", "closed"},
        f"they were told {dict(told)}",
    )
    return f"{len(lines)} sockets told {dict(told)} within {took_s:.1f} s"


def _doors(stage: Stage) -> list[tuple[Visitor, str]]:
    facts = stage.running.facts
    hook = facts["webhook_url"].partition("://")[2]
    return [
        (Customer.of(stage.running, "ama"), "/orders"),
        (Visitor(stage.running, facts["portal_url"]), "/login"),
        (Visitor(stage.running, facts["console_url"]), "/login"),
        (
            Visitor(stage.running, f"http://{hook.partition('/')[0]}"),
            "/" + hook.partition("/")[2],
        ),
    ]


def _forms(stage: Stage) -> list[tuple[Visitor, str, bytes, int]]:
    """Forms that would be taken if they were whole, and how much of the end is left out."""
    customer = Customer.of(stage.running, "ama")
    order = urlencode(customer.filled_form(customer.shelf()[0], some_number())).encode()
    agent = Agent.logged_in(stage.running, "ama")
    fields = list(form_of(agent.get("/prices").text, "/prices"))
    price = next(name for name, _ in fields if name.startswith("price"))
    prices = urlencode(
        [*(one for one in fields if one[0] != price), (price, "133.70")]
    ).encode()
    hook, hook_path = _doors(stage)[3]
    event = b'{"event":"order.completed","data":{"reference":"MK-CUT","status":"completed"}}'
    return [
        (customer, "/orders", order, 1),
        (agent, "/prices", prices, 3),
        (hook, hook_path, event, 1),
    ]


def _records(stage: Stage) -> list[tuple[object, ...]]:
    query = (
        "SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM webhook_events), "
        "(SELECT md5(string_agg(l::text, '' ORDER BY l::text)) FROM store_bundles l)"
    )
    return witness.rows(stage, query)


def _head(visitor: Visitor, path: str, length: int) -> bytes:
    call = visitor.call("POST", path, [])
    lines = "".join(f"{name}: {value}\r\n" for name, value in call.headers.items())
    return f"POST {path} HTTP/1.1\r\n{lines}Content-Length: {length}\r\n\r\n".encode()


def _half(visitor: Visitor, path: str) -> bytes:
    return _head(visitor, path, 1_000) + b"x" * 500


def _line(stage: Stage) -> socket.socket:
    host, _, port = stage.running.facts["web_address"].partition(":")
    return socket.create_connection((host, int(port)), timeout=PROBE_S)


def _cut(line: socket.socket) -> None:
    """End it without goodbye: the other end gets a reset."""
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def main() -> int:
    """Run the attacks on a stage of their own; 0 when the store page stayed up through all of
    them."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.proofs.attacks",
        description=(__doc__ or "").partition("\n")[0],
    )
    parser.add_argument("--only", nargs="+", choices=ATTACKS, default=tuple(ATTACKS))
    asked = parser.parse_args()
    try:
        with Stage(workers=1) as stage:
            for outcome in run(stage, asked.only):
                print(outcome, flush=True)
    except Failed as failure:
        print(f"FAILED: {failure}", flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
