"""Until when a dispute is to be answered: hours of working days in Ghana."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.disputes import deadline


def at(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("opened", "hours", "due"),
    [
        # within a week
        ("2026-11-30 00:00", 48, "2026-12-02 00:00"),
        ("2026-12-01 09:15", 48, "2026-12-03 09:15"),
        ("2026-12-02 23:59", 48, "2026-12-04 23:59"),
        # over a weekend: Friday evening is Tuesday evening
        ("2026-12-04 18:00", 48, "2026-12-08 18:00"),
        ("2026-12-03 12:00", 48, "2026-12-07 12:00"),
        ("2026-12-04 23:59", 48, "2026-12-08 23:59"),
        ("2026-12-05 00:00", 48, "2026-12-09 00:00"),
        # a weekend's opening begins with Monday
        ("2026-12-05 10:00", 48, "2026-12-09 00:00"),
        ("2026-12-06 23:59", 48, "2026-12-09 00:00"),
        ("2026-12-07 00:00", 48, "2026-12-09 00:00"),
        # what ends with a Friday ends at its midnight
        ("2026-12-03 00:00", 48, "2026-12-05 00:00"),
        # across months, years and the 29th of February
        ("2026-10-30 20:00", 48, "2026-11-03 20:00"),
        ("2026-12-31 08:00", 48, "2027-01-04 08:00"),
        ("2028-02-28 10:00", 48, "2028-03-01 10:00"),
        # longer than a week
        ("2026-12-04 18:00", 240, "2026-12-18 18:00"),
    ],
)
def test_the_deadline_stands_still_at_weekends(
    opened: str, hours: float, due: str
) -> None:
    assert deadline.due_at(at(opened), hours) == at(due)


@pytest.mark.parametrize(
    ("due", "hours", "reminder"),
    [
        ("2026-12-08 18:00", 24, "2026-12-07 18:00"),
        ("2026-12-08 18:00", 6, "2026-12-08 12:00"),
        # a Monday's deadline is reminded of on Friday, when somebody reads it
        ("2026-12-07 03:00", 6, "2026-12-04 21:00"),
        ("2026-12-07 10:00", 24, "2026-12-04 10:00"),
        # one that the gateway put into a weekend counts as Friday's end
        ("2026-12-06 12:00", 6, "2026-12-04 18:00"),
    ],
)
def test_reminders_come_on_working_days(due: str, hours: float, reminder: str) -> None:
    assert deadline.before(at(due), hours) == at(reminder)


MOMENTS = st.datetimes(
    datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)
)
HOURS = st.integers(1, 60 * 24 * 30).map(lambda minutes: minutes / 60)


@given(MOMENTS, HOURS)
def test_a_deadline_has_all_its_hours_on_working_days(
    opened: datetime, hours: float
) -> None:
    due = deadline.due_at(opened, hours)
    assert deadline.left(opened, due) == timedelta(hours=hours)
    # it falls on a working day, or on the midnight that ends one
    assert (due - timedelta(microseconds=1)).weekday() < 5
    assert due - opened >= timedelta(hours=hours)
    assert deadline.due_at(deadline.before(due, hours), hours) == due


@given(MOMENTS, MOMENTS, HOURS)
def test_who_is_later_has_no_earlier_deadline(
    one: datetime, other: datetime, hours: float
) -> None:
    first, second = sorted((one, other))
    assert deadline.due_at(first, hours) <= deadline.due_at(second, hours)
    assert deadline.left(second, first) == timedelta(0)


@given(MOMENTS, st.integers(1, 400))
def test_hour_by_hour_it_is_the_same(opened: datetime, hours: int) -> None:
    """Against a slow clock that ticks a minute only on working days."""
    start = opened.replace(second=0, microsecond=0)
    moment, left = start, hours * 4
    step = timedelta(minutes=15)
    while left:
        if (
            moment.weekday() < 5
            and (moment + step - timedelta.resolution).weekday() < 5
        ):
            left -= 1
            moment += step
        elif moment.weekday() < 5:
            return  # a quarter that begins on Friday and ends on Saturday: not this clock's
        else:
            moment = (moment + timedelta(days=1)).replace(hour=0, minute=0)
    assert deadline.due_at(start, hours) == moment
