"""One RQ worker process: one queue, never forking, a random name, and a mark that says since when
it is busy."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

from flask import Flask
from redis import Redis
from redis.client import Pipeline
from rq import SimpleWorker
from rq.job import Job
from rq.queue import Queue
from rq.serializers import JSONSerializer
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from core.base import clock, heartbeats
from core.base.db import db, end_read
from fulfilment import relay

WORKER_TTL_S = 35
MAINTENANCE_S = 30
MONITORING_S = 10
MAX_JOBS = 500
BUSY_VARIABLE = "MAKOLA_BUSY_FILE"
"""The supervisor names a file here; while a job runs it holds the job's start by the machine's
steady clock."""


class RowJob(Job):
    """A job names its function by text, and whoever can write to Valkey can write any: only ours is
    ever run."""

    success_callback = failure_callback = stopped_callback = None

    @property
    def func(self) -> Any:
        if self.func_name != relay.JOB:
            raise PermissionError(f"{self.func_name!r} is no job of ours")
        return super().func


class MarkedWorker(SimpleWorker):
    """A SimpleWorker that lets its supervisor see a job that hangs, and everybody that it is alive.

    It has no second kill of its own. Its heartbeat is written by the loop that takes jobs, into the
    database that jobs need.
    """

    max_connection_wait_time = 2.0
    """Seconds between tries while Valkey is away. RQ's own minute would let released orders lie
    long after it is back."""

    def heartbeat(
        self, timeout: int | None = None, pipeline: Pipeline | None = None
    ) -> None:
        super().heartbeat(timeout, pipeline)
        try:
            heartbeats.record("worker")
        except (DBAPIError, PoolTimeout):
            # a heartbeat that cannot be written is a heartbeat missed: that is what it is for
            pass
        finally:
            end_read()

    def execute_job(self, job: Job, queue: Queue) -> None:
        path = os.environ.get(BUSY_VARIABLE)
        if path:
            Path(path).write_text(str(clock.steady_s()))
        try:
            super().execute_job(job, queue)
        finally:
            if path:
                Path(path).unlink(missing_ok=True)


def run(app: Flask, redis_url: str) -> bool:
    """Work until told to stop or `MAX_JOBS` are done. Raises when Valkey is away; the supervisor
    starts anew."""
    logging.getLogger("rq.worker").setLevel(logging.WARNING)
    with app.app_context():
        for engine in db.engines.values():
            engine.dispose()  # nothing opened before this process's own work
        connection = Redis.from_url(redis_url)
        worker = MarkedWorker(
            [relay.queue_of(connection)],
            connection=connection,
            job_class=RowJob,
            serializer=JSONSerializer,
            worker_ttl=WORKER_TTL_S,
            maintenance_interval=MAINTENANCE_S,
            job_monitoring_interval=MONITORING_S,
        )
        return bool(
            worker.work(
                with_scheduler=False, max_jobs=MAX_JOBS, logging_level="WARNING"
            )
        )
