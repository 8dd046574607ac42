"""Until when a dispute is to be answered: so many hours of working days, as the gateway counts them
for Ghana. The clock runs from Monday 00:00 to Friday 24:00 and stands at weekends.

Public holidays count as working days, since the gateway's paper names none: then we are early.
Pure functions of moments; Accra has the time of UTC all year.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from core.base.clock import ACCRA

HOURS = 48
REMINDERS_H = (24, 6)
"""Working hours before the deadline at which the owner is reminded."""
_WEEK = timedelta(days=7)
_WORKING = timedelta(days=5)
_A_MONDAY = datetime(1970, 1, 5, tzinfo=ACCRA)


def due_at(opened_at: datetime, hours: float = HOURS) -> datetime:
    """The moment so many working hours after another; `hours` is above zero. What ends with a
    Friday ends at its midnight."""
    return _moment(_worked(opened_at) + timedelta(hours=hours))


def before(due: datetime, hours: float) -> datetime:
    """The moment so many working hours before a deadline."""
    return _moment(_worked(due) - timedelta(hours=hours))


def left(now: datetime, due: datetime) -> timedelta:
    """The working time that is left until a deadline, never less than none."""
    return max(timedelta(0), _worked(due) - _worked(now))


def _worked(moment: datetime) -> timedelta:
    """The working time from a Monday long ago to a moment."""
    weeks, rest = divmod(moment.astimezone(ACCRA) - _A_MONDAY, _WEEK)
    return weeks * _WORKING + min(rest, _WORKING)


def _moment(worked: timedelta) -> datetime:
    """The first moment by which so much working time has passed."""
    weeks, rest = divmod(worked, _WORKING)
    if not rest:
        weeks, rest = weeks - 1, _WORKING
    return _A_MONDAY + weeks * _WEEK + rest
