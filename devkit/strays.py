"""Orphans that came to this process when their parent died: ended, and collected when dead.

The workers of a killed supervisor, say: its successor starts workers of its own.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Set as AbstractSet

import supervision
from devkit import process_tree

LOOK_S = 1.0
PATIENCE_S = 3.0
"""An orphan is asked to end for so long, then killed."""


class Strays:
    """The orphans of one `up`, each with when it was first seen."""

    def __init__(self) -> None:
        self._seen: dict[int, float] = {}
        self._looked_at = 0.0

    def end(self, known: AbstractSet[int], now: float) -> None:
        """End every child of this process that is not `known`; looks once a second. `now` is in
        seconds of the monotonic clock."""
        if now - self._looked_at < LOOK_S:
            return
        self._looked_at = now
        for pid in process_tree.children(os.getpid()):
            if pid in known:
                continue
            first_seen = self._seen.setdefault(pid, now)
            patient = now - first_seen <= PATIENCE_S
            supervision.send(pid, signal.SIGTERM if patient else signal.SIGKILL)
        self.all_collected()

    def all_collected(self) -> bool:
        """Collect dead orphans; whether no process below this one is left."""
        for pid in list(self._seen):
            try:
                gone = os.waitpid(pid, os.WNOHANG)[0] == pid
            except ChildProcessError:
                gone = True
            if gone:
                del self._seen[pid]
        return not process_tree.descendants(os.getpid())
