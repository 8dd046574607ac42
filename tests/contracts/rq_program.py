"""A worker process as ours is, of RQ alone: `python rq_program.py <valkey url> [max jobs]`. Its
jobs write files.

Our own worker waits for a whole application to be imported; what is tried here is RQ, so this one
does not.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from redis import Redis
from rq import SimpleWorker
from rq.queue import Queue
from rq.serializers import JSONSerializer


def nap(file: str, seconds: float) -> None:
    """Write our process id to `file`, then finish after `seconds`, then add a line."""
    with Path(file).open("a") as log:
        log.write(f"began {os.getpid()}\n")
        log.flush()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(0.02)
        log.write(f"ended {os.getpid()}\n")


class Worker(SimpleWorker):
    """With our one setting that no argument of RQ reaches."""

    max_connection_wait_time = 2.0


class Dies(Worker):
    """Killed when it has taken a job and not begun it."""

    def execute_job(self, job, queue):  # type: ignore[no-untyped-def]
        os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    url, max_jobs, kind = (
        sys.argv[1],
        int(sys.argv[2]),
        {"dies": Dies, "works": Worker}[sys.argv[3]],
    )
    connection = Redis.from_url(url)
    queue = Queue("buy", connection=connection, serializer=JSONSerializer)
    worker = kind(
        [queue],
        connection=connection,
        serializer=JSONSerializer,
        worker_ttl=35,
        maintenance_interval=30,
        job_monitoring_interval=10,
    )
    worker.work(with_scheduler=False, max_jobs=max_jobs, logging_level="WARNING")


if __name__ == "__main__":
    main()
