"""The two processes of `up`: a front that the person sees and a runner that owns everything else.

The runner stops in good order when the pipe from the front closes, and it closes however the front
ends: Ctrl-C, TERM, a closed terminal, or SIGKILL, after which no code of the front runs. Should the
runner itself be killed, the front inherits the orphans and ends them. So each watches the other,
and neither death leaves a process behind.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from types import FrameType

import supervision
from devkit import process_tree

ORPHANS_WAIT_S = 5
RUNNER_WAIT_S = 25  # longer than a whole orderly stop; a runner that takes longer hangs


def run(body: Callable[[int], int], after_kill: Callable[[], None]) -> int:
    """Fork; run `body(fd)` in the child, where `fd` reaches its end when this process is gone or
    told to stop.

    Returns the exit status of `body`, or 1 when the runner was killed: then `after_kill` tidies up
    for it.
    """
    reading, writing = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    runner = os.fork()
    if runner == 0:
        os.close(writing)
        # Ctrl-C reaches the front alone, and the runner takes the orderly way
        os.setsid()
        os._exit(_guarded(body, reading))
    os.close(reading)
    process_tree.adopt_orphans()
    asked_at: list[float] = []

    def ask_to_stop(_signum: int, _frame: FrameType | None) -> None:
        if not asked_at:
            os.close(writing)
        asked_at.append(time.monotonic())

    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, ask_to_stop)
    status = _wait_for(runner, asked_at)
    _end_orphans()
    if status < 0:
        after_kill()
        return 1
    return status


def _guarded(body: Callable[[int], int], fd: int) -> int:
    try:
        status = body(fd)
    except BaseException:  # noqa: BLE001 the fork must end here whatever happened
        traceback.print_exc()
        status = 1
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:  # nobody listens any more
            pass
    return status


def _wait_for(runner: int, asked_at: list[float]) -> int:
    while True:
        pid, status = os.waitpid(runner, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        if asked_at and time.monotonic() - asked_at[0] > RUNNER_WAIT_S:
            supervision.send(runner, signal.SIGKILL)
        time.sleep(0.05)


def _end_orphans() -> None:
    """End what a killed runner left; after an orderly stop there is nothing."""
    told: set[int] = set()
    deadline = time.monotonic() + ORPHANS_WAIT_S
    while left := process_tree.descendants(os.getpid()):
        if time.monotonic() > deadline + 2:
            return
        for pid in left:
            if time.monotonic() > deadline:
                supervision.send(pid, signal.SIGKILL)
            # once: a second INT makes some servers skip their orderly end
            elif pid not in told:
                supervision.send(pid, signal.SIGINT)
                told.add(pid)
        _collect()
        time.sleep(0.1)


def _collect() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
