"""What everybody who keeps processes alive has in common: the tie of a child to its parent, a
signal for who may be gone already, and how soon what ended is started again.

Decides that alone. How a child is started and heard differs, and stays with its keeper: web
processes are forked and beat on pipes (`http_server.master`), workers are programs that leave a
mark while they are busy (`operations.supervise`), `up` hears the lines of all of them
(`devkit.processes`).
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

PR_SET_PDEATHSIG = 1
prctl = ctypes.CDLL(None, use_errno=True).prctl if sys.platform == "linux" else None


@dataclass
class Backoff:
    """How long to wait before what ended is started again: `waits_s[0]` after a life of more than
    `steady_s`, `waits_s[n]` after the n-th shorter one in a row."""

    waits_s: Sequence[float]
    steady_s: float
    failures: int = 0

    def after(self, lived_s: float) -> float:
        """It ended after so long: seconds to wait now."""
        self.failures = 0 if lived_s > self.steady_s else self.failures + 1
        return self.waits_s[min(self.failures, len(self.waits_s) - 1)]


def die_with_parent(signum: int = signal.SIGKILL) -> Callable[[], None]:
    """For the child to call first, as a `preexec_fn` or after a fork: the kernel sends it `signum`
    when the thread that started it ends.

    subprocess changes the user before it calls this, and only a later change of user would clear
    the request. Start such a process from a thread that lives as long as the process should: the
    main one.
    """
    parent = os.getpid()

    def ask_kernel() -> None:
        end_with_parent(signum)
        # the parent was gone before the request: nobody would send the signal
        if prctl is not None and os.getppid() != parent:
            os._exit(1)

    return ask_kernel


def end_with_parent(signum: int) -> None:
    """Have the kernel send `signum` to this process when the thread that started it ends."""
    if prctl is not None:
        prctl(PR_SET_PDEATHSIG, int(signum), 0, 0, 0)


def send(pid: int, signum: int) -> None:
    """Send a signal; a process that is gone already is fine."""
    try:
        os.kill(pid, signum)
    except ProcessLookupError:
        pass
