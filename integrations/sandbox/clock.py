"""The supplier's own time, which a test may push forward.

Decides what "now" is for orders, windows and timestamps. Waiting and socket timeouts stay on the
machine's time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime


class Clock:
    """Seconds since the epoch, plus whatever was added by `advance`."""

    def __init__(self, source: Callable[[], float] = time.time) -> None:
        self._source = source
        self._offset_s = 0.0

    def now(self) -> float:
        return self._source() + self._offset_s

    def advance(self, seconds: float) -> float:
        """Move the clock forward and return the whole offset in seconds."""
        self._offset_s += seconds
        return self._offset_s


def iso(at: float) -> str:
    """Seconds since the epoch as the supplier writes it: UTC, milliseconds, `Z`."""
    return (
        datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.")
        + f"{int(at * 1000) % 1000:03d}Z"
    )
