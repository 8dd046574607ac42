"""The only source of time.

`now()` is wall time plus an offset that tests may jump; `seconds()` scales durations. In SQL time
is always a bound parameter, never the database's own clock, so that a jump reaches every process
alike. `steady_s()` only ever passes: what must not happen too early, because it would buy twice, is
measured by it too.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from core.base import config

ACCRA = ZoneInfo("Africa/Accra")

offset_source: Callable[[], float] | None = None
"""Seconds to add to wall time. Wired at start when the configuration allows jumps; None in
production."""
wall_source: Callable[[], datetime] | None = None
"""Replaces the machine's own wall clock where a test sets it; None everywhere else."""

steady_source: Callable[[], float] | None = None
"""Replaces the machine's own steady clock where a test lets hours pass at once; None everywhere
else."""
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def steady_s() -> float:
    """Seconds on a clock that nobody can set: the same for all processes of one boot, running on
    through sleep."""
    if steady_source is not None:
        return steady_source()
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


@cache
def boot() -> str:
    """Names the steady clock: readings of `steady_s` compare only within one boot of one
    machine."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:  # no Linux: then every process has a clock of its own
        return uuid.uuid4().hex


def wall() -> datetime:
    """What the machine's wall clock says, aware, in UTC. Anybody may set it: `core.clock_changes`
    watches for that."""
    if wall_source is None:
        return datetime.now(UTC)
    return wall_source()


def now() -> datetime:
    """The present, aware, in UTC."""
    moment = wall()
    if offset_source is None:
        return moment
    return moment + timedelta(seconds=offset_source())


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
    """Like `after`, moved by up to a tenth either way so that many orders do not fall due
    together."""
    return after(duration_s * random.uniform(0.9, 1.1))


def shown(moment: datetime) -> str:
    """A moment as people read it in Accra: "14:02", and with the day when it is not today's."""
    local = moment.astimezone(ACCRA)
    is_today = local.date() == now().astimezone(ACCRA).date()
    if is_today:
        return f"{local:%H:%M}"
    return f"{local.day} {local:%b %H:%M}"


def accra_midnight(moment: datetime | None = None) -> datetime:
    """The start of the Ghanaian day that holds `moment` (default: now)."""
    local = (moment or now()).astimezone(ACCRA)
    return local.replace(hour=0, minute=0, second=0, microsecond=0)
