"""The rows of sessions: one log-in on one device, and how long it may last."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, ForeignKey, case
from sqlalchemy.orm import Mapped, mapped_column

from core.base import clock, config
from core.base.db import Model


class LoginSession(Model):
    """One log-in on one device. Only a hash of its token is kept, so that nobody can log in with a
    copy of the table."""

    __tablename__ = "sessions"

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    door: Mapped[str]
    store_id: Mapped[int | None] = mapped_column(ForeignKey("stores.id"))
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    seen_at: Mapped[datetime] = mapped_column(default=clock.now)
    device: Mapped[str] = mapped_column(default="")
    access_no: Mapped[int] = mapped_column(default=0)
    own_device: Mapped[bool] = mapped_column(default=False)
    """The person's own phone or computer, at the portal: it may be idle and live longer."""
    confirmed_at: Mapped[datetime | None]
    """When its person last showed that it is them: at the log-in, or when they were asked since."""
    seen_from: Mapped[str] = mapped_column(default="")
    """The address that it was last seen from."""

    def is_over(self, now: datetime) -> bool:
        """Whether it idled out or is too old. A person's idle time is not a machine's duration: it
        is never scaled."""
        idle_s, longest_s = limits_s(self.own_device)
        idle = (now - self.seen_at).total_seconds()
        return idle > idle_s or (now - self.created_at).total_seconds() > longest_s


def limits_s(own_device: bool) -> tuple[int, int]:
    """How long a session may be idle, and live at all, in seconds."""
    settings = config.current()
    if own_device:
        return settings.own_idle_s, settings.own_absolute_s
    return settings.session_idle_s, settings.session_absolute_s


def within(moment: str, which: int) -> ColumnElement[bool]:
    """That a row's `moment` is not longer ago than the limit that is `which` of `limits_s`."""
    since = [
        clock.now() - timedelta(seconds=limits_s(own)[which]) for own in (True, False)
    ]
    column: ColumnElement[datetime] = getattr(LoginSession, moment)
    return column > case((LoginSession.own_device, since[0]), else_=since[1])


def hash_of(token: str) -> str:
    """What is kept of a session's token."""
    return hashlib.sha256(token.encode()).hexdigest()
