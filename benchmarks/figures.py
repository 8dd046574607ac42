"""Figures of a run in a file, so that the next one can be held beside them.

In H (see `benchmarks.pages`), since microseconds of two machines have nothing to do with each
other. The file that is committed is `benchmarks/figures.json`.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from pathlib import Path

COMMITTED = Path(__file__).parent / "figures.json"


class Unreadable(Exception):
    """A file that holds no figures: one sentence with the fix."""


def write(path: Path, in_h: Mapping[str, float]) -> None:
    """`in_h`: name of a page → processor time of a request, in H."""
    kept = {
        "python": platform.python_version(),
        "in_h": {name: round(value, 3) for name, value in in_h.items()},
    }
    path.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


def read(path: Path) -> dict[str, float]:
    """As it was written. Raises `Unreadable`."""
    try:
        in_h = json.loads(path.read_text(encoding="utf-8"))["in_h"]
        return {str(name): float(value) for name, value in in_h.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unreadable(
            f"{path} holds no figures ({error}): write them by `python -m benchmarks.pages --keep"
            f" {path}`."
        ) from error
