"""What the person at the terminal reads: one stream of lines, each with the name of the process it
came from.

Decides colours, and that printing never holds anything up: a terminal or pipe that nobody reads
loses lines from the screen, never from the log file, and never stops a child from being watched or
ended.
"""

from __future__ import annotations

import os
import select
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path

COLOURS = {
    "postgres": 34,
    "valkey": 31,
    "sandbox": 35,
    "gateway": 35,
    "web": 32,
    "supervise": 36,
    "migrate": 33,
    "seed": 33,
}
_KEEP_LINES = 5_000
_CHUNK = select.PIPE_BUF  # a pipe that polls writable takes this much without waiting
_LOG_BYTES = 10 * 1024 * 1024


class Console:
    """Lines out, to the open file `out` and to a log file in the data folder."""

    def __init__(
        self,
        log: Path,
        environ: Mapping[str, str],
        out: int,
    ) -> None:
        if log.exists() and log.stat().st_size > _LOG_BYTES:
            log.replace(log.with_suffix(".old.log"))
        self._file = os.fdopen(
            os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600),
            "w",
            buffering=1,
        )
        self._out = out
        self._colour = bool(
            environ.get("FORCE_COLOR")
            or (os.isatty(self._out) and not environ.get("NO_COLOR"))
        )
        self._waiting: deque[bytes] = deque(maxlen=_KEEP_LINES)

    def line(self, name: str, text: str) -> None:
        """One line that a child wrote."""
        self._file.write(f"{name:<9} | {text}\n")
        self._show(f"{self._paint(f'{name:<9} |', COLOURS.get(name, 37))} {text}")

    def say(self, text: str) -> None:
        """A line of our own."""
        self._file.write(f"up        | {text}\n")
        self._show(f"{self._paint('up        |', 1)} {text}")

    def banner(self, text: str) -> None:
        """Lines for the screen only: log-ins do not go to the log file."""
        for line in text.splitlines():
            self._show(line)

    def flush(self, wait_s: float = 0) -> None:
        """Write what the terminal takes now, or within `wait_s`."""
        poll = select.poll()
        poll.register(self._out, select.POLLOUT)
        deadline = time.monotonic() + wait_s
        while self._waiting:
            ready = poll.poll(max(0, (deadline - time.monotonic()) * 1000))
            if not ready or not ready[0][1] & select.POLLOUT:
                return
            line = self._waiting.popleft()
            try:
                os.write(self._out, line[:_CHUNK])
            except OSError:  # the terminal is gone; the log file has it all
                self._waiting.clear()
                return
            if len(line) > _CHUNK:
                self._waiting.appendleft(line[_CHUNK:])

    def close(self) -> None:
        """Let go of the log file."""
        self._file.close()

    def _show(self, text: str) -> None:
        self._waiting.append(text.encode(errors="replace") + b"\n")
        self.flush()

    def _paint(self, text: str, code: int) -> str:
        if self._colour:
            return f"\033[{code}m{text}\033[0m"
        return text
