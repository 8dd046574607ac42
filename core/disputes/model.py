"""What a person of ours answers to a dispute: a row with a life of its own, so that it is sent once
whatever crashes. The dispute itself is `core.online.Dispute`."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from sqlalchemy import ForeignKeyConstraint, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.base import clock
from core.base.db import Model
from core.base.refusal import Refusal
from core.base.tenancy import StoreScoped

Answer = Literal["accept", "contest"]
KIND: Literal["watch_dispute"] = "watch_dispute"
OVER = ("won", "lost", "accepted", "auto_accepted", "unknown")
CURRENT = ("asked", "submitting", "taken")
"""States of the one answer of a dispute that counts: the database has no second one."""


class BadAnswer(Refusal):
    """This answer cannot be given now. `sentence` says why, and what can be done."""


class NoSuchDispute(Exception):
    """There is no dispute of that number."""


class DisputeAnswer(Model, StoreScoped):
    """An answer: *asked* → *submitting* (claimed before the call) → *taken* or *refused* by the
    gateway; *dropped* when the dispute came to its end before it was sent."""

    __tablename__ = "dispute_answers"
    __table_args__ = (
        UniqueConstraint("dispute_id", "n"),
        ForeignKeyConstraint(
            ["store_id", "dispute_id"], ["disputes.store_id", "disputes.id"]
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    dispute_id: Mapped[int]
    n: Mapped[int]
    answer: Mapped[str]
    amount_pesewas: Mapped[int]
    """What is given back by it; nothing when it is contested."""
    words: Mapped[str]
    """What is said beside the evidence."""
    state: Mapped[str] = mapped_column(default="asked")
    evidence_id: Mapped[str | None]
    file_name: Mapped[str | None]
    """As the gateway names what was sent before the answer itself."""
    said: Mapped[str] = mapped_column(default="")
    """Why the gateway refused it."""
    asked_by: Mapped[str]
    asked_at: Mapped[datetime] = mapped_column(default=clock.now)
    sent_at: Mapped[datetime | None]
    absent_at: Mapped[datetime | None]
    """When the gateway, after it may have been sent, first still waited for an answer."""
    ended_at: Mapped[datetime | None]
