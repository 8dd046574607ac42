"""Several servers under the same load, in turns, so that a busy machine is busy for all of them.

A target gets the same number of requests a second in each round. A latency counts from the moment
at which its request was due, so a server that stalls is not spared the requests it held up.
"""

from __future__ import annotations

import http.client
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil

from devkit import daemons, process_tree
from tests.proofs import ROOT

GRANIAN = (
    "granian", "--interface", "wsgi", "--no-ws", "--factory", "--workers", "1",
    "--blocking-threads", "4", "--log-level", "warning",
)  # fmt: skip
FRONT = ("benchmarks.thin",)
GTHREAD = (
    "gunicorn",
    "--worker-class",
    "gthread",
    "--workers",
    "1",
    "--threads",
    "4",
    "--log-level",
    "warning",
)
READY_S = 20
CONNECTIONS = 4


@dataclass
class Target:
    """A server, the process it is known by, and what is sent there. `ms` and `cpu_us` grow with
    each round."""

    name: str
    address: str
    pid: int
    request: Callable[[int], tuple[str, bytes]]
    """Path and body of the n-th request."""
    expects: int
    ms: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    """CPU time of the server's processes for each request, one figure a round."""

    def quantile_ms(self, share: float) -> float:
        return sorted(self.ms)[min(int(len(self.ms) * share), len(self.ms) - 1)]


def measure(
    targets: Sequence[Target], rounds: int, seconds: float, rate: float
) -> None:
    """`rounds` times `seconds` at `rate` requests a second for each target in turn; the first round
    warms up only."""
    sent = 0
    for number in range(rounds + 1):
        for target in targets:
            before = cpu_s(target.pid)
            ms = _load(target, seconds, rate, sent)
            sent += len(ms)
            if number:
                target.ms += ms
                target.cpu_us.append((cpu_s(target.pid) - before) / len(ms) * 1e6)


@contextmanager
def server(words: Sequence[str], factory: str) -> Iterator[tuple[str, int]]:
    """A server of the empty view: its address and process."""
    port = daemons.free_port()
    bind = (
        ("--bind", f"127.0.0.1:{port}", factory)
        if words[0] == "gunicorn"
        else (str(port),)
    )
    command = [sys.executable, "-m", *words, *bind]
    with served(command, port, answers) as (address, pid):
        yield address, pid


@contextmanager
def served(
    command: Sequence[str],
    port: int,
    is_ready: Callable[[int], bool],
    env: Mapping[str, str] | None = None,
) -> Iterator[tuple[str, int]]:
    """A process that serves at this port, until the block ends: its address and number."""
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=None if env is None else dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    try:
        if not daemons.until(lambda: is_ready(port), READY_S):
            raise RuntimeError(f"{command} did not get ready")
        yield f"127.0.0.1:{port}", process.pid
    finally:
        process.terminate()
        process.wait(READY_S)


def _load(target: Target, seconds: float, rate: float, first: int) -> list[float]:
    """Milliseconds of each answer. Raises `RuntimeError` at one that is not as expected."""
    count, taken, lock = (
        int(seconds * rate),
        iter(range(int(seconds * rate))),
        threading.Lock(),
    )
    ms: list[float] = []
    wrong: list[object] = []
    began = time.perf_counter()

    def connection() -> None:
        line = http.client.HTTPConnection(target.address, timeout=30)
        while not wrong:
            with lock:
                number = next(taken, None)
            if number is None:
                break
            due = began + number / rate
            path, body = target.request(first + number)
            time.sleep(max(0.0, due - time.perf_counter()))
            line.request("POST", path, body, {"Content-Type": "application/json"})
            answer = line.getresponse()
            answer.read()
            ms.append((time.perf_counter() - due) * 1_000)
            if answer.status != target.expects:
                wrong.append(answer.status)
        line.close()

    threads = [threading.Thread(target=connection) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong or len(ms) != count:
        raise RuntimeError(f"{target.name}: {len(ms)} of {count} answers, {wrong[:1]}")
    return ms


def cpu_s(pid: int) -> float:
    total = 0.0
    for one in (pid, *process_tree.descendants(pid)):
        try:
            spent = psutil.Process(one).cpu_times()
        except psutil.Error:
            continue
        total += spent.user + spent.system
    return total


def answers(port: int) -> bool:
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        line.request("GET", "/")
        return line.getresponse().status == 204
    except OSError:
        return False
    finally:
        line.close()
