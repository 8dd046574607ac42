"""One RQ worker process: one queue, never forking, a random name, and a mark that says since when
it is busy."""

from __future__ import annotations

import gc
import logging
import os
from datetime import datetime, timedelta
from pathlib import Path
from secrets import token_hex
from typing import Any

from flask import Flask
from redis import Redis
from redis.client import Pipeline
from rq import SimpleWorker
from rq.executions import Execution
from rq.job import Job
from rq.queue import Queue
from rq.serializers import JSONSerializer
from rq.utils import now
from rq.worker import WorkerStatus
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from core.base import clock, heartbeats
from core.base.db import db, end_read
from fulfilment import payment_line, relay
from fulfilment.line import JOB

WORKER_TTL_S = 35
MAINTENANCE_S = 30
MONITORING_S = 10
MAX_JOBS = 500
BUSY_VARIABLE = "MAKOLA_BUSY_FILE"
"""The supervisor names a file here; while a job runs it holds the job's start by the machine's
steady clock."""
_TOLD_AGAIN = timedelta(seconds=10)
"""So often at most a worker says to Valkey that it lives, and asks whether workers are to wait."""
_KNOWN_FOR_S = 240
"""So long Valkey knows of a worker that has said so: longer than a job may last."""
_COLLECT_AFTER = 10_000
"""Objects made and not yet freed before garbage is looked for: a purchase makes some thousands,
nearly all of which go by themselves."""


class RowJob(Job):
    """A job names its function by text, and whoever can write to Valkey can write any: only ours is
    ever run."""

    success_callback = failure_callback = stopped_callback = None

    @property
    def func(self) -> Any:
        if self.func_name != JOB:
            raise PermissionError(f"{self.func_name!r} is no job of ours")
        return super().func


class MarkedWorker(SimpleWorker):
    """A SimpleWorker that lets its supervisor see a job that hangs, and everybody that it is alive.

    It has no second kill of its own. Its heartbeat is written by the loop that takes jobs, into the
    database that jobs need.

    What RQ tells Valkey of a job is told in one exchange before the job and one after it, and
    nothing twice: twenty exchanges a job cost more than most jobs. A job here has no dependents, no
    repeats, no callbacks, no rate limit and no result.
    """

    max_connection_wait_time = 2.0
    """Seconds between tries while Valkey is away. RQ's own minute would let released orders lie
    long after it is back."""
    role: heartbeats.Role = "worker"
    _asked_at: datetime | None = None
    """When Valkey was last asked whether somebody has all workers wait (`rq suspend`)."""

    def heartbeat(
        self, timeout: int | None = None, pipeline: Pipeline | None = None
    ) -> None:
        if pipeline is None and timeout is None and self._has_just_told():
            return
        super().heartbeat(timeout or _KNOWN_FOR_S, pipeline)
        try:
            heartbeats.record(self.role)
        except (DBAPIError, PoolTimeout):
            # a heartbeat that cannot be written is a heartbeat missed: that is what it is for
            pass
        finally:
            end_read()

    def _has_just_told(self) -> bool:
        return (
            self.last_heartbeat is not None
            and now() - self.last_heartbeat < _TOLD_AGAIN
        )

    def check_for_suspension(self, burst: bool) -> None:
        if self._asked_at is None or now() - self._asked_at >= _TOLD_AGAIN:
            super().check_for_suspension(burst)
            self._asked_at = now()

    def set_state(self, state: str, pipeline: Pipeline | None = None) -> None:
        """Known here alone: by it a stop is kept until the job under way has ended."""
        self._state = state

    def execute_job(self, job: Job, queue: Queue) -> None:
        self.set_state(WorkerStatus.BUSY)
        path = os.environ.get(BUSY_VARIABLE)
        if path:
            Path(path).write_text(str(clock.steady_s()))
        try:
            super().execute_job(job, queue)
        finally:
            if path:
                Path(path).unlink(missing_ok=True)

    def prepare_execution(self, job: Job) -> Execution:
        """All that is told before a job: that it has begun, which is what it is failed by should
        this process die, and that it is not between the two lists any more."""
        (queue,) = self.queues
        execution = Execution(token_hex(16), job.id, connection=self.connection)
        begun = job.started_job_registry
        with self.connection.pipeline(transaction=False) as line:
            begun.add_execution(execution, line, self.get_heartbeat_ttl(job))
            job.prepare_for_execution(self.name, line)
            line.lrem(queue.intermediate_queue_key, 1, job.id)
            line.execute()
        return execution

    def prepare_job_execution(
        self, job: Job, remove_from_intermediate_queue: bool = False
    ) -> None:
        """Nothing: see `prepare_execution`."""

    def handle_execution_ended(
        self, job: Job, queue: Queue, heartbeat_ttl: int
    ) -> None:
        job.ended_at = now()

    def handle_job_success(
        self,
        job: Job,
        queue: Queue,
        started_job_registry: object,
        execution: Execution,
    ) -> None:
        """All that is told after a job that ended well: nothing is left of it."""
        asked_at, self._asked_at = self._asked_at, None
        with self.connection.pipeline(transaction=False) as line:
            line.delete(job.key)
            job.started_job_registry.remove_execution(execution, pipeline=line)
            line.execute()
        # else Valkey is asked before the next job, and this process ends when it is away
        self._asked_at = asked_at


class PaymentsWorker(MarkedWorker):
    """One that asks the payment gateway: it is missed by a name of its own."""

    role = "payments"


def run(app: Flask, redis_url: str, *, of_payments: bool = False) -> bool:
    """Work until told to stop or `MAX_JOBS` are done, at what is bought or at what is asked of the
    payment gateway. Raises when Valkey is away; the supervisor starts anew."""
    logging.getLogger("rq.worker").setLevel(logging.WARNING)
    with app.app_context():
        for engine in db.engines.values():
            engine.dispose()  # nothing opened before this process's own work
        connection = Redis.from_url(redis_url)
        line = (payment_line if of_payments else relay).queue_of(connection)
        worker = (PaymentsWorker if of_payments else MarkedWorker)(
            [line],
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


def settle_memory() -> None:
    """What a process has loaded stays: it is not searched for garbage again and again. Call it in
    a process that only works from now on."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER)
