"""The supervisor: what dies is started again, what hangs is killed, what stops takes everything
with it.

Its children are real processes; only the command they run is a stand-in.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from flask import Flask

from core.base import clock, config
from operations import supervise
from operations.supervise import Child
from operations.worker import BUSY_VARIABLE
from tests.support.settings import Using

pytestmark = pytest.mark.slow(seconds=0.2)

SLEEPER = ["sleep", "120"]
DEAF = [
    sys.executable,
    "-c",
    (
        "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True);"
        " time.sleep(120)"
    ),
]
ROOT = Path(__file__).parents[2]


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and was not yet collected does not."""
    try:
        return (
            Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            not in "ZX"
        )
    except FileNotFoundError:
        return False


def until(condition: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.01)


def pids(path: Path) -> dict[str, list[int]]:
    try:
        found: dict[str, list[int]] = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    return found


class Run:
    """A supervisor in a thread of its own."""

    def __init__(self, workers: int, pids_file: Path | None) -> None:
        self.stop = threading.Event()
        self.thread = threading.Thread(
            target=supervise.run, args=(workers, pids_file, self.stop)
        )
        self.thread.start()

    def end(self) -> None:
        self.stop.set()
        self.thread.join(30)
        assert not self.thread.is_alive()


@pytest.fixture
def start(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Run]]:
    runs: list[Run] = []

    def begin(
        workers: int, pids_file: Path | None = None, command: list[str] = SLEEPER
    ) -> Run:
        monkeypatch.setattr(supervise, "_flask", lambda _command: command)
        runs.append(Run(workers, pids_file))
        return runs[-1]

    yield begin
    for run in runs:
        run.end()


@pytest.fixture
def children() -> Iterator[Callable[..., Child]]:
    """Children kept by hand, ended after the test whatever happened."""
    made: list[Child] = []

    def make(
        command: list[str], role: str = "worker", busy_file: Path | None = None
    ) -> Child:
        made.append(Child(role, command, busy_file))
        return made[-1]

    yield make
    for child in made:
        if child.process is not None:
            child.process.kill()
            child.process.wait()


def pid_of(child: Child) -> int:
    assert child.process is not None
    return child.process.pid


def test_who_runs_is_written_down_and_a_killed_worker_is_started_again(
    start: Callable[..., Run], tmp_path: Path
) -> None:
    path = tmp_path / "pids.json"
    run = start(2, path)
    until(lambda: len(pids(path).get("worker", [])) == 2 and pids(path)["relay"])
    before = pids(path)
    assert before["supervise"] == [os.getpid()]
    everyone = [*before["relay"], *before["worker"]]
    assert all(alive(pid) for pid in everyone)

    os.kill(before["worker"][0], signal.SIGKILL)
    until(
        lambda: (
            pids(path)["worker"][0] not in (before["worker"][0],)
            and len(pids(path)["worker"]) == 2
        )
    )
    after = pids(path)
    assert (after["relay"], after["worker"][1]) == (
        before["relay"],
        before["worker"][1],
    )
    assert alive(after["worker"][0])

    run.end()
    assert not any(alive(pid) for pid in {*everyone, *after["worker"]})
    assert not path.exists()


def test_each_worker_has_a_mark_of_its_own_and_the_relay_none(
    start: Callable[..., Run], tmp_path: Path
) -> None:
    path = tmp_path / "pids.json"
    start(2, path)
    until(lambda: len(pids(path).get("worker", [])) == 2 and pids(path)["relay"])

    def mark(pid: int) -> str | None:
        lines = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
        return dict(line.partition("=")[::2] for line in lines).get(BUSY_VARIABLE)

    # the child has become its program
    until(lambda: mark(pids(path)["worker"][1]) is not None)
    assert len({mark(pid) for pid in pids(path)["worker"]} - {None}) == 2
    assert mark(pids(path)["relay"][0]) == os.environ.get(BUSY_VARIABLE)


def test_without_a_file_for_pids_it_runs_all_the_same(
    start: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int] = []
    keep = supervise._keep

    def watched(child: Child) -> bool:
        changed = keep(child)
        if changed:
            started.append(pid_of(child))
        return changed

    monkeypatch.setattr(supervise, "_keep", watched)
    run = start(1)
    until(lambda: len(started) == 2)
    run.end()
    assert not any(alive(pid) for pid in started)


@pytest.fixture
def hands(app: Flask, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A clock for the supervisor alone, moved by hand."""
    clock = SimpleNamespace(at=1_000.0, monotonic=lambda: clock.at, time=time.time)
    monkeypatch.setattr(supervise, "time", clock)
    return clock


def test_a_child_that_keeps_dying_is_started_ever_more_slowly(
    children: Callable[..., Child], hands: SimpleNamespace
) -> None:
    child = children(["false"])
    waited = []
    for _ in range(7):
        assert supervise._keep(child)  # started
        assert child.process is not None
        child.process.wait()
        assert not supervise._keep(child)  # seen dead, and not yet started again
        begun = hands.at
        while child.process is None and not supervise._keep(child):
            hands.at += 0.1
        waited.append(round(hands.at - begun, 1))
        assert child.process is not None
        child.process.wait()
        child.process = None
    assert waited == pytest.approx([0.2, 0.5, 1.0, 2.0, 5.0, 5.0, 5.0], abs=0.11)


def test_a_child_that_lived_long_is_started_again_at_once(
    children: Callable[..., Child], hands: SimpleNamespace
) -> None:
    child = children(SLEEPER)
    child.backoff.failures = 3
    assert supervise._keep(child)
    first = pid_of(child)
    assert not supervise._keep(child)
    hands.at += 11
    os.kill(first, signal.SIGKILL)
    assert child.process is not None
    child.process.wait()
    assert supervise._keep(child)
    assert (pid_of(child) != first, child.backoff.failures) == (True, 0)


def test_a_worker_busy_longer_than_any_job_is_killed_and_its_mark_removed(
    children: Callable[..., Child], hands: SimpleNamespace, tmp_path: Path
) -> None:
    settings = config.current()
    longest = settings.job_timeout_s + settings.supervise_grace_s
    mark = tmp_path / "busy"
    child = children(SLEEPER, busy_file=mark)
    supervise._keep(child)
    first = pid_of(child)

    assert not supervise._keep(child)  # idle: no mark
    mark.write_text(str(clock.steady_s() - longest + 10))
    assert not supervise._keep(child)
    assert alive(first)

    mark.write_text(str(clock.steady_s() - longest - 1))
    hands.at += 11
    assert supervise._keep(child)
    assert not alive(first)
    assert pid_of(child) != first
    assert not mark.exists()


def test_the_relay_has_no_mark_and_is_never_taken_for_hung(
    children: Callable[..., Child], hands: SimpleNamespace
) -> None:
    child = children(SLEEPER, role="relay")
    supervise._keep(child)
    hands.at += 100_000
    assert not supervise._keep(child)
    assert alive(pid_of(child))


def test_a_child_deaf_to_term_is_killed_when_a_job_s_time_is_over(
    children: Callable[..., Child],
    app: Flask,
    monkeypatch: pytest.MonkeyPatch,
    using: Using,
) -> None:
    using(job_timeout_s=0)
    monkeypatch.setattr(supervise, "_STOP_EXTRA_S", 0.3)
    deaf, never_started = children(DEAF), children(SLEEPER)
    deaf.process = subprocess.Popen(DEAF, stdout=subprocess.PIPE)
    assert deaf.process.stdout is not None
    deaf.process.stdout.readline()
    deaf.process.stdout.close()
    supervise._end([deaf, never_started])
    assert deaf.process.returncode == -signal.SIGKILL


def test_children_end_with_a_supervisor_that_is_killed(
    tmp_path: Path, app: Flask
) -> None:
    path = tmp_path / "pids.json"
    program = textwrap.dedent(f"""
        import dataclasses, threading
        from pathlib import Path
        from core.base import config
        from operations import supervise
        config.use(config.Config("x", "x", "x", "x", "x", "x", "x", "x"))
        supervise._flask = lambda command: {SLEEPER!r}
        supervise.run(2, Path({str(path)!r}), threading.Event())
    """)
    # what a kill leaves behind goes with the test
    here = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", program], env=here, cwd=ROOT, stdout=subprocess.DEVNULL
    ) as supervisor:
        until(lambda: len(pids(path).get("worker", [])) == 2)
        everyone = [*pids(path)["relay"], *pids(path)["worker"]]
        assert all(alive(pid) for pid in everyone)
        supervisor.kill()
    until(lambda: not any(alive(pid) for pid in everyone))


def test_the_commands_are_those_of_the_application() -> None:
    assert supervise._flask("relay")[1:] == ["-m", "flask", "--app", "wsgi", "relay"]


def test_a_wall_clock_set_forward_kills_no_worker(
    children: Callable[..., Child],
    hands: SimpleNamespace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mark = tmp_path / "busy"
    child = children(SLEEPER, busy_file=mark)
    supervise._keep(child)
    mark.write_text(str(clock.steady_s()))
    monkeypatch.setattr(clock, "offset_source", lambda: 3_600.0)
    os.utime(mark, (mark.stat().st_mtime - 3_600,) * 2)
    assert not supervise._keep(child)
    assert alive(pid_of(child))
