"""One trouble as the first page says it, and how it writes moments."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from core.base import clock


@dataclass(frozen=True)
class Problem:
    """One sentence about what stands in the way of selling, and where to act on it."""

    kind: str
    sentence: str
    href: str | None = None
    link: str = ""
    figure: str = ""
    """The figure below that it belongs to; that figure carries the alarm, with `short` in place of
    its calm words."""
    short: str = ""


def at(moment: datetime | None) -> str:
    if moment is None:
        return "–"
    local = moment.astimezone(clock.ACCRA)
    today = local.date() == clock.now().astimezone(clock.ACCRA).date()
    if today:
        return f"{local:%H:%M}"
    return f"{local.day} {local:%b %H:%M}"
