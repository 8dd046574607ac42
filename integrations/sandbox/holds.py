"""The requests held open on purpose.

Decides how long one waits; which is held is a fault of the plan.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Held:
    """One request that waits now. `stage` is before or after the charge."""

    number: int
    endpoint: str
    reference: str | None
    stage: str
    fault: str
    since: float
    client_gone: Callable[[], bool]
    go: threading.Event = field(default_factory=threading.Event)


class Holds:
    """The requests held open, until they are released, their time is up, or the supplier stops."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[int, Held] = {}
        self._numbers = itertools.count(1)
        self.stopping = False

    def wait(
        self,
        endpoint: str,
        reference: str | None,
        stage: str,
        fault: str,
        cap_s: float,
        client_gone: Callable[[], bool],
        *,
        leave_when_gone: bool = False,
    ) -> None:
        """Hold the calling thread for at most `cap_s` seconds."""
        held = Held(
            next(self._numbers),
            endpoint,
            reference,
            stage,
            fault,
            time.time(),
            client_gone,
        )
        with self._lock:
            self._held[held.number] = held
        end = time.monotonic() + cap_s
        try:
            while not self.stopping and (left := end - time.monotonic()) > 0:
                if held.go.wait(min(left, 0.2)) or (leave_when_gone and client_gone()):
                    return
        finally:
            with self._lock:
                del self._held[held.number]

    def release(self, reference: str | None = None) -> int:
        """Let all held requests, or those of one reference, go on. Returns how many."""
        with self._lock:
            chosen = [
                held
                for held in self._held.values()
                if reference in (None, held.reference)
            ]
        for held in chosen:
            held.go.set()
        return len(chosen)

    def stop(self) -> None:
        self.stopping = True
        self.release()

    def list(self) -> list[Held]:
        with self._lock:
            return list(self._held.values())
