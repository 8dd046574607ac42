"""What keepers of processes share: the tie to a parent, and how soon something is started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import supervision
from supervision import Backoff

ROOT = Path(__file__).resolve().parents[1]
LATE = """
import os, supervision
tie = supervision.die_with_parent()
child = os.fork()
if child == 0:
    grandchild = os.fork()
    if grandchild == 0:
        tie()  # asked by one whose parent is another by now
        os._exit(0)
    os._exit(os.waitstatus_to_exitcode(os.waitpid(grandchild, 0)[1]))
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_what_ends_again_and_again_is_started_ever_more_slowly() -> None:
    backoff = Backoff((0.0, 0.5, 1.0, 5.0), steady_s=10)
    assert [backoff.after(lived) for lived in (1, 1, 10, 1)] == [0.5, 1.0, 5.0, 5.0]
    assert [backoff.after(lived) for lived in (11, 1, 11)] == [0.0, 0.5, 0.0]


@pytest.mark.skipif(sys.platform != "linux", reason="asks the kernel of Linux")
def test_a_child_whose_parent_is_gone_before_it_asks_ends_itself() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LATE],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    assert done.stdout == "1\n"


def test_a_signal_to_who_is_gone_is_fine() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    supervision.send(gone.pid, signal.SIGTERM)
    with pytest.raises(ProcessLookupError):
        os.kill(gone.pid, 0)
