"""What the relay looks after besides ringing: a restored database, a clock that was set, orders
whose day is over, how long deliveries take, rows past their keeping time."""

from __future__ import annotations

from datetime import datetime

import structlog

from core import clock_changes, orders, pruning
from core.accounts import guessing, logins
from core.base import clock, config, heartbeats
from core.base.preconditions import needs_across_stores

log = structlog.get_logger("relay")


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


@needs_across_stores
def tidy() -> None:
    """Delete call lines, webhooks and finished requests past their keeping time, and mask old
    numbers."""
    orders.pay_codes.free_old()
    masked = orders.forget_old()
    if masked:
        log.info("masked old numbers", orders=masked)
    gone = pruning.prune() + logins.prune() + guessing.prune() + heartbeats.prune()
    log.info("tidied", rows=gone)
