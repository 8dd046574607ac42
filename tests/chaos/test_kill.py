"""The kill test in short, by its own command: nothing lost, nothing bought twice."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence

import pytest

from chaos import ROOT
from devkit import leash

pytestmark = [pytest.mark.slow(seconds=220), pytest.mark.alone, pytest.mark.timeout(900)]
SEED = "1"


def test_no_order_is_lost_and_none_is_bought_twice(capfd: pytest.CaptureFixture[str]) -> None:
    """One order a call. Several in a call take as long again: `--bulk auto`, see docs/chaos-kill.md for its figures."""
    with capfd.disabled():  # the report is the point: it belongs into the log of a green run too
        print()
        status = _run(["--orders", "300", "--kills", "60", "--scale", "10", "--seed", SEED, "--bulk", "off"])
    assert status == 0, "the report above names the broken invariants"


def _run(words: Sequence[str]) -> int:
    process = subprocess.Popen(
        [sys.executable, "-m", "chaos.kill", *words],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        preexec_fn=leash.die_with_parent(signal.SIGTERM),  # noqa: PLW1509 one system call before it becomes the program
    )
    try:
        return process.wait()
    finally:
        process.kill()
        process.wait()
