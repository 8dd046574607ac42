"""Where a store's earnings are paid out to, and whether that is done each week by itself.

A number is never changed, only followed by another: the newest row of a store counts.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, UniqueConstraint, select
from sqlalchemy.orm import Mapped, mapped_column

from core.base import clock
from core.base.db import Model, db
from core.base.tenancy import StoreScoped


class PayoutAccount(Model, StoreScoped):
    """A mobile-money number that earnings may go to."""

    __tablename__ = "payout_accounts"
    __table_args__ = (UniqueConstraint("store_id", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    network: Mapped[str]
    number: Mapped[str]
    person: Mapped[str]
    """Who set it, by the name that the platform knows: the account's is compared with it."""
    state: Mapped[str] = mapped_column(default="checking")
    """*checking* → *usable*, *asked* (a person of the platform decides) or *refused*."""
    account_name: Mapped[str] = mapped_column(default="")
    """Whose it is, as its network says; empty while nobody said."""
    recipient_code: Mapped[str | None]
    """How the gateway calls it."""
    tries: Mapped[int] = mapped_column(default=0)
    made_at: Mapped[datetime] = mapped_column(default=clock.now)
    made_by: Mapped[str]
    usable_from: Mapped[datetime]
    """Not before, however good it is: a change waits, so that its people see it in time."""
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str | None]
    words: Mapped[str] = mapped_column(default="")
    """Why it was refused, for the agent."""

    @property
    def waits(self) -> bool:
        """Whether it is good and its pause is not over."""
        return self.state == "usable" and clock.now() < self.usable_from


class PayoutSchedule(Model, StoreScoped):
    """Whether a store is paid out each week by itself. A store without a row never said so."""

    __tablename__ = "payout_schedules"

    store_id: Mapped[int] = mapped_column(ForeignKey("stores.id"), primary_key=True)
    weekly: Mapped[bool]
    next_at: Mapped[datetime]
    words: Mapped[str] = mapped_column(default="")
    """Why nothing was asked for the last time, for the agent."""
    changed_by: Mapped[str]


def account(store_id: int) -> PayoutAccount | None:
    """The number that counts; None before one was given."""
    return db.session.scalar(
        select(PayoutAccount)
        .where(PayoutAccount.store_id == store_id)
        .order_by(PayoutAccount.id.desc())
        .limit(1)
        .execution_options(populate_existing=True)
    )
