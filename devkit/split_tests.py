"""A pytest plugin, `-p devkit.split_tests --part 1/2`: this process runs its share of the test
files, another the rest.

Decides the shares by the seconds the tests are thought to take, the same way in every process, and
never parts a file: its fixtures are made once. Each process has its own servers, so the shares
cannot meet.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--part",
        metavar="K/N",
        default="1/1",
        help="run the K-th of N shares of the test files",
    )


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Keep this process's share, after -m and -k have had their say."""
    part, parts = (int(word) for word in config.getoption("part").split("/"))
    files: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        files[str(item.path)].append(item)
    mine = set(
        shares({path: sum(map(weight, found)) for path, found in files.items()}, parts)[
            part - 1
        ]
    )
    others = [item for item in items if str(item.path) not in mine]
    if others:
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if str(item.path) in mine]


SECONDS = 0.15
SLOW_SECONDS = 2.0
"""What a test takes that says nothing, and one that is `slow` without saying how slow."""


def weight(item: pytest.Item) -> float:
    """The seconds a test counts when the shares are made: those of its mark `slow(seconds=60)`."""
    mark = item.get_closest_marker("slow") or item.get_closest_marker("browser")
    if mark:
        return float(mark.kwargs.get("seconds", SLOW_SECONDS))
    return SECONDS


def shares(counts: Mapping[str, float], parts: int) -> list[list[str]]:
    """`parts` lists of files that take about as long: the longest file first, always to the
    lightest list."""
    lists: list[list[str]] = [[] for _ in range(parts)]
    weights = [0.0] * parts
    for path in sorted(counts, key=lambda path: (-counts[path], path)):
        lightest = weights.index(min(weights))
        lists[lightest].append(path)
        weights[lightest] += counts[path]
    return lists
