"""One queue in the real Valkey, worker processes of RQ alone on it, and a Valkey of a test's own to
stop."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis
from rq import Queue

from devkit import valkey_server
from fulfilment import relay

PROGRAM = Path(__file__).with_name("rq_program.py")
NAP = "rq_program.nap"
Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def redis(valkey: str) -> Iterator[Redis]:
    connection = Redis.from_url(valkey)
    connection.flushall()
    yield connection
    connection.flushall()
    connection.close()


@pytest.fixture
def queue(redis: Redis) -> Queue:
    """Our queue, as the relay makes it."""
    return relay.queue_of(redis)


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[valkey_server.Valkey]:
    """A Valkey that a test may stop and fill."""
    server = valkey_server.start_valkey(tmp_path / "valkey")
    yield server
    server.stop()


@pytest.fixture
def worker(valkey: str) -> Iterator[Start]:
    """Start a worker process; what still runs at the end is killed."""
    started: list[subprocess.Popen[bytes]] = []

    def start(
        url: str = valkey, *, max_jobs: int = 500, kind: str = "works"
    ) -> subprocess.Popen[bytes]:
        environ = {**os.environ, "PYTHONPATH": str(PROGRAM.parent)}
        process = subprocess.Popen(
            [sys.executable, str(PROGRAM), url, str(max_jobs), kind], env=environ
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a nap says that it began and ended."""
    return tmp_path / "naps"


@pytest.fixture
def until() -> Callable[..., None]:
    """Wait for a condition; fails after `seconds`."""

    def wait(condition: Callable[[], object], seconds: float = 20) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "it did not come true in time"
            time.sleep(0.02)

    return wait
