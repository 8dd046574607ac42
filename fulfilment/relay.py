"""Ringing: hands due rows of the outbox to RQ. At once after a commit, and every round as the
safety net.

Valkey only carries. A failed ring is swallowed and logged; the row is still there and is rung again
when its short lease is over. Notices a restored database before it rings anything. Writes down what
can be bought now, has the supplier asked whether it answers, and asks for what is timed (balance,
catalogue, proof of the books), by rows of the same outbox. Counts how long deliveries take.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable

import structlog
from flask import Flask, current_app
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from rq.serializers import JSONSerializer
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from core import clock_changes, gateway_days, leases, orders, outbox, reconcile
from core.audit import SYSTEM
from core.base import clock, config, heartbeats, tenancy
from core.base.db import db
from core.base.preconditions import needs_across_stores
from core.supplier import budget, supply
from fulfilment import housekeeping, payment_line
from fulfilment.line import line_up
from fulfilment.supplier_probe import Listener

log = structlog.get_logger("relay")

QUEUE = "buy"
_LIST = f"rq:queue:{QUEUE}"
_WATCHED = "makola:watched"
"""Sorted set: ids of orders with an open page, and until when that counts."""
_WATCHED_MOST = 200
_LOOKED = "makola:looked"
"""Until when it counts that a customer has looked at what a shop sells."""
_JOB_ID = re.compile(rb"buy-(\d+)-\d+")
_QUIET_S = 2.0
"""After a failed ring nobody in this process rings for this long, so that a page never waits for
Valkey twice."""
_DOWN_S = 1.0
_TIDY_S = 3_600
_DRAFTS_S = 60
"""What customers were about to order goes a minute after its hour: numbers are in it."""
_quiet_until = 0.0


def ring(outbox_ids: list[int], *, first: bool = False) -> None:
    """The ring after a commit: lease the rows and enqueue them. Never raises and never holds up a
    page.

    `first`: before all that is in the list.
    """
    global _quiet_until
    if time.monotonic() < _quiet_until:
        return
    try:
        with tenancy.across_stores():
            leased = leases.lease_due(len(outbox_ids), only=outbox_ids)
        try:
            line = queue_of(current_app.extensions["redis"])
            line_up(line, QUEUE, leased, first=first)
        except RedisError as error:
            _quiet_until = time.monotonic() + _QUIET_S
            log.warning(
                "ring lost",
                error=type(error).__name__,
                rows=outbox_ids,
            )
            with tenancy.across_stores():
                leases.give_back(leased)
                heartbeats.count(heartbeats.RINGS_LOST)
    except (DBAPIError, PoolTimeout) as error:
        log.warning(
            "ring lost",
            error=_named(error),
            rows=outbox_ids,
        )


def queue_of(connection: Redis) -> Queue:
    """The one queue. JSON, as pickle would run what it reads; which function a job may name is
    checked by the worker."""
    return Queue(QUEUE, connection=connection, serializer=JSONSerializer)


def run(app: Flask, stop: threading.Event) -> None:
    """Rounds until `stop`: ring what is due, ask for what is timed. Outlives a database or Valkey
    that is down."""
    settings = config.current()
    tidy_at = drafts_at = clock.now()
    counted_at = noticed_at = None
    clocks = clock_changes.Watch()
    listener = Listener(app)
    looked_at = False
    while not stop.is_set():
        pause = clock.seconds(settings.relay_round_s)
        try:
            with app.app_context(), tenancy.across_stores():
                housekeeping.watch_restore()
                housekeeping.watch_clocks(clocks)
                # before Valkey is asked for anything: it may be away
                listener.ask(
                    reconcile.renew(looked_at=looked_at, under_way=listener.under_way())
                )
                housekeeping.expire()
                counted_at = housekeeping.count_deliveries(counted_at)
                noticed_at = housekeeping.look_for_notices(noticed_at)
                rung = round_once(app.extensions["redis"])
                rung += payment_line.round_once(app.extensions["redis"])
                looked_at = _is_looked_at(app.extensions["redis"])
                ask_timed()
                heartbeats.record("relay")
                if clock.now() >= drafts_at:
                    housekeeping.each_minute()
                    ask_days()
                    drafts_at = clock.after(_DRAFTS_S)
                if clock.now() >= tidy_at:
                    housekeeping.tidy()
                    tidy_at = clock.after(_TIDY_S)
            if rung >= settings.relay_batch:
                pause = 0.05
        except RedisError as error:
            log.warning("valkey is down; rows wait", error=type(error).__name__)
            pause = _DOWN_S
            looked_at = False
        except (DBAPIError, PoolTimeout) as error:
            log.warning("database is down; waiting", error=_named(error))
            pause = _DOWN_S
        stop.wait(pause)
    listener.close()


@needs_across_stores
def round_once(connection: Redis) -> int:
    """Ring what is due and what calls are left for, by right of way. Returns how many rows.

    A row whose ring still waits in the list is not rung again when its lease is over: the ring in
    the list would lose its lease to one at the end of it, and with busy workers the oldest row
    would never come to the front. What waits there takes calls too, so that of rows rung few find
    that none is left.
    """
    settings = config.current()
    waiting = int(connection.llen(_LIST))
    if waiting > settings.queue_full:
        return 0
    due, turns = orders.due_turns()
    room = min(settings.relay_batch, due - waiting)
    if room <= 0:
        return 0
    besides = _in_the_list(connection) if waiting else []
    calls = budget.room(supply.state())
    left = calls["purchase"]
    notices = housekeeping.room_for_notices(waiting) if "notice" in turns else 0
    rung = 0
    for turn in turns:
        may = {
            "news": min(left, calls["news"]),
            "free": room,
            "purchase": left - waiting,
            "other": min(left, calls["other"]) - waiting,
            "notice": notices,
        }[turn]
        if min(may, room - rung) <= 0:
            continue
        sooner = _watched(connection) if turn == "other" else ()
        leased = leases.lease_due(
            min(may, room - rung),
            besides=besides,
            of=orders.whose_turn(turn),
            sooner=sooner,
        )
        line_up(queue_of(connection), QUEUE, leased, first=turn == "news")
        rung += len(leased)
        left -= len(leased) if turn in ("news", "purchase", "other") else 0
    return rung


def watch(order_id: int) -> None:
    """Somebody waits with this order's page open: remember it for `watched_s`. Losing it costs only
    a place in line."""
    kept_s = config.current().watched_s

    def keep(connection: Redis) -> None:
        with connection.pipeline(transaction=False) as line:
            line.zadd(_WATCHED, {str(order_id): clock.after(kept_s).timestamp()})
            line.expire(_WATCHED, kept_s)
            line.execute()

    _keep_if_there(keep, current_app.extensions["redis"])


def look() -> None:
    """A customer looks at what a shop sells: remember it for `looked_s`. Losing it only has the
    supplier asked later.

    In a thread of its own, so that the first page of all, the shop's, never waits for Valkey.
    """
    kept_s = config.current().looked_s
    connection = current_app.extensions["redis"]
    until = clock.after(kept_s).timestamp()
    threading.Thread(
        target=_keep_if_there,
        args=(lambda line: line.set(_LOOKED, until, ex=kept_s), connection),
        daemon=True,
    ).start()


def _keep_if_there(keep: Callable[[Redis], object], connection: Redis) -> None:
    global _quiet_until
    if time.monotonic() < _quiet_until:
        return
    try:
        keep(connection)
    except RedisError as error:
        _quiet_until = time.monotonic() + _QUIET_S
        log.warning("watch lost", error=type(error).__name__)


def _is_looked_at(connection: Redis) -> bool:
    """Whether a customer has looked at a shop lately."""
    return float(connection.get(_LOOKED) or 0) > clock.now().timestamp()


def _watched(connection: Redis) -> list[int]:
    """The orders somebody waits for, the latest first and not too many: a place in line."""
    now = clock.now().timestamp()
    connection.zremrangebyscore(_WATCHED, "-inf", now)
    found = connection.zrevrange(_WATCHED, 0, _WATCHED_MOST - 1)
    return [int(_bytes(order_id)) for order_id in found]


@needs_across_stores
def ask_timed() -> None:
    """Ask for balances, a catalogue sync and a proof of the books when the last is old."""
    settings = config.current()
    _ask_when_old("refresh_balance", settings.balance_every_s)
    _ask_when_old("sync_catalogue", settings.catalogue_every_s)
    _ask_when_old("prove_books", settings.proof_every_s)
    if housekeeping.wants_gateway():
        _ask_when_old("read_gateway", settings.gateway_every_s)
        _ask_when_old("sweep_disputes", settings.dispute_every_s)


@needs_across_stores
def ask_days() -> None:
    """Have days that are over compared with the payment gateway's lists."""
    if housekeeping.wants_days():
        _ask_when_old(gateway_days.WORK, config.current().gateway_days_every_s)


def _ask_when_old(kind: outbox.Kind, every_s: float) -> None:
    newest = db.session.scalar(
        select(outbox.OutboxRow)
        .where(outbox.OutboxRow.kind == kind)
        .order_by(outbox.OutboxRow.id.desc())
        .limit(1)
    )
    if newest is not None and newest.done_at is None:
        return  # while no worker takes it, asking again would only fill the audit
    if newest is None or abs(clock.now() - newest.created_at) > clock.delta(
        every_s
    ):  # it may have been set back
        outbox.request(kind, SYSTEM)


def _in_the_list(connection: Redis) -> list[int]:
    """The rows whose rings no worker has taken yet."""
    return [
        int(found[1])
        for job_id in connection.lrange(_LIST, 0, -1)
        if (found := _JOB_ID.fullmatch(_bytes(job_id)))
    ]


def _bytes(word: object) -> bytes:
    assert isinstance(word, bytes)  # our client decodes nothing
    return word


def _named(error: Exception) -> str:
    return type(getattr(error, "orig", None) or error).__name__
