"""What people did during a run, one JSON line each, on disk before the next thing happens: the
checker reads it."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any


class Diary:
    """Append only, safe between threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._file = path.open("a", encoding="utf-8", buffering=1)

    def note(self, what: str, **facts: Any) -> None:
        """One thing that happened now."""
        with self._lock:
            self.counts[what] += 1
            self._file.write(
                json.dumps({"at": round(time.time(), 3), "what": what, **facts}) + "\n"
            )

    def close(self) -> None:
        self._file.close()


def read(path: Path) -> list[dict[str, Any]]:
    """Every line of a diary, oldest first."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
