"""A hundred thousand orders in a thousand stores: no page reads a large table from end to end, but for
those that are known to."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.proofs import ROOT

pytestmark = [pytest.mark.slow(seconds=40), pytest.mark.alone, pytest.mark.timeout(300)]

BY = {
    "portal: home": "ix_orders_done",
    "portal: wallet": "ix_entries_account",
    "portal: a number": "ix_orders_recipient",
    "portal: beginning": "ix_orders_recipient",
    "portal: last four": "pk_order_words",
    "portal: a name": "pk_order_words",
    "portal: a reference": "uq_orders_order_ref",
    "console: a number": "ix_orders_recipient_all",
    "console: last four": "ix_order_words_all",
    "console: overview": "ix_orders_ended",
    "console: stores by": "ix_stores_name",
}
"""Some pages, and an index by which each must go."""


def test_no_page_reads_every_order() -> None:
    words = ["-m", "benchmarks.scale", "--orders", "100000", "--stores", "1000"]
    words += ["--alone", "--rounds", "2"]
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    said = "\n".join(line for line in done.stdout.splitlines() if " info " not in line)
    assert done.returncode == 0, said + done.stderr[-2_000:]
    for page, index in BY.items():
        asked = said.partition(f"\n{page}")[2].partition(" p50 ")[2].partition("p50")[0]
        assert index in asked, f"{page}: {asked}"
