"""A hundred thousand orders in a thousand stores: no page reads a large table from end to end, but for
those that are known to."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.proofs import ROOT

pytestmark = [pytest.mark.slow(seconds=40), pytest.mark.alone, pytest.mark.timeout(300)]


def test_no_page_reads_every_order() -> None:
    words = ["-m", "benchmarks.scale", "--orders", "100000", "--stores", "1000"]
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    said = "\n".join(line for line in done.stdout.splitlines() if " info " not in line)
    assert done.returncode == 0, said + done.stderr[-2_000:]
    assert "portal: home" in said and "ix_orders_done" in said
