"""Putting leased rows of the outbox into a line of RQ: the one place that does.

Carries two numbers a row. Which rows, and into which line, is decided by `relay` and
`payment_line`.
"""

from __future__ import annotations

from rq import Queue

from core.base import clock, config

JOB = "fulfilment.jobs.run"
FAILURE_TTL_S = 3_600


def line_up(
    queue: Queue, name: str, leased: list[tuple[int, int]], *, first: bool = False
) -> None:
    """Put these leases into the line called `name`; `first` before all that is in it."""
    timeout = max(1, round(clock.seconds(config.current().job_timeout_s)))
    for outbox_id, lease_no in reversed(leased) if first else leased:
        queue.enqueue_call(
            JOB,
            args=(outbox_id, lease_no),
            timeout=timeout,
            result_ttl=0,
            failure_ttl=FAILURE_TTL_S,
            job_id=f"{name}-{outbox_id}-{lease_no}",
            description=f"outbox row {outbox_id}",
            at_front=first,
        )
