"""`python3 dev.py check`: everything that must hold before a change goes in, with a line and a time
for each.

Decides which checks there are and in which order: the quick ones first, all of them even when one
fails.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import supervision
from devkit import audit, test

BIN = Path(sys.executable).parent
FAST = "not (slow or browser or alone or all_cores or matrix)"
"""The tests of `--fast`: quick ones, and none of the proofs."""


def main(words: Sequence[str]) -> int:
    """Run every check. Returns 0 when all passed, else 1. For `--audit` see `audit.main`."""
    parser = argparse.ArgumentParser(
        prog="python3 dev.py check", description="Everything that must hold."
    )
    parser.add_argument(
        "--fast",
        action="store_true",
        help="leave out the tests marked slow or browser, and the proofs",
    )
    parser.add_argument(
        "--no-tests", action="store_true", help="only the checks that run no test"
    )
    parser.add_argument(
        "--audit",
        action="store_true",
        help="only look at the dependencies: 1 something is wrong, 2 not all was looked at",
    )
    options = parser.parse_args(words)
    if options.audit:
        return audit.main()
    every_test = _begin_reading_tests()
    steps: list[tuple[str, Callable[[], int]]] = [
        ("ruff", lambda: _call(BIN / "ruff", "check", ".")),
        ("format", lambda: _call(BIN / "ruff", "format", "--check", ".")),
        ("types", lambda: _call(sys.executable, "-m", "mypy")),
        ("imports", lambda: _call(BIN / "lint-imports", "--no-logo")),
        ("reading", every_test),
    ]
    if not options.no_tests:
        selection = ["-m", FAST] if options.fast else []
        # Several at once: the quick tests' waits are too short to disturb each other.
        parts = 3 if options.fast else None
        steps.append(("tests", lambda: test.main([*selection, "-q"], parts)))
    return _run(steps)


def _begin_reading_tests() -> Callable[[], int]:
    """Let pytest read every test, on the core that the other checks leave: then none of several
    processes of tests needs to translate them. Returns what waits for its end."""
    said = tempfile.TemporaryFile()  # noqa: SIM115 open as long as the process
    reading = subprocess.Popen(
        [sys.executable, "-m", "pytest", "--collect-only", "-q"],
        env={
            name: value
            for name, value in os.environ.items()
            if not name.startswith(test.UNSEEN)
        },
        stdin=subprocess.DEVNULL,
        stdout=said,
        stderr=subprocess.STDOUT,
        preexec_fn=supervision.die_with_parent(signal.SIGTERM),  # noqa: PLW1509 this process has one thread
    )

    def wait() -> int:
        status = reading.wait()
        if status:
            said.seek(0)
            sys.stdout.write(said.read().decode(errors="replace")[-4_000:])
        return abs(status)

    return wait


def _run(steps: Sequence[tuple[str, Callable[[], int]]]) -> int:
    lines = []
    failed = False
    for name, step in steps:
        print(f"--- {name}", flush=True)
        began = time.monotonic()
        status = step()
        failed |= status != 0
        lines.append(
            f"{'ok    ' if status == 0 else 'FAILED'}  {name:<8} {time.monotonic() - began:6.1f} s"
        )
    print("\n" + "\n".join(lines), flush=True)
    return int(failed)


def _call(program: str | Path, *words: str) -> int:
    return subprocess.call([str(program), *words])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
