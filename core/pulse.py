"""Which of the processes behind the pages are alive: one row for each, touched by the process itself as it works.

Kept in PostgreSQL, so a flush of Valkey hides nobody, and a beat shows that its process reaches the database, without
which it is of no use. Who beats, and when it is late, is decided elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from core import clock
from core.db import Model, db, transaction

ALIVE_S = 60
"""A process whose last beat is older than this, unscaled, is not counted as alive: it beats every 20 s or so."""
_KEEP_H = 24


class Pulse(Model):
    __tablename__ = "pulses"

    name: Mapped[str] = mapped_column(primary_key=True)
    role: Mapped[str]
    at: Mapped[datetime]
    times: Mapped[int] = mapped_column(default=1)


@dataclass(frozen=True)
class Beat:
    """What we know of one role: processes alive, the age of the newest beat in seconds, beats counted in all."""

    alive: int
    age_s: float
    times: int


def touch(role: str, name: str) -> None:
    """One beat of a process; `name` is its own among all machines."""
    now = clock.now()
    with transaction() as session:
        session.execute(
            insert(Pulse)
            .values(name=name, role=role, at=now, times=1)
            .on_conflict_do_update(index_elements=[Pulse.name], set_={"at": now, "times": Pulse.times + 1})
        )


def beats() -> dict[str, Beat]:
    """Every role that ever beat."""
    now = clock.now()
    rows = db.session.execute(
        select(
            Pulse.role,
            func.count().filter(Pulse.at > now - timedelta(seconds=ALIVE_S)),
            func.max(Pulse.at),
            func.sum(Pulse.times),
        ).group_by(Pulse.role)
    )
    return {role: Beat(alive, (now - newest).total_seconds(), int(times)) for role, alive, newest, times in rows}


def prune() -> int:
    """Forget processes that ended long ago. Returns how many rows went."""
    with transaction() as session:
        gone = session.execute(delete(Pulse).where(Pulse.at < clock.now() - timedelta(hours=_KEEP_H)))
        return int(gone.rowcount)  # type: ignore[attr-defined]
