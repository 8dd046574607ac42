"""The append-only file of every debit and credit of the wallets, one JSON object a line, synced to
disk.

Decides only how lines reach the disk whole and in order. What is written, and when, is the store's
business.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


class ChargeFile:
    """Open for appending. `last_seq` is the number of the last whole line found, 0 for an empty
    file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = os.open(
            path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600
        )
        self.last_seq = self._recover()

    def append(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """Write the lines in order and return only when they are on the disk."""
        if not lines:
            return
        text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
        unwritten = memoryview(text.encode())
        while unwritten:
            unwritten = unwritten[os.write(self._fd, unwritten) :]
        os.fsync(self._fd)
        self.last_seq = int(lines[-1]["seq"])

    def close(self) -> None:
        os.close(self._fd)

    def _recover(self) -> int:
        # A crash may leave half a line. The store still has that row and writes it again.
        content = self.path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole != len(content):
            os.ftruncate(self._fd, whole)
        lines = content[:whole].splitlines()
        if lines:
            return int(json.loads(lines[-1])["seq"])
        return 0


def read(path: Path) -> list[dict[str, Any]]:
    """Every whole line of a charge file, oldest first. Amounts are signed: a charge is negative."""
    content = path.read_text() if path.exists() else ""
    return [
        json.loads(line)
        for line in content.splitlines(keepends=True)
        if line.endswith("\n")
    ]
