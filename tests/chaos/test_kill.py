"""The kill test in short, by its own command: nothing lost, nothing bought twice, in both bulk modes."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence

import pytest

from chaos import ROOT
from devkit import leash

pytestmark = [pytest.mark.slow(seconds=200), pytest.mark.alone, pytest.mark.timeout(900)]
SEED = "1"


@pytest.mark.parametrize(
    ("orders", "kills", "bulk"), [("300", "60", "off"), ("100", "20", "auto")], ids=["one by one", "in bulk"]
)
def test_no_order_is_lost_and_none_is_bought_twice(
    orders: str, kills: str, bulk: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with capfd.disabled():  # the report is the point: it belongs into the log of a green run too
        print()
        status = _run(["--orders", orders, "--kills", kills, "--scale", "10", "--seed", SEED, "--bulk", bulk])
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
