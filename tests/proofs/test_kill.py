"""The kill test in short, by its own command: nothing lost, nothing bought twice."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import supervision
from tests.proofs import ROOT

LONGEST_S = 2_400
"""Two busy cores took ten minutes. A run that hangs ends itself, and says why; a test cut off says
nothing."""
SHOWN = 60

pytestmark = [
    pytest.mark.slow(seconds=200),
    pytest.mark.alone,
    pytest.mark.timed,
    pytest.mark.timeout(LONGEST_S),
]
SEED = "1"


def test_no_order_is_lost_and_none_is_bought_twice(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """One order a call. Several in a call take as long again: `--bulk auto`, see
    docs/proofs-kill.md for its figures."""
    # the report is the point: it belongs into the log of a green run too. Of several processes of
    # pytest only the standard error is heard.
    with capfd.disabled():
        print(file=sys.stderr)
        words = [
            "--orders",
            "100",
            "--kills",
            "24",
            "--scale",
            "10",
            "--seed",
            SEED,
            "--bulk",
            "off",
        ]
        status = _run([*words, "--keep", str(tmp_path)])
        if status != 0:
            show(tmp_path)
    assert status == 0, (
        "1: the report above names the broken invariants; else the run broke off, and says why"
    )


def show(kept: Path) -> None:
    """The end of the log of every process: where a run was red and nobody can look, the reason must
    be in its output."""
    for log in kept.glob("*/up.log"):
        print(
            *log.read_text(encoding="utf-8", errors="replace").splitlines()[-SHOWN:],
            sep="\n",
            file=sys.stderr,
        )


def _run(words: Sequence[str]) -> int:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.proofs.kill", *words],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr.fileno(),
        preexec_fn=supervision.die_with_parent(signal.SIGTERM),  # noqa: PLW1509 one system call before it becomes the program
    )
    try:
        return process.wait()
    finally:
        process.kill()
        process.wait()
