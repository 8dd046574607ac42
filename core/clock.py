"""The only source of time.

`now()` is wall time plus an offset that tests may jump; `seconds()` scales durations. In SQL time is always a bound
parameter, never the database's own clock, so that a jump reaches every process alike.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from core import config

ACCRA = ZoneInfo("Africa/Accra")

offset_source: Callable[[], float] | None = None
"""Seconds to add to wall time. Wired at start when the configuration allows jumps; None in production."""


def now() -> datetime:
    """The present, aware, in UTC."""
    moment = datetime.now(UTC)
    return moment if offset_source is None else moment + timedelta(seconds=offset_source())


def seconds(duration_s: float) -> float:
    """A duration of the settings as this process waits it: divided by the time scale."""
    return duration_s / config.current().time_scale


def delta(duration_s: float) -> timedelta:
    """`seconds` as a timedelta."""
    return timedelta(seconds=seconds(duration_s))


def after(duration_s: float) -> datetime:
    """The moment `duration_s` scaled seconds from now."""
    return now() + delta(duration_s)


def jittered(duration_s: float) -> datetime:
    """Like `after`, moved by up to a tenth either way so that many orders do not fall due together."""
    return after(duration_s * random.uniform(0.9, 1.1))


def accra_midnight(moment: datetime | None = None) -> datetime:
    """The start of the Ghanaian day that holds `moment` (default: now)."""
    local = (moment or now()).astimezone(ACCRA)
    return local.replace(hour=0, minute=0, second=0, microsecond=0)
