"""A stage reads in only the files that can hold a test of it, and misses none."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from projects import ROOT

from devkit.prove import STAGES
from devkit.test import STAGES as TESTS
from tests.support import named_marks

BROWSERS, TIMED, ALONE, ALL_CORES = (which for which, _ in STAGES)
((OTHERS, _),) = TESTS


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ("", {OTHERS}),
        ("browser", {OTHERS, BROWSERS}),
        ("matrix", {OTHERS, BROWSERS}),
        ("alone", {OTHERS, ALONE}),
        # one test of the file may be the one, and another the other
        ("alone browser", {OTHERS, ALONE, BROWSERS}),
        ("all_cores alone", {OTHERS, ALONE, ALL_CORES}),
        ("timed alone", {OTHERS, TIMED, ALONE}),
    ],
)
def test_a_file_is_left_out_where_no_choice_of_its_marks_would_be_taken(
    tmp_path: Path, named: str, expected: set[str]
) -> None:
    file = tmp_path / "test_it.py"
    file.write_text("alone = browser = 1\n")
    with file.open("a") as text:
        text.writelines(f"@pytest.mark.{mark}\n" for mark in named.split())
    asked = (BROWSERS, TIMED, ALONE, ALL_CORES, OTHERS)
    assert {which for which in asked if named_marks.may_hold(file, which)} == expected
    assert named_marks.may_hold(file, "slow"), "of other marks nothing is known"


@pytest.mark.slow(seconds=2)
def test_what_is_left_out_is_not_read_and_a_mark_that_no_file_names_is_refused(
    tmp_path: Path,
) -> None:
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path)
    (tmp_path / "test_left_out.py").write_text("raise SystemExit\n")
    (tmp_path / "test_it.py").write_text(
        "import pytest\n"
        "@pytest.mark.matrix\n"
        "def test_named(): pass\n"
        "@getattr(pytest.mark, 'browser')\n"
        "def test_unnamed(): pass\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--co",
         "-c", "/dev/null", "--rootdir", str(tmp_path), "-m", BROWSERS, str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
    )  # fmt: skip
    assert done.returncode == pytest.ExitCode.USAGE_ERROR, done.stdout + done.stderr
    assert done.stderr.rstrip().endswith(": test_it.py::test_unnamed (browser)")
