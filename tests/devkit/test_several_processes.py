"""Tests run in several processes at once: each exactly once, a file in one of them, the longest file
first."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from projects import ROOT

from devkit import daemons, process_tree, test
from tests.support import longest_first

pytestmark = pytest.mark.slow(seconds=0.4)

REPORT = """
def pytest_runtest_logreport(report):
    if report.when == "call" and hasattr(report, "worker_id"):
        print("RAN", report.worker_id, report.nodeid, report.outcome)

def pytest_collection_modifyitems(config, items):
    from tests.support import longest_first
    if hasattr(config, "workerinput"):
        items[:] = longest_first.ordered(items)
"""


def written(folder: Path, **counts: int) -> None:
    for name, count in counts.items():
        tests = [f"def test_{name}{number}(): pass" for number in range(count)]
        (folder / f"test_{name}.py").write_text("\n".join(tests))


def run(folder: Path, *words: str) -> list[tuple[str, str]]:
    """Which process ran which test, in the order of their ends."""
    (folder / "conftest.py").write_text(REPORT)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *test._shares(2), "-q", "-s", "-p", "no:cacheprovider",
         "-c", "/dev/null", "--rootdir", str(folder), *words, str(folder)],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    lines = [line.split() for line in done.stdout.splitlines() if "RAN" in line]
    return [(words[1], words[2].partition("::")[2]) for words in lines]


@pytest.mark.slow(seconds=2.5)
@pytest.mark.servers
def test_together_they_run_every_test_once_and_part_no_file(tmp_path: Path) -> None:
    written(tmp_path, a=3, b=2, c=2, d=1)
    ran = run(tmp_path, "-k", "not c1")
    assert sorted(name for _, name in ran) == [
        "test_a0",
        "test_a1",
        "test_a2",
        "test_b0",
        "test_b1",
        "test_c0",
        "test_d0",
    ]
    homes = {(name[:-1], process) for process, name in ran}
    assert len(homes) == 4, "one process for each file"
    assert {process for _, process in homes} == {"gw0", "gw1"}


def test_one_process_is_plain_pytest_and_there_are_two_more_than_cores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(test.os, "cpu_count", lambda: 2)
    assert test._shares(1) == []
    assert [test._shares(parts)[1] for parts in (2, 4, 9)] == ["2", "4", "4"]


@pytest.mark.servers
def test_none_outlives_the_one_that_started_them(tmp_path: Path) -> None:
    """Killed in the middle of a test that would last a minute: nothing is left within moments."""
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path)
    (tmp_path / "test_long.py").write_text(
        "import os, pathlib, time\n"
        "def test_long():\n"
        "    pathlib.Path(__file__).with_suffix('.pid').write_text(str(os.getpid()))\n"
        "    time.sleep(60)\n"
    )
    began = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-n", "1", "-p", "no:cacheprovider",
         "-c", "/dev/null", "--rootdir", str(tmp_path), str(tmp_path)],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    told = tmp_path / "test_long.pid"
    assert daemons.until(lambda: told.exists() and told.read_text() != "", 60)
    began.kill()
    began.wait()
    assert daemons.until(lambda: not process_tree.is_alive(int(told.read_text())), 3)


class Item:
    """A test as far as its order goes."""

    def __init__(self, path: str, name: str, *marks: pytest.Mark) -> None:
        self.path, self.name, self._marks = Path(path), name, marks

    def get_closest_marker(self, name: str) -> pytest.Mark | None:
        return next((mark for mark in self._marks if mark.name == name), None)


def test_the_longest_file_is_given_out_first_and_no_file_is_parted() -> None:
    long, slow = pytest.mark.slow(seconds=60).mark, pytest.mark.slow.mark
    items = [
        *(Item("a", f"a{n}") for n in range(5)),
        Item("b", "b0"),
        Item("c", "c0", slow),
        Item("d", "d0"),
        Item("d", "d1", long),
        Item("e", "e0", pytest.mark.browser.mark),
    ]
    names = [item.name for item in longest_first.ordered(items)]  # type: ignore[arg-type, attr-defined]
    assert names == ["d0", "d1", "c0", "e0", "a0", "a1", "a2", "a3", "a4", "b0"]
