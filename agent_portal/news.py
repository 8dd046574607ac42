"""News: what happened in the store that its people want to know in time, with what this person has
not read yet.

Decides how pieces of one kind that follow each other are put together. What is told is
`core.notices`'s.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from agent_portal import bp
from agent_portal.auth import actor
from core import notices
from core.base import clock, config
from core.notices import Kind
from core.notices.reading import Notice
from core.queue_view import Standing

TOGETHER = 4
"""So many of a kind in a row are one line, with the single ones folded."""


@dataclass(frozen=True)
class Line:
    """One line of the list: pieces of one kind, the newest first."""

    kind: Kind
    pieces: list[Notice]
    is_new: bool

    @property
    def words(self) -> str:
        return self.kind.words(len(self.pieces))

    @property
    def is_folded(self) -> bool:
        return len(self.pieces) >= TOGETHER


@bp.get("/news")
def show_news() -> ResponseReturnValue:
    """What happened in the last days, the newest first."""
    until = clock.now()
    read_until = notices.marks.read_until(_me())
    lines = _lines(notices.reading.listed(), read_until)
    return render_template(
        "portal/news.html",
        lines=lines,
        has_new=any(line.is_new for line in lines),
        until=until.timestamp(),
        days=notices.reading.DAYS,
    )


@bp.post("/news/read")
def read_news() -> ResponseReturnValue:
    """This person has read what a page showed: what came after it stays new."""
    notices.marks.read(_me(), _moment(request.form.get("until", "")))
    flash("Marked as read.")
    return redirect(url_for(".show_news"), 303)


def unread(stands: Standing) -> int:
    """How much of the news of the last days this person has not read. What is wrong now is asked
    about when `stands` says that it is."""
    kinds = set(notices.KINDS)
    if stands.wallet.available_pesewas >= config.current().low_wallet_pesewas:
        kinds.discard(notices.kinds.LOW)
    if not stands.now.short:
        kinds.discard(notices.kinds.SHORT)
    since = notices.marks.read_until(_me())
    return sum(notices.reading.counted(since, clock.now(), kinds).values())


def _me() -> int:
    found = actor().user_id
    assert found is not None
    return found


def _lines(pieces: Iterable[Notice], read_until: datetime) -> list[Line]:
    """Together is what is of one kind, and all new or all read."""
    return [
        Line(notices.KINDS[kind], list(some), is_new)
        for (kind, is_new), some in groupby(
            pieces, key=lambda one: (one.kind, one.at > read_until)
        )
    ]


def _moment(said: str) -> datetime:
    """What a page was drawn at; now for what is no moment."""
    try:
        return datetime.fromtimestamp(float(said), UTC)
    except (ValueError, OverflowError, OSError):
        return clock.now()
