"""The order in which pytest-xdist gives the test files out: those that take longest first, so that
no process begins a long one when the others have ended.

A file's time is what its tests are thought to take, by their marks; its tests stay together and in
their order.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import pytest

SECONDS = 0.1
SLOW_SECONDS = 2.0
"""What a test takes that says nothing, and one that is `slow` without saying how slow."""


def ordered(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """The tests, those of the longest file first; the same in every process."""
    files: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        files[str(item.path)].append(item)
    paths = sorted(files, key=lambda path: (-sum(map(seconds, files[path])), path))
    return [item for path in paths for item in files[path]]


def seconds(item: pytest.Item) -> float:
    """What a test is thought to take: the seconds of its mark `slow(seconds=60)`."""
    mark = item.get_closest_marker("slow") or item.get_closest_marker("browser")
    if mark is None:
        return SECONDS
    return float(mark.kwargs.get("seconds", SLOW_SECONDS))
