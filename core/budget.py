"""The arithmetic of calls to the supplier: how many of a window are left, and for whom.

Works on the moments of calls that `supply.SupplierState` keeps, its row locked by whoever takes one. Holds across
processes and survives a flush of Valkey because it is in the database.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal, Protocol

from core import clock, config

Share = Literal["purchase", "other"]


class Link(Protocol):
    """What the arithmetic needs to know of the line to a supplier."""

    purchase_calls: list[datetime]
    other_calls: list[datetime]
    ring_lookups: list[datetime]
    closed_until: datetime | None


def take(link: Link, share: Share) -> float:
    """Take one call of a locked line. Returns 0 when it may be made now, else the seconds to wait.

    At most `rate_calls` in any window of `rate_window_s`, whatever the kind, of which `rate_reserved_for_purchases`
    are kept for purchases. A sliding window of ours can never overfill the supplier's fixed one.
    """
    settings, now = config.current(), clock.now()
    window = clock.delta(settings.rate_window_s)
    if link.closed_until is not None and link.closed_until > now:
        return (link.closed_until - now).total_seconds()
    purchases = recent(link.purchase_calls, now, window)
    others = recent(link.other_calls, now, window)
    full = len(purchases) + len(others) >= settings.rate_calls
    share_full = share == "other" and len(others) >= settings.rate_calls - settings.rate_reserved_for_purchases
    if full or share_full:
        oldest = min(purchases + others) if full else min(others)
        return max((oldest + window - now).total_seconds(), 0.01)
    (purchases if share == "purchase" else others).append(now)
    link.purchase_calls, link.other_calls = purchases, others
    return 0.0


def left(link: Link) -> int:
    """How many purchase calls this window still has, none while the supplier's rate limit is closed."""
    settings, now = config.current(), clock.now()
    if link.closed_until is not None and link.closed_until > now:
        return 0
    window = clock.delta(settings.rate_window_s)
    used = len(recent(link.purchase_calls, now, window)) + len(recent(link.other_calls, now, window))
    return max(settings.rate_calls - used, 0)


def take_ring(link: Link) -> bool:
    """Whether an unverified ring may still cause a look-up in this window; counts it when it may. Row locked."""
    settings, now = config.current(), clock.now()
    found = recent(link.ring_lookups, now, clock.delta(settings.rate_window_s))
    may = len(found) < settings.ring_lookups_per_window
    link.ring_lookups = [*found, now] if may else found
    return may


def recent(moments: list[datetime], now: datetime, window: timedelta) -> list[datetime]:
    """The moments within the last window."""
    # A jump of the clock backwards leaves moments of the future behind: they count, but not for longer than a window.
    return [moment for moment in moments if now - window < moment <= now + window]
