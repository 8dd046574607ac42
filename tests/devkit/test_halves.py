"""Tests run in two processes at once: each exactly once, in one of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from projects import ROOT

from devkit import split_tests


@pytest.mark.parametrize("parts", [1, 2, 3])
def test_every_file_is_in_one_share_and_the_shares_are_alike(parts: int) -> None:
    counts = {f"test_{number}.py": number % 7 + 1 for number in range(40)}
    lists = split_tests.shares(counts, parts)
    assert sorted(path for share in lists for path in share) == sorted(counts)
    weights = [sum(counts[path] for path in share) for share in lists]
    assert max(weights) - min(weights) <= 7


def test_the_two_halves_together_run_every_test_once(tmp_path: Path) -> None:
    for name, count in (("a", 3), ("b", 2), ("c", 2), ("d", 1)):
        tests = [f"def test_{name}{number}(): pass" for number in range(count)]
        (tmp_path / f"test_{name}.py").write_text("\n".join(tests))
    ran = []
    for part in ("1/2", "2/2"):
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "devkit.split_tests", "--part", part, "-v",
            "-p", "no:cacheprovider",
             "-c", "/dev/null", "--rootdir", str(tmp_path), "-k", "not c1", str(tmp_path)],
            cwd=ROOT, capture_output=True, text=True, check=True,
        )  # fmt: skip
        ran.append(
            [
                line.split("::")[1].split()[0]
                for line in done.stdout.splitlines()
                if "PASSED" in line
            ]
        )
    assert sorted(ran[0] + ran[1]) == [
        "test_a0",
        "test_a1",
        "test_a2",
        "test_b0",
        "test_b1",
        "test_c0",
        "test_d0",
    ]
    assert all(ran)
