"""Which of the processes behind the pages are alive: one row for each, touched by the process
itself as it works.

Kept in PostgreSQL, so that a flush of Valkey hides nobody, and because a heartbeat must show that
its process reaches the database, without which it is of no use. Recorded from the very loop that
takes work: a process that hangs stops being heard. The same rows count what a process that keeps
going must not lose sight of, such as lost rings.
"""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from core.base import clock
from core.base.db import Model, db, rows_changed, transaction
from core.base.tenancy import as_platform

Role = Literal["relay", "worker", "payments"]
ROLES: tuple[Role, ...] = ("relay", "worker")
RINGS_LOST = "rings lost"
UNSIGNED_OF_GATEWAY = "unsigned of the gateway"
UNSIGNED_FROM_GATEWAY = "unsigned from the gateway's own addresses"
BEAT_S = 10
"""A process records itself at most this often; a worker that waits for work, every 20 s."""
ALIVE_S = 60
"""A process whose last heartbeat is older is not counted as alive: it may be busy with a long job,
or gone."""
_COUNTER = "counter"
_KEEP_H = 24
_last_beat = float("-inf")


class Heartbeat(Model):
    __tablename__ = "pulses"

    name: Mapped[str] = mapped_column(primary_key=True)
    role: Mapped[str]
    at: Mapped[datetime]
    times: Mapped[int] = mapped_column(default=1)


@dataclass(frozen=True)
class Health:
    """What we know of one role: processes alive, and the age of the newest heartbeat in seconds."""

    alive: int
    age_s: float


def record(role: Role) -> None:
    """This process is at work. Writes at most every `BEAT_S`."""
    global _last_beat
    if time.monotonic() - _last_beat >= BEAT_S:
        _touch(role, f"{role} {socket.gethostname()}:{os.getpid()}")
        _last_beat = time.monotonic()


def count(name: str) -> None:
    """Add one to the counter `name`, which all processes share."""
    _touch(_COUNTER, name)


@as_platform
def health() -> dict[str, Health]:
    """Every role that beat within a day; a role that is missing here is not alive."""
    now = clock.now()
    rows = db.session.execute(
        select(
            Heartbeat.role,
            func.count().filter(Heartbeat.at > now - timedelta(seconds=ALIVE_S)),
            func.max(Heartbeat.at),
        )
        .where(Heartbeat.role != _COUNTER)
        .group_by(Heartbeat.role)
    )
    return {
        role: Health(alive, (now - newest).total_seconds())
        for role, alive, newest in rows
    }


@as_platform
def counted(name: str) -> int:
    """How often `count(name)` was called, in all processes and for ever."""
    return (
        db.session.scalar(
            select(Heartbeat.times).where(
                Heartbeat.name == name, Heartbeat.role == _COUNTER
            )
        )
        or 0
    )


@as_platform
def last_counted(name: str) -> datetime | None:
    """When `count(name)` was called last, in any process."""
    return db.session.scalar(
        select(Heartbeat.at).where(Heartbeat.name == name, Heartbeat.role == _COUNTER)
    )


@as_platform
def prune() -> int:
    """Forget processes that ended long ago. Returns how many rows went."""
    with transaction():
        old = Heartbeat.at < clock.now() - timedelta(hours=_KEEP_H)
        return rows_changed(delete(Heartbeat).where(Heartbeat.role != _COUNTER, old))


@as_platform
def _touch(role: str, name: str) -> None:
    now = clock.now()
    with transaction() as session:
        session.execute(
            insert(Heartbeat)
            .values(name=name, role=role, at=now, times=1)
            .on_conflict_do_update(
                index_elements=[Heartbeat.name],
                set_={"at": now, "times": Heartbeat.times + 1},
            )
        )
