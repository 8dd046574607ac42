"""Until when each person has read the notices of a store."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from core.base import clock, tenancy
from core.base.db import Model, db, transaction
from core.base.tenancy import StoreScoped

FIRST = timedelta(days=1)
"""Who never read any is not told of older ones as new."""


class NoticeMark(Model, StoreScoped):
    __tablename__ = "notice_marks"

    store_id: Mapped[int] = mapped_column(ForeignKey("stores.id"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    read_at: Mapped[datetime]


def read_until(user_id: int) -> datetime:
    """Up to when this person has read the current store's notices."""
    found = db.session.scalar(
        select(NoticeMark.read_at).where(NoticeMark.user_id == user_id)
    )
    return found or clock.now() - FIRST


def read(user_id: int, until: datetime) -> None:
    """This person has read what came up to a moment. An old page marks nothing as unread."""
    until = min(until, clock.now())
    made = insert(NoticeMark).values(
        store_id=tenancy.current_store_id(), user_id=user_id, read_at=until
    )
    newer = made.excluded.read_at
    with transaction() as session:
        session.execute(
            made.on_conflict_do_update(
                index_elements=["store_id", "user_id"],
                set_={"read_at": newer},
                where=NoticeMark.read_at < newer,
            )
        )
