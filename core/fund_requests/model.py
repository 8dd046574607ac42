"""A request for money into a store's wallet. Amounts in pesewas.

That an approved one is booked, and once, is a rule of the table: it names its posting.
"""

from __future__ import annotations

import re
from datetime import datetime

from sqlalchemy import (
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from core.base import clock, text_input
from core.base.db import Model
from core.base.refusal import Refusal
from core.base.tenancy import StoreScoped

SHORTEST_REFERENCE = 3
LONGEST_REFERENCE = 60
LONGEST_WORDS = 200


class BadRequest(Refusal):
    """A request that cannot be made or decided so. `field` is where it stands in the form."""

    def __init__(self, sentence: str, field: str = "reference") -> None:
        super().__init__(sentence)
        self.field = field


class NoSuchRequest(Refusal):
    """No request of this id that this work may see."""

    sentence = "There is no such request."


class FundRequest(Model, StoreScoped):
    __tablename__ = "fund_requests"
    __table_args__ = (
        CheckConstraint("amount_pesewas > 0", name="amount"),
        CheckConstraint(
            "decision IN ('approved', 'refused', 'withdrawn')", name="decision"
        ),
        CheckConstraint(
            "(decision IS NOT NULL AND decision = 'approved') = (posting_id IS NOT NULL)",
            name="approved_is_booked",
        ),
        CheckConstraint(
            "(decision IS NULL) = (decided_at IS NULL)"
            " AND (decision IS NULL) = (decided_by IS NULL)",
            name="decided",
        ),
        ForeignKeyConstraint(
            ["store_id", "posting_id"], ["postings.store_id", "postings.id"]
        ),
        Index("ix_fund_requests_newest", "store_id", "id"),
        Index("ix_fund_requests_reference", "reference_key"),
        Index(
            "ix_fund_requests_waiting",
            "asked_at",
            "id",
            postgresql_where=text("decision IS NULL"),
        ),
        Index(
            "ix_fund_requests_waits_once",
            "store_id",
            "reference_key",
            unique=True,
            postgresql_where=text("decision IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    asked_at: Mapped[datetime] = mapped_column(default=clock.now)
    asked_by: Mapped[str]
    amount_pesewas: Mapped[int]
    reference: Mapped[str]
    """As the agent typed it: the transaction id of their payment, or what was agreed."""
    reference_key: Mapped[str]
    decision: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str | None]
    # by the database alone: the stores' role may not write it
    words: Mapped[str] = mapped_column(server_default="")
    """Why it was refused, for the agent."""
    posting_id: Mapped[int | None] = mapped_column(unique=True)


def key_of(reference: str) -> str:
    """A reference as two are compared: letters and digits alone, in one case."""
    return re.sub(r"[\W_]+", "", text_input.seen(reference).casefold())
