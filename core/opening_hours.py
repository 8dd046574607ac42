"""When a store's people are there, in Ghana's time, and what customers read while they are not.

Decides how hours are typed and kept, whether a store is away at a moment, and when it is back. A
store without hours is always there. A pause is another thing: `stores.Store.status`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from core.base import clock
from core.base.language import later, say
from core.base.refusal import Refusal
from core.stores import Store

DAYS = (
    later("Monday"),
    later("Tuesday"),
    later("Wednesday"),
    later("Thursday"),
    later("Friday"),
    later("Saturday"),
    later("Sunday"),
)
_DAY = 24 * 60
"""Minutes."""
Span = tuple[int, int]
"""From and until, in minutes of the day it begins on; past midnight `until` is more than a day."""


class BadHours(Refusal):
    """Hours that cannot be kept. `day`: the one that is wrong, Monday is 0; None: all of them."""

    def __init__(self, sentence: str, day: int | None = None) -> None:
        super().__init__(sentence)
        self.day = day


def read(typed: Sequence[tuple[str, str] | None]) -> str:
    """Seven days, Monday first, each from and until as `07:00`, or None for a day off; as `hours`
    of a store. `00:00` to `00:00` is the whole day; until before from is past midnight. Raises
    `BadHours`."""
    if not any(typed):
        raise BadHours(
            "Tick at least one day. To sell nothing for a while, pause your shop."
        )
    return ",".join(_read_day(day, span) for day, span in enumerate(typed))


def _read_day(day: int, span: tuple[str, str] | None) -> str:
    if span is None:
        return ""
    begins, ends = (_minute(day, text) for text in span)
    if begins == ends and begins:
        raise BadHours(
            f"{DAYS[day]} begins and ends at {span[0].strip()}. For the whole day give 00:00 to"
            " 00:00.",
            day,
        )
    return f"{_clock(begins)}-{_clock(ends)}"


def _minute(day: int, text: str) -> int:
    found = re.fullmatch(r"([01]?[0-9]|2[0-4])(?:[:.]([0-5][0-9]))?", text.strip())
    minute = int(found[1]) * 60 + int(found[2] or 0) if found else _DAY + 1
    if minute > _DAY:
        said = f"“{text.strip()}” is no time" if text.strip() else "a time is missing"
        raise BadHours(f"{DAYS[day]}: {said}. Type it like 07:00 or 21:30.", day)
    return minute % _DAY


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def spans(hours: str) -> list[tuple[str, str] | None]:
    """What `read` took, for a form; all None without hours."""
    days = hours.split(",") if hours else [""] * 7
    return [(day[:5], day[6:]) if day else None for day in days]


def _span(hours: str, day: int) -> Span | None:
    """That of a day of the week."""
    found = spans(hours)[day % 7]
    if found is None:
        return None
    begins, ends = (int(text[:2]) * 60 + int(text[3:]) for text in found)
    return begins, ends if ends > begins else ends + _DAY


def back_at(store: Store, at: datetime | None = None) -> datetime | None:
    """When a store that is away at this moment (default: now) is back; None: it is there."""
    if not store.hours:
        return None
    now = (at or clock.now()).astimezone(clock.ACCRA)
    midnight = clock.accra_midnight(now)
    for days in range(-1, 8):
        span = _span(store.hours, now.weekday() + days)
        if span is None:
            continue
        # Ghana knows no summer time: a day is a day
        begins, ends = (midnight + timedelta(days=days, minutes=one) for one in span)
        if begins <= now < ends:
            return None
        if now < begins:
            return begins
    return None


def is_shut(store: Store) -> bool:
    """Whether nobody may order now because of the hour."""
    return store.hours_closed and back_at(store) is not None


def away(store: Store) -> str:
    """What customers read while the store is away; empty while it is there."""
    back = back_at(store)
    if back is None:
        return ""
    when = _when(back)
    if store.hours_closed:
        return say(
            "%(store)s takes orders again %(when)s.", store=store.name, when=when
        )
    return say(
        "%(store)s is back %(when)s. You can order now; it is handled then.",
        store=store.name,
        when=when,
    )


def handled(store: Store) -> str:
    """What who has ordered reads while the store is away; empty while it is there."""
    back = back_at(store)
    if back is None:
        return ""
    return say(
        "%(store)s is back %(when)s and handles it then.",
        store=store.name,
        when=_when(back),
    )


def _when(back: datetime) -> str:
    days = (back.date() - clock.now().astimezone(clock.ACCRA).date()).days
    time = f"{back:%H:%M}"
    if days == 0:
        return say("at %(time)s", time=time)
    if days == 1:
        return say("tomorrow at %(time)s", time=time)
    return say("on %(day)s at %(time)s", day=say(DAYS[back.weekday()]), time=time)
