"""The kill test with online payments in short, by its own command: nothing paid is lost, nothing is
delivered unpaid, nothing goes back or out twice."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

import supervision
from tests.proofs import ROOT
from tests.proofs.test_kill import show

LONGEST_S = 900
"""Two busy cores took 158 seconds. A run that hangs ends itself, and says why."""
WORDS = ("--orders", "16", "--kills", "6", "--scale", "10", "--seed", "1")

pytestmark = [
    pytest.mark.slow(seconds=120),
    pytest.mark.alone,
    pytest.mark.timeout(LONGEST_S),
]


def test_no_payment_is_lost_and_none_goes_back_or_out_twice(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with capfd.disabled():
        print(file=sys.stderr)
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.proofs.online_kill",
                *WORDS,
                "--keep",
                str(tmp_path),
            ],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno(),
            preexec_fn=supervision.die_with_parent(signal.SIGTERM),  # noqa: PLW1509 one system call before it becomes the program
        )
        try:
            status = process.wait()
        finally:
            process.kill()
            process.wait()
        if status != 0:
            show(tmp_path)
    assert status == 0, (
        "1: the report above names the broken invariants; else the run broke off, and says why"
    )
