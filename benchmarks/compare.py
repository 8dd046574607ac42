"""A new run beside the committed one: what moved by more than a quarter.

    .venv/bin/python -m benchmarks.pages --keep new.json
    .venv/bin/python -m benchmarks.compare new.json [old.json]

Exit status 1 when something became dearer, 2 when a file cannot be read. What takes less than
`LEAST` of an empty view is left out: the kernel counts processor time too coarsely for it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks import figures

MOVED = 1.25
LEAST = 0.1


def main() -> int:
    """Print what moved."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.compare",
        description=(__doc__ or "").partition("\n")[0],
    )
    parser.add_argument("new", type=Path)
    parser.add_argument("old", type=Path, nargs="?", default=figures.COMMITTED)
    asked = parser.parse_args()
    try:
        lines, is_dearer = compared(figures.read(asked.new), figures.read(asked.old))
    except figures.Unreadable as error:
        print(error, file=sys.stderr)
        return 2
    print("\n".join(lines) or "Nothing moved by more than a quarter.")
    return int(is_dearer)


def compared(
    new: Mapping[str, float], old: Mapping[str, float]
) -> tuple[list[str], bool]:
    """A line for each page that moved, came or went; whether one became dearer."""
    lines, is_dearer = [], False
    for name in [*old, *(one for one in new if one not in old)]:
        if name not in old or name not in new:
            lines.append(f"{name}: {'new' if name in new else 'gone'}")
            continue
        before, after = max(old[name], LEAST), max(new[name], LEAST)
        if after / before >= MOVED or before / after >= MOVED:
            is_dearer |= after > before
            how = "dearer" if after > before else "cheaper"
            lines.append(f"{name}: {old[name]:.2f} H, now {new[name]:.2f} H, {how}")
    return lines, is_dearer


if __name__ == "__main__":
    sys.exit(main())
