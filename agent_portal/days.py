"""One day at a glance, beside the day before: what came, was delivered, failed and earned.

Decides which day an address means and how it is named. The numbers are `core.day_summary`'s.
"""

from __future__ import annotations

from datetime import date, timedelta

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from agent_portal import bars, bp
from core import day_summary, proof
from core.base import clock, money
from core.day_summary import DAY, Day

EARLIEST = date(2000, 1, 1)


@bp.get("/days")
def show_day() -> ResponseReturnValue:
    """Today, or the day that the address names; a day to come, or an odd one, leads to today."""
    today = day_summary.today()
    typed = request.args.get("on", "")
    day = _day(typed, today)
    if day is None:
        return redirect(url_for(".show_day"), 303)
    one, before = day_summary.of(day)
    is_today = day == today
    return render_template(
        "portal/day.html",
        one=one,
        before=before,
        name=name(day, today),
        name_before=name(day - DAY, today),
        is_today=is_today,
        earlier=f"/days?on={day - DAY}" if day > EARLIEST else None,
        later=None if is_today else _address(day + DAY, today),
        bars=_bars(one, is_today=is_today),
        most=day_summary.MOST,
        standing=proof.standing_for_agents(),
    )


def name(day: date, today: date) -> str:
    """`Today`, `Yesterday`, `Fri 27 Nov 2026`."""
    if day == today:
        return "Today"
    if day == today - timedelta(days=1):
        return "Yesterday"
    return f"{day:%a} {day.day} {day:%b %Y}"


def _day(typed: str, today: date) -> date | None:
    if not typed:
        return today
    try:
        day = date.fromisoformat(typed)
    except ValueError:
        return None
    return day if EARLIEST <= day <= today else None


def _address(day: date, today: date) -> str:
    return "/days" if day == today else f"/days?on={day}"


def _bars(one: Day, *, is_today: bool) -> bars.Bars:
    """Profit by the hour; of today the hours so far."""
    last = clock.now().astimezone(clock.ACCRA).hour if is_today else 23
    profit = [hour.profit_pesewas for hour in one.hours[: last + 1]]
    profit += [0] * (23 - last)
    total = money.cedis(one.earned.profit_pesewas)
    return bars.draw(
        profit, f"Profit by the hour of the day as bars: {total} in all.", is_over=True
    )
