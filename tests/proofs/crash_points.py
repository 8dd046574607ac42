"""Stopping a process after any statement of a road through the code, at points that a tracer lists.

Decides what a point is, which points differ for the world outside the process, and how a child
process is stopped at one. What the road does and what must be true afterwards is the business of
`tests/proofs/test_crash_points.py`.

A point lies before a line of the road, at a function's return, after a statement sent to the
database, or before its commit: stopping there means that everything before it has happened. Two
neighbours are the same for the outside world when no byte went to the supplier and nothing was
written, locked or committed between them; the tracer itself counts that, and `one_for_each_effect`
keeps one of such neighbours. `python -m tests.proofs.crash_points --all` tries every point.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from sqlalchemy import Engine, event

ROOT = Path(__file__).resolve().parents[2]
ROAD = (
    "core/",
    "fulfilment/",
    "integrations/datamart/",
    "integrations/calls.py",
    "integrations/http.py",
    "integrations/strict_json.py",
)
NOT_THE_ROAD = (
    "core/base/clock.py",
    "core/base/config.py",
    "core/base/cursors.py",
    "core/base/environment.py",
    "core/base/money.py",
    "core/base/phones.py",
    "core/base/tenancy.py",
)
"""Each line that runs in the files of the first is a point, but for those that only compute: how
often `cursors` is asked for a column depends on which statements SQLAlchemy still remembers."""

STOPPED, NEVER_CAME, BROKE = 77, 0, 78
_SQL = "sql: "
_WRITES = ("INSERT", "UPDATE", "DELETE")
_LOCKS = ("ADVISORY_LOCK", "FOR UPDATE", "FOR NO KEY UPDATE")
_PARTS_OF = "WITH "
"""So begins a statement whose parts may write."""
_WIRE = frozenset({"connection.connect_tcp.complete", "http11.send_request_headers.complete",
                   "http11.send_request_body.complete"})  # fmt: skip
"""Steps of a call after which the supplier knows more than before."""
_CHILD_S = 30.0


@dataclass(frozen=True)
class Point:
    """One place to stop, the `nth` time the road comes by; `effects` is what the world had seen by
    then."""

    where: str
    nth: int
    effects: tuple[int, int, int]
    """Bytes to the supplier, statements that wrote or locked, commits."""


class Tracer:
    """Lists the points of a run, or stops the process at one. Use it in a child: it never gives the
    process back."""

    def __init__(
        self, engine: Engine, stop_at: Point | None = None, *, freeze: bool = False
    ) -> None:
        self.points: list[Point] = []
        self._engine = engine
        self._stop_at = stop_at
        self._freeze = freeze
        self._seen: Counter[str] = Counter()
        self._wire = self._written = self._committed = 0
        files = [
            path
            for place in ROAD
            for path in (
                [ROOT / place]
                if place.endswith(".py")
                else (ROOT / place).rglob("*.py")
            )
        ]
        names = {path: path.relative_to(ROOT).as_posix() for path in files}
        self._files = {
            str(path): name for path, name in names.items() if name not in NOT_THE_ROAD
        }

    def start(self) -> None:
        event.listen(self._engine, "after_cursor_execute", self._after_statement)
        event.listen(self._engine, "commit", self._before_commit)
        if self._stop_at is None:
            sys.settrace(self._enter)
        elif not self._stop_at.where.startswith(_SQL):
            sys.settrace(self._look_for(*self._stop_at.where.split(":")[:2]))

    def _enter(self, frame: FrameType, _what: str, _value: Any) -> Any:
        name = self._files.get(frame.f_code.co_filename)
        if name is None:
            return None
        if (
            name == "integrations/http.py"
            and frame.f_code.co_name == "trace"
            and frame.f_locals["name"] in _WIRE
        ):
            self._wire += 1
        return self._step

    def _look_for(self, name: str, function: str) -> Any:
        """Like `_enter`, for one function only: the rest of the run is hardly slowed down."""
        file = str(ROOT / name)

        def enter(frame: FrameType, _what: str, _value: Any) -> Any:
            code = frame.f_code
            return (
                self._step
                if code.co_filename == file and code.co_qualname == function
                else None
            )

        return enter

    def _step(self, frame: FrameType, what: str, _value: Any) -> Any:
        if what in ("line", "return"):
            code = frame.f_code
            place = (
                f"{frame.f_lineno}" if what == "line" else f"{frame.f_lineno} return"
            )
            self._reach(f"{self._files[code.co_filename]}:{code.co_qualname}:{place}")
        return self._step

    def _after_statement(
        self, _connection: Any, _cursor: Any, statement: str, *_more: Any
    ) -> None:
        text = statement.upper()
        writes = text.startswith(_WRITES) or (
            text.startswith(_PARTS_OF) and any(f"({word} " in text for word in _WRITES)
        )
        if writes or any(word in text for word in _LOCKS):
            self._written += 1
        self._reach(_SQL + " ".join(statement.split()[:3]))

    def _before_commit(self, _connection: Any) -> None:
        self._reach(_SQL + "before COMMIT")
        self._committed += 1

    def _reach(self, where: str) -> None:
        self._seen[where] += 1
        nth, stop_at = self._seen[where], self._stop_at
        if stop_at is None:
            self.points.append(
                Point(where, nth, (self._wire, self._written, self._committed))
            )
        elif stop_at.where == where and stop_at.nth == nth:
            if not self._freeze:
                os._exit(STOPPED)
            os.kill(os.getpid(), signal.SIGSTOP)


def points_of(engine: Engine, act: Callable[[], None]) -> list[Point]:
    """Every point `act` comes by, found by running it once in a child that lives to the end."""
    reader, writer = os.pipe()

    def list_points() -> None:
        tracer = Tracer(engine)
        tracer.start()
        try:
            act()
        finally:
            sys.settrace(None)
        with os.fdopen(writer, "w") as out:
            json.dump([asdict(point) for point in tracer.points], out)

    pid = _fork(engine, list_points, (reader,))
    os.close(writer)
    with os.fdopen(reader) as source:
        listed = source.read()
    status = _end_of(pid)
    if status != 0:
        raise RuntimeError(f"the run that lists the points ended with {status}")
    return [
        Point(one["where"], one["nth"], tuple(one["effects"]))
        for one in json.loads(listed)
    ]


def stopped_at(engine: Engine, act: Callable[[], None], point: Point) -> bool:
    """Run `act` in a child that is stopped at `point`. False when it never came by."""

    def run_into() -> None:
        Tracer(engine, point).start()
        act()

    status = _end_of(_fork(engine, run_into))
    if status not in (STOPPED, NEVER_CAME):
        raise RuntimeError(f"{point.where}: the child ended with {status}")
    return status == STOPPED


@contextmanager
def frozen_at(
    engine: Engine, act: Callable[[], None], point: Point
) -> Iterator[Callable[[], int]]:
    """Run `act` in a child that is frozen (SIGSTOP) at `point`; the yielded call lets it go on and
    gives its exit status.

    Raises `RuntimeError` when it never came by.
    """

    def run_into() -> None:
        Tracer(engine, point, freeze=True).start()
        act()

    pid = _fork(engine, run_into)
    ended: list[int] = []

    def go_on() -> int:
        os.kill(pid, signal.SIGCONT)
        ended.append(_end_of(pid))
        return ended[0]

    try:
        status = _wait(pid, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            ended.append(os.waitstatus_to_exitcode(status))
            raise RuntimeError(
                f"{point.where}: the child was never frozen and ended with {ended[0]}"
            )
        yield go_on
    finally:
        if not ended:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def one_for_each_effect(
    points: Sequence[Point], *, rolled_back_too: bool
) -> list[Point]:
    """The last point before each new effect on the world outside, and the very last one.

    Points that are left out differ from the one kept in nothing but the memory of the process that
    dies. Without `rolled_back_too`, nor in anything but statements of a transaction that dies with
    it.
    """

    def effects(point: Point) -> tuple[int, ...]:
        return (
            point.effects if rolled_back_too else (point.effects[0], point.effects[2])
        )

    return [
        point
        for point, following in zip(points, [*points[1:], None], strict=True)
        if following is None or effects(following) != effects(point)
    ]


def _fork(engine: Engine, act: Callable[[], None], close: Sequence[int] = ()) -> int:
    """A child with connections of its own that does `act` and ends; nothing of the parent's is
    closed or flushed."""
    pid = os.fork()
    if pid:
        return pid
    status = BROKE
    try:
        for number in close:
            os.close(number)
        # kept: what is dropped would be closed, and it is the parent's
        parents = engine.pool
        engine.dispose(close=False)
        gc.disable()  # it would touch, and so copy, every page of the parent's memory
        act()
        status = NEVER_CAME if parents is not engine.pool else BROKE
    except BaseException:  # noqa: BLE001 - told to the parent by the exit status
        traceback.print_exc()
    finally:
        os._exit(status)


def _end_of(pid: int) -> int:
    """The exit status of a child, which is killed when it does not end by itself."""
    return os.waitstatus_to_exitcode(_wait(pid, 0))


def _wait(pid: int, options: int) -> int:
    deadline = time.monotonic() + _CHILD_S
    while time.monotonic() < deadline:
        found, status = os.waitpid(pid, os.WNOHANG | options)
        if found:
            return status
        time.sleep(0.002)
    os.kill(pid, signal.SIGKILL)
    return os.waitpid(pid, 0)[1]


def main(words: Sequence[str]) -> int:
    """Every point, without leaving out neighbours that only differ in memory."""
    if list(words) != ["--all"]:
        sys.exit(
            "python -m tests.proofs.crash_points --all   (the short form is pytest"
            " tests/proofs/test_crash_points.py)"
        )
    return subprocess.call(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "--timeout",
            "7200",
            "tests/proofs/test_crash_points.py",
        ],
        cwd=ROOT,
        env=os.environ | {"CRASH_POINTS": "all"},
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
