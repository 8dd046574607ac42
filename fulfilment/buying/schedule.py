"""When to look at an order again: the ladder of each state, and the cases of those that nobody can
settle by looking.

Counted from the moment that matters in a state, so that a ring or a restart changes nothing about
the checks still ahead. What a look finds is applied in `look_ups`.
"""

from __future__ import annotations

from datetime import datetime

from core import orders
from core.base import clock, config
from core.orders import Order


def next_check(order: Order) -> datetime | None:
    """The next moment to look at an order, by the ladder of its state. None when it is over."""
    now = clock.now()
    match order.state:
        case "queued":
            return now
        case "submitting":
            return _while_submitting(order, now)
        case "processing":
            return _while_processing(order, now)
        case "failed":
            return _while_failed(order, now)
        case "completed":
            return _after_delivery(order, now)
    return _after_money_went_back(order, now)


def next_check_after_silence(order: Order, rung_at: datetime | None) -> datetime | None:
    """The same after a look that got no answer. `rung_at`: when news, or a person, last asked for
    one.

    One bad answer is no silence: what was asked for is asked again soon, by the ladder of an
    attempt without an answer, also where a routine look would come an hour later or never.
    """
    due = next_check(order)
    now, ladder = clock.now(), _unanswered_ladder()
    if rung_at is None or now - rung_at > clock.delta(ladder[-1]):
        return due
    again = _next(rung_at, ladder, now)
    return again if due is None else min(due, again)


def _unanswered_ladder() -> tuple[int, ...]:
    settings = config.current()
    first = settings.lookup_ladder_s
    return (*first, *(s for s in settings.processing_ladder_s if s > first[-1]))


def _while_submitting(order: Order, now: datetime) -> datetime:
    settings = config.current()
    due = _next(order.claimed_at or now, _unanswered_ladder(), now)
    # a worker that died in its call marked nothing
    since = order.unknown_since or order.claimed_at
    if since and now - since > clock.delta(settings.unknown_case_s):
        orders.raise_case(order.id, "unknown_too_long", {"since": since.isoformat()})
    counts_at = orders.absence_counts_at(order)
    if order.absent_since is not None or counts_at is None:
        return due
    # Absence counts right after grace: a purchase the supplier never got must not wait for a step.
    grace_over = counts_at + clock.delta(1)
    if grace_over > now:
        return min(due, grace_over)
    return due


def _while_processing(order: Order, now: datetime) -> datetime:
    settings = config.current()
    since = order.processing_at
    if since and now - since > clock.delta(settings.never_fulfilled_case_s):
        orders.raise_case(order.id, "never_fulfilled", {"since": since.isoformat()})
    return _next(since or now, settings.processing_ladder_s, now)


def _while_failed(order: Order, now: datetime) -> datetime:
    settings = config.current()
    since = order.failed_since or now
    watch_over = since + clock.delta(settings.failed_watch_s)
    hourly = _next(since, settings.failed_ladder_s, now)
    if watch_over > now:
        return min(hourly, watch_over)
    if now - watch_over <= clock.delta(settings.lookup_ladder_s[-1]):
        # One bad answer is no silence: ask again soon.
        return _next(watch_over, settings.lookup_ladder_s, now)
    orders.raise_case(
        order.id, "unknown_too_long", {"watched_until": watch_over.isoformat()}
    )
    return hourly  # a clear "failed" would have ended it: the supplier gives no answer


def _after_delivery(order: Order, now: datetime) -> datetime | None:
    if order.completed_at is None:
        return None
    watch_over = order.completed_at + clock.delta(config.current().completed_watch_s)
    if watch_over > now:
        return watch_over
    return None


def _after_money_went_back(order: Order, now: datetime) -> datetime | None:
    """Look on after the money went back, because webhooks may be lost: a delivery after that
    must be found."""
    if order.final_at is None or not _may_yet_be_delivered(order):
        return None
    moments = (
        order.final_at + clock.delta(s) for s in config.current().refunded_ladder_s
    )
    return next((moment for moment in moments if moment > now), None)


def _may_yet_be_delivered(order: Order) -> bool:
    """Whether the supplier may have an order whose money went back: it had accepted it, or an
    attempt was unclear."""
    if order.state == "refunded":
        return (
            order.ever_unknown
            or order.processing_at is not None
            or order.failed_since is not None
        )
    return order.state == "cancelled" and order.ever_unknown


def _next(
    since: datetime,
    ladder: tuple[int, ...],
    now: datetime,
) -> datetime:
    """The first rung still ahead, counted from `since`; past the last one, its step again and
    again; ±10 %."""
    for rung in ladder:
        moment = since + clock.delta(rung)
        if moment > now:
            return now + (moment - now) * (1.0 if rung == ladder[0] else 1.05)
    return clock.jittered(ladder[-1])
