"""When a store is away, when it is back, and how hours are typed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from core import opening_hours
from core.opening_hours import BadHours
from core.stores import Store

WEEK = "07:00-21:00,07:00-21:00,,07:00-21:00,18:00-02:00,00:00-00:00,"
"""Wednesday and Sunday off, Friday past midnight, the whole Saturday."""


def back(day: int, hour: int, minute: int = 0, hours: str = WEEK) -> str:
    """When it is back, at a moment of a week that begins on Monday the 5th; empty: there."""
    store = Store(name="Ama", hours=hours)
    found = opening_hours.back_at(
        store, datetime(2026, 1, day, hour, minute, tzinfo=UTC)
    )
    return f"{found:%d %H:%M}" if found else ""


@pytest.mark.parametrize(
    ("day", "hour", "minute", "expected"),
    [
        (5, 6, 59, "05 07:00"), (5, 7, 0, ""), (5, 20, 59, ""), (5, 21, 0, "06 07:00"),
        (6, 21, 0, "08 07:00"), (7, 12, 0, "08 07:00"), (9, 17, 59, "09 18:00"),
        (9, 23, 59, ""), (10, 1, 59, ""), (10, 23, 59, ""), (11, 0, 0, "12 07:00"),
        (11, 23, 0, "12 07:00"), (12, 0, 0, "12 07:00"),
    ],
)  # fmt: skip
def test_at_each_minute(day: int, hour: int, minute: int, expected: str) -> None:
    assert back(day, hour, minute) == expected


def test_past_midnight_into_a_day_off() -> None:
    hours = "22:00-03:00,,,,,,"
    assert back(6, 2, 59, hours) == "" and back(6, 3, 0, hours) == "12 22:00"
    assert (
        back(5, 3, 0, ",,,,,,20:00-04:00") == "" and back(5, 4, 0, hours) == "05 22:00"
    )


def test_without_hours_it_is_always_there() -> None:
    assert back(5, 3, 0, "") == ""


def test_hours_as_people_type_them() -> None:
    day = ("7", "21.30")
    assert opening_hours.read(
        [day, None, ("24:00", "0:00"), None, None, None, None]
    ) == ("07:00-21:30,,00:00-00:00,,,,")
    assert opening_hours.spans("07:00-21:30,,,,,,")[:2] == [("07:00", "21:30"), None]


@pytest.mark.parametrize(
    ("span", "said"),
    [
        (("07:60", "21:00"), "Tuesday: “07:60” is no time"), (("", "21:00"), "is missing"),
        (("25:00", "21:00"), "no time"), (("24:30", "21:00"), "no time"),
        (("07:00", "07:00"), "begins and ends"), (("7am", "9pm"), "Type it like 07:00"),
    ],
)  # fmt: skip
def test_hours_that_are_none_are_a_sentence(span: tuple[str, str], said: str) -> None:
    with pytest.raises(BadHours, match=said) as refused:
        opening_hours.read([None, span, None, None, None, None, None])
    assert refused.value.day == 1


def test_a_week_of_days_off_is_no_hours() -> None:
    with pytest.raises(BadHours, match="Tick at least one day"):
        opening_hours.read([None] * 7)
