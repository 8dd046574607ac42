"""Keeps the relay and the workers alive: starts them, restarts what dies, kills a worker that
hangs.

The same command serves in development and in production. Its children end with it, also when it is
killed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import structlog

import supervision
from core.base import clock, config
from operations.worker import BUSY_VARIABLE
from supervision import Backoff

log = structlog.get_logger("supervise")

_ROUND_S = 0.25
_RESTART_S = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0)
_STEADY_S = 10.0
"""A child that lived this long is not in a crash loop: its next restart is immediate again."""
_STOP_EXTRA_S = 15


@dataclass
class Child:
    """One process we keep alive."""

    role: str
    command: list[str]
    busy_file: Path | None = None
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    backoff: Backoff = field(default_factory=lambda: Backoff(_RESTART_S, _STEADY_S))
    not_before: float = 0.0
    environment: dict[str, str] = field(default_factory=dict)


def run(
    workers: int,
    pids_file: Path | None,
    stop: threading.Event,
) -> None:
    """Supervise one relay, `workers` workers and, where there is a gateway, one of payments until
    `stop`, then let them finish. Writes who runs to `pids_file`."""
    with tempfile.TemporaryDirectory(prefix="makola-busy-") as folder:
        children = [Child("relay", _flask("relay"))]
        children += [_worker("worker", folder, number) for number in range(workers)]
        if config.current().paystack_secret_key:
            children.append(_worker("payments", folder, 0, "--payments"))
        try:
            while not stop.is_set():
                changed = [_keep(child) for child in children]
                if any(changed) and pids_file is not None:
                    _write_pids(pids_file, children)
                stop.wait(_ROUND_S)
        finally:
            _end(children)
            if pids_file is not None:
                pids_file.unlink(missing_ok=True)


def _worker(role: str, folder: str, number: int, *options: str) -> Child:
    busy = Path(folder) / f"{role}-{number}"
    marked = {BUSY_VARIABLE: str(busy)}
    return Child(role, _flask("worker", *options), busy, environment=marked)


def _keep(child: Child) -> bool:
    """See to one child. True when its process changed."""
    now = time.monotonic()
    if child.process is not None:
        _kill_if_hung(child)
        if child.process.poll() is None:
            return False
        child.not_before = now + child.backoff.after(now - child.started)
        log.warning(
            "ended",
            role=child.role,
            pid=child.process.pid,
            code=child.process.returncode,
        )
        child.process = None
        if child.busy_file is not None:
            child.busy_file.unlink(missing_ok=True)
    if now < child.not_before:
        return False
    child.process = subprocess.Popen(
        child.command,
        env={**os.environ, **child.environment},
        preexec_fn=supervision.die_with_parent(),  # noqa: PLW1509 - two system calls before it becomes the program
        stdin=subprocess.DEVNULL,
    )
    child.started = now
    log.info(
        "started",
        role=child.role,
        pid=child.process.pid,
    )
    return True


def _kill_if_hung(child: Child) -> None:
    """A worker busy longer than any job may last is stuck in C: end it. The order's lease and
    look-up do the rest."""
    if child.busy_file is None or child.process is None:
        return
    try:
        busy_s = clock.steady_s() - float(child.busy_file.read_text())
    except (FileNotFoundError, ValueError):  # idle, or the mark is being written
        return
    settings = config.current()
    if busy_s > clock.seconds(settings.job_timeout_s + settings.supervise_grace_s):
        log.error(
            "killing a worker that hangs", pid=child.process.pid, busy_s=round(busy_s)
        )
        child.process.kill()
        child.process.wait()


def _end(children: list[Child]) -> None:
    """SIGTERM all, wait as long as a job may last, then SIGKILL what is left."""
    alive = [
        child.process
        for child in children
        if child.process is not None and child.process.poll() is None
    ]
    for process in alive:
        process.terminate()
    deadline = (
        time.monotonic() + clock.seconds(config.current().job_timeout_s) + _STOP_EXTRA_S
    )
    for process in alive:
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _write_pids(path: Path, children: list[Child]) -> None:
    pids: dict[str, list[int]] = {
        "supervise": [os.getpid()],
        "relay": [],
        "worker": [],
        "payments": [],
    }
    for child in children:
        if child.process is not None:
            pids[child.role].append(child.process.pid)
    new = path.with_suffix(".new")
    new.write_text(json.dumps(pids))
    new.replace(path)


def _flask(command: str, *options: str) -> list[str]:
    return [sys.executable, "-m", "flask", "--app", "wsgi", command, *options]
