"""How a child says that it lives: datagrams to a socket named in its environment, as systemd's
watchdog has them.

Decides how long a child has been silent. Leaves what is done about it to `processes`.
"""

from __future__ import annotations

import socket
import time

LONGEST_BYTES = 4_096


class Beats:
    """The socket of one child, which has no name in the file system and ends with this process."""

    def __init__(self) -> None:
        self._line = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._line.bind(b"")  # Linux finds a free abstract name
        self._line.setblocking(False)
        self._heard_at: float | None = None

    @property
    def environ(self) -> dict[str, str]:
        """What the child needs to be told."""
        return {"NOTIFY_SOCKET": "@" + bytes(self._line.getsockname())[1:].decode()}

    def begin(self) -> None:
        """A new child: it is not silent before it was heard once."""
        self._drain()
        self._heard_at = None

    def silent_s(self) -> float:
        """For how long nothing was heard of a child that was heard before, else 0."""
        if self._drain():
            self._heard_at = time.monotonic()
        if self._heard_at is None:
            return 0.0
        return time.monotonic() - self._heard_at

    def close(self) -> None:
        """Listen no more."""
        self._line.close()

    def _drain(self) -> bool:
        heard = False
        while True:
            try:
                heard = bool(self._line.recv(LONGEST_BYTES)) or heard
            except BlockingIOError:
                return heard
