"""The line of its own in which attempts to pay and payouts wait for their worker: neither waits for
the other, whoever buys at the supplier or asks the gateway.

Rings as `relay` does, by the same rows and leases; one worker hears this line alone
(`operations.supervise`).
"""

from __future__ import annotations

import re
import time

import structlog
from flask import current_app
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from rq.serializers import JSONSerializer
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from core import leases
from core.base import config, tenancy
from core.base.preconditions import needs_across_stores
from core.online import is_configured
from core.outbox import BY_TURNS, OutboxRow
from fulfilment.line import line_up

log = structlog.get_logger("payments")

QUEUE = "pay"
_LIST = f"rq:queue:{QUEUE}"
_JOB_ID = re.compile(rb"pay-(\d+)-\d+")
_PAYMENT = OutboxRow.kind == "watch_payment"
_BY_TURNS = OutboxRow.kind.in_(BY_TURNS)
_QUIET_S = 2.0
_quiet_until = 0.0


def queue_of(connection: Redis) -> Queue:
    """The line. JSON, as `relay.queue_of`."""
    return Queue(QUEUE, connection=connection, serializer=JSONSerializer)


def ring(outbox_ids: list[int]) -> None:
    """The ring after a commit. Never raises, never holds up a page: what is lost falls due by
    itself."""
    global _quiet_until
    if time.monotonic() < _quiet_until:
        return
    try:
        with tenancy.across_stores():
            leased = leases.lease_due(len(outbox_ids), only=outbox_ids)
        try:
            line_up(queue_of(current_app.extensions["redis"]), QUEUE, leased)
        except RedisError as error:
            _quiet_until = time.monotonic() + _QUIET_S
            log.warning("ring lost", error=type(error).__name__, rows=outbox_ids)
            with tenancy.across_stores():
                leases.give_back(leased)
    except (DBAPIError, PoolTimeout) as error:
        log.warning("ring lost", error=type(error).__name__, rows=outbox_ids)


@needs_across_stores
def round_once(connection: Redis) -> int:
    """Ring the attempts that are due and in no line yet, then a payout, one at a time: a transfer
    may take a minute to answer, on Monday mornings there are many, and a customer stands before a
    page that opens no payment. Returns how many rows. Nothing is asked where there is no
    gateway."""
    if not is_configured():
        return 0
    settings = config.current()
    waiting = connection.lrange(_LIST, 0, -1)
    room = min(settings.relay_batch, settings.queue_full - len(waiting))
    if room <= 0:
        return 0
    found = (_JOB_ID.fullmatch(name) for name in waiting if isinstance(name, bytes))
    besides = [int(one[1]) for one in found if one]
    leased = leases.lease_due(room, besides=besides, of=_PAYMENT)
    if len(leased) < room and not leases.under_way(*BY_TURNS):
        leased += leases.lease_due(1, besides=besides, of=_BY_TURNS)
    line_up(queue_of(connection), QUEUE, leased)
    return len(leased)
