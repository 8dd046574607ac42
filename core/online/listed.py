"""What the gateway's own lists say, as rows of the platform: its payments, its settlements, and
each day of Accra beside our books. Amounts are in pesewas."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import ForeignKey, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from core.base import clock
from core.base.db import Model


class GatewaySettlement(Model):
    """Collections that the gateway handed on, as its list has them."""

    __tablename__ = "gateway_settlements"

    id: Mapped[int] = mapped_column(primary_key=True)
    gateway_id: Mapped[str] = mapped_column(unique=True)
    raw_word: Mapped[str]
    """`success`, `processing`, `pending`, `failed`, or a word nobody has seen."""
    currency: Mapped[str]
    total_pesewas: Mapped[int | None]
    fees_pesewas: Mapped[int | None]
    deductions_pesewas: Mapped[int | None]
    effective_pesewas: Mapped[int | None]
    """Total less fees less deductions: the line of the bank."""
    settled_at: Mapped[datetime]
    next_page: Mapped[int] = mapped_column(server_default=text("1"))
    """Which page of its payments is read next; 0 when all are."""
    read_at: Mapped[datetime] = mapped_column(default=clock.now)
    went: Mapped[str | None]
    """Where its money went: `bank` (booked), `balance`, `by_hand` (a person has booked it) or
    `nowhere` (nothing of ours is in it)."""
    booked_pesewas: Mapped[int] = mapped_column(server_default=text("0"))
    ours_pesewas: Mapped[int | None]
    """What of our payments in it was to reach us; None of one that was never judged."""
    explained_pesewas: Mapped[int] = mapped_column(server_default=text("0"))
    """What of that was taken off for refunds and disputes of ours."""
    accepted_pesewas: Mapped[int] = mapped_column(server_default=text("0"))
    """What a person has accepted: as a loss, or, below nothing, as a gain."""
    tries: Mapped[int] = mapped_column(server_default=text("0"))
    """How often it could not be read."""
    try_at: Mapped[datetime | None]
    """When it is tried again."""
    closed_at: Mapped[datetime | None]

    @property
    def subject(self) -> str:
        return f"settlement:{self.id}"

    @property
    def open_pesewas(self) -> int:
        """What it brought less than is ours (more, below nothing), explained by nothing."""
        if self.ours_pesewas is None:
            return 0
        known = self.booked_pesewas + self.explained_pesewas + self.accepted_pesewas
        return self.ours_pesewas - known


class GatewayLine(Model):
    """A payment as the gateway's lists have it; also of other shops on the same account."""

    __tablename__ = "gateway_lines"

    id: Mapped[int] = mapped_column(primary_key=True)
    reference: Mapped[str] = mapped_column(unique=True)
    gateway_id: Mapped[str | None]
    word: Mapped[str]
    """The gateway's word, translated; `absent` when it was asked and does not know it."""
    raw_word: Mapped[str]
    mode: Mapped[str]
    """`live`, `test`, or empty when the record does not say."""
    currency: Mapped[str]
    charged_pesewas: Mapped[int | None]
    fees_pesewas: Mapped[int | None]
    paid_at: Mapped[datetime | None]
    is_listed: Mapped[bool]
    """Whether the list of payments, or a look-up, had it; else a settlement alone did."""
    settlement_id: Mapped[int | None] = mapped_column(
        ForeignKey("gateway_settlements.id")
    )
    read_at: Mapped[datetime]


class GatewayDay(Model):
    """One day of Accra: our payments, the gateway's, what it settled of them."""

    __tablename__ = "gateway_days"

    day: Mapped[date] = mapped_column(primary_key=True)
    step: Mapped[str | None]
    """What is read or compared now; None when it is done."""
    after: Mapped[str] = mapped_column(server_default=text("''"))
    """Where that step goes on."""
    work: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    """The tally of the run under way."""
    begun_at: Mapped[datetime] = mapped_column(default=clock.now)
    done_at: Mapped[datetime | None]
    ours_count: Mapped[int] = mapped_column(server_default=text("0"))
    ours_pesewas: Mapped[int] = mapped_column(server_default=text("0"))
    theirs_count: Mapped[int] = mapped_column(server_default=text("0"))
    theirs_pesewas: Mapped[int] = mapped_column(server_default=text("0"))
    settled_count: Mapped[int] = mapped_column(server_default=text("0"))
    settled_pesewas: Mapped[int] = mapped_column(server_default=text("0"))
    causes: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    """Cause → how many, what they sum to, what they make ours differ by, the first of them."""
    rung_until: Mapped[datetime | None]
    """When the last payment is looked at that this day rang."""
    is_open: Mapped[bool] = mapped_column(server_default=text("false"))
    """Something in it resolves by itself: it is compared anew each day until then."""
