"""What a person is asked of a day: a case for each cause, and the same again does not ask twice."""

from __future__ import annotations

from datetime import date
from typing import Any

from core import cases
from core.base import clock, config
from core.base.db import transaction
from core.base.preconditions import inside_use_case, needs_across_stores
from core.gateway_days.causes import CAUSES
from core.online.listed import GatewayDay


@inside_use_case
def note_unreadable(day: GatewayDay, rows: int) -> None:
    """A list had rows that nobody here can read."""
    said = {"day": str(day.day), "rows": rows}
    subject = f"day:{day.day}:unreadable"
    if not cases.judged_before("payments_differ", subject, said):
        cases.open_case("payments_differ", subject, said)


@inside_use_case
def tell_slow(day: GatewayDay) -> None:
    """A day that is under way for hours cannot be read."""
    if clock.now() - day.begun_at > clock.delta(config.current().gateway_day_slow_s):
        said = {
            "day": str(day.day),
            "since": day.begun_at.isoformat(),
            "what": "The gateway's lists cannot be read to their end. See its calls.",
        }
        cases.open_case("payments_unlisted", f"day:{day.day}:unread", said)


@needs_across_stores
def tell_too_long(day: date) -> None:
    """The list of settlements did not end within the pages that are read: nothing of it is cut, the
    day stands still."""
    said = {
        "day": str(day),
        "what": "The gateway's list of settlements has no end that we reach: ask the gateway.",
    }
    with transaction():
        cases.open_case("payments_unlisted", f"day:{day}:endless", said)


@inside_use_case
def ask(day: date, name: str, share: dict[str, Any]) -> None:
    """Somebody has to look at the payments of this cause."""
    seen = {
        "day": str(day),
        "cause": CAUSES[name].title,
        "payments": share["count"],
        "sum_pesewas": share["pesewas"],
        "references": share["named"],
    }
    kind, subject = CAUSES[name].case, f"day:{day}:{name}"
    if not cases.judged_before(kind, subject, seen):
        cases.open_case(kind, subject, seen)
