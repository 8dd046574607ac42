"""What the relay looks after besides ringing: a restored database, a clock that was set, orders
whose day is over, how long deliveries take, who is to be told of notices, rows past their keeping
time."""

from __future__ import annotations

from datetime import datetime

import structlog

from core import (
    clock_changes,
    gateway_days,
    leases,
    notices,
    online,
    orders,
    payouts,
    pruning,
    taking,
)
from core.accounts import guessing, invitations, logins, new_devices
from core.base import clock, config, heartbeats
from core.base.preconditions import needs_across_stores

log = structlog.get_logger("relay")

NOTICES_S = 5
NOTICES_AT_ONCE = 3


def watch_restore() -> None:
    """See whether this database was restored from a backup: its orders are asked about first."""
    asked = orders.note_restore()
    if asked is not None:
        log.error(
            "this database was restored: what may have been bought since is asked about first",
            orders=asked,
        )


def watch_clocks(clocks: clock_changes.Watch) -> None:
    """See whether the wall clock was set; what waits moves with it."""
    found = clocks.look()
    if found is not None:
        log.error(
            "the wall clock was set: what waits moved with it",
            seconds=round(found.seconds),
            orders=found.orders,
            rows=found.rows,
        )


def expire() -> None:
    """End what nobody processed for a day, and ask the owner about customers whom nobody answered.
    After the clocks were looked at: a wrong one must end nothing."""
    expired = orders.expire_pending()
    if expired:
        log.info("expired", orders=expired)
    unasked = taking.end_unasked()
    if unasked:
        log.info("expired: nothing was asked for them", orders=unasked)
    online.prompts.forget()
    if online.is_configured() and (ended := orders.end_unbuyable()):
        log.warning("paid online and could not be bought: cancelled", orders=ended)
    asked = orders.ask_owner()
    if asked:
        log.warning("stores left customers unanswered", orders=asked)


def count_deliveries(counted_at: datetime | None) -> datetime:
    """Count how long deliveries take, when that was last done `estimates_every_s` ago or never.
    Returns when it was done."""
    now = clock.now()
    every = clock.delta(config.current().estimates_every_s)
    # it may have been set back
    if counted_at is not None and abs(now - counted_at) < every:
        return counted_at
    stores = orders.estimates.renew()
    log.info("counted deliveries", stores=stores)
    return now


def look_for_notices(looked_at: datetime | None) -> datetime:
    """Make due who is to be told of something, when that was last done `NOTICES_S` ago or never.
    Returns when it was done."""
    now = clock.now()
    # it may have been set back
    if looked_at is not None and abs(now - looked_at) < clock.delta(NOTICES_S):
        return looked_at
    notices.sending.hasten()
    return now


@needs_across_stores
def room_for_notices(waiting: int) -> int:
    """How many devices may be told now, while so many jobs wait for a worker: a push service may
    take its time, and workers are there to buy, so one of them is left alone. One device at a
    time always may be told, or a busy evening would tell nobody."""
    under_way = leases.under_way("notify_device")
    most = min(NOTICES_AT_ONCE, config.current().workers - 1)
    return max(0 if under_way else 1, most - under_way - waiting)


def each_minute() -> None:
    """Delete what customers were about to order and did not, and ask for the payouts whose Monday
    has come."""
    orders.prune_unplaced()
    asked = payouts.mondays.ask_weekly()
    if asked:
        log.info("asked for weekly payouts", stores=asked)


@needs_across_stores
def wants_gateway() -> bool:
    """Whether the gateway's balance is to be read now and then."""
    return bool(config.current().paystack_secret_key) and online.platform_is_on()


@needs_across_stores
def wants_days() -> bool:
    """Whether a day is to be compared with the gateway's lists now."""
    is_used = online.platform_is_on() or gateway_days.is_any()
    return online.is_configured() and is_used and gateway_days.plan()


@needs_across_stores
def tidy() -> None:
    """Delete call lines, webhooks and finished requests past their keeping time, and mask old
    numbers."""
    orders.pay_codes.free_old()
    masked = orders.forget_old()
    if masked:
        log.info("masked old numbers", orders=masked)
    of_people = (
        logins.prune() + guessing.prune() + invitations.prune() + new_devices.prune()
    )
    gone = pruning.prune() + of_people + heartbeats.prune()
    log.info("tidied", rows=gone)
