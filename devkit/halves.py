"""A pytest plugin, `-p devkit.halves --part 1/2`: this process runs its share of the test files, another the rest.

Decides the shares by the number of tests, the same way in every process, and never parts a file: its fixtures are
made once. A test marked `slow(seconds=60)` counts as sixty. Each process has its own servers, so the shares cannot meet.
"""

from __future__ import annotations

from collections import defaultdict

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--part", metavar="K/N", default="1/1", help="run the K-th of N shares of the test files")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep this process's share, after -m and -k have had their say."""
    part, parts = (int(word) for word in config.getoption("part").split("/"))
    files: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        files[str(item.path)].append(item)
    mine = set(shares({path: sum(map(weight, found)) for path, found in files.items()}, parts)[part - 1])
    others = [item for item in items if str(item.path) not in mine]
    if others:
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if str(item.path) in mine]


def weight(item: pytest.Item) -> int:
    """What a test counts when the shares are made."""
    mark = item.get_closest_marker("slow")
    return int(mark.kwargs.get("seconds", 1)) if mark else 1


def shares(counts: dict[str, int], parts: int) -> list[list[str]]:
    """`parts` lists of files with about as many tests each: the largest file first, always to the lightest list."""
    lists: list[list[str]] = [[] for _ in range(parts)]
    weights = [0] * parts
    for path in sorted(counts, key=lambda path: (-counts[path], path)):
        lightest = weights.index(min(weights))
        lists[lightest].append(path)
        weights[lightest] += counts[path]
    return lists
