"""The arithmetic of calls to the supplier: how many of a window are left, and for whom.

Works on the moments of calls that `supply.SupplierState` keeps, its row locked by whoever takes
one. Holds across processes and survives a flush of Valkey because it is in the database.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal, Protocol

from core.base import clock, config

Share = Literal["news", "purchase", "other"]
"""Whose call it is: a look-up after signed news of the supplier, a purchase with the look right
before it, all else."""
NOBODY: dict[Share, int] = {"news": 0, "purchase": 0, "other": 0}


class Link(Protocol):
    """What the arithmetic needs to know of the line to a supplier."""

    purchase_calls: list[datetime]
    other_calls: list[datetime]
    ring_lookups: list[datetime]
    closed_until: datetime | None


def take(link: Link, share: Share, calls: int = 1) -> float:
    """Take `calls` of a locked link at once. Returns 0 when they may be made now, else the seconds
    to wait.

    A sliding window of ours can never overfill the supplier's fixed one. How many each share may
    have: `room`.
    """
    now = clock.now()
    window = clock.delta(config.current().rate_window_s)
    if link.closed_until is not None and link.closed_until > now:
        return (link.closed_until - now).total_seconds()
    purchases = recent(link.purchase_calls, now, window)
    others = recent(link.other_calls, now, window)
    of_all, of_others = _most(share)
    wait = _wait(purchases + others, of_all - calls, now, window)
    if share != "purchase":
        wait = max(wait, _wait(others, of_others - calls, now, window))
    if wait > timedelta(0):
        return max(wait.total_seconds(), 0.01)
    mine = purchases if share == "purchase" else others
    link.purchase_calls = purchases
    link.other_calls = others
    mine += [now] * calls
    return 0.0


def _wait(
    made: list[datetime],
    most: int,
    now: datetime,
    window: timedelta,
) -> timedelta:
    """How long until at most `most` of the calls `made` are still within the window."""
    too_many = len(made) - most
    if too_many <= 0:
        return timedelta(0)
    last_to_leave = sorted(made)[too_many - 1]
    return last_to_leave + window - now


def room(link: Link) -> dict[Share, int]:
    """How many calls each share may still make in this window; none while the supplier's rate limit
    is closed.

    At most `rate_calls` in all. Whatever is no purchase leaves `rate_reserved_for_purchases` to
    purchases, and what is neither purchase nor signed news leaves the last `rate_reserved_for_news`
    of the window to signed news as well.
    """
    now = clock.now()
    window = clock.delta(config.current().rate_window_s)
    if link.closed_until is not None and link.closed_until > now:
        return dict(NOBODY)
    purchases = len(recent(link.purchase_calls, now, window))
    others = len(recent(link.other_calls, now, window))
    found: dict[Share, int] = {}
    for share in NOBODY:
        of_all, of_others = _most(share)
        left_of_others = of_others - others if share != "purchase" else of_all
        found[share] = max(0, min(of_all - purchases - others, left_of_others))
    return found


def _most(share: Share) -> tuple[int, int]:
    """How many calls there may be in a window when one of `share` is made: in all, and of those
    that are no purchases."""
    settings = config.current()
    no_purchases = settings.rate_calls - settings.rate_reserved_for_purchases
    kept = settings.rate_reserved_for_news if share == "other" else 0
    return settings.rate_calls - kept, no_purchases - kept


def take_ring(link: Link) -> bool:
    """Whether an unverified ring may still cause a look-up in this window; counts it when it may.
    Row locked."""
    settings = config.current()
    now = clock.now()
    found = recent(link.ring_lookups, now, clock.delta(settings.rate_window_s))
    may = len(found) < settings.ring_lookups_per_window
    link.ring_lookups = [*found, now] if may else found
    return may


def recent(
    moments: list[datetime],
    now: datetime,
    window: timedelta,
) -> list[datetime]:
    """The moments within the last window."""
    # A jump of the clock backwards leaves moments of the future behind: they count, but not for
    # longer than a window.
    return [moment for moment in moments if now - window < moment <= now + window]
