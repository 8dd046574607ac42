"""What the supplier said its wallet holds for us, each answer beside what our books said then, and
the last failed read.

Remembers only: what a balance means is judged in `reconcile`.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Mapped, mapped_column

from core.base import clock
from core.base.db import Model, db, transaction
from core.base.tenancy import as_platform
from core.supplier import supply


class BalanceRead(Model):
    """One answer of the supplier about our balance, beside what our books said at that moment."""

    __tablename__ = "balance_reads"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    supplier: Mapped[str]
    balance_pesewas: Mapped[int]
    said: Mapped[str] = mapped_column(default="")
    """The balance in cedis with every digit as it was sent; empty when it was told with a
    purchase."""
    float_pesewas: Mapped[int]
    unresolved_pesewas: Mapped[int]
    """What orders sent and not answered for may have cost; beside it the other doubts of that
    moment (`reconcile.doubts`)."""
    charged_again_pesewas: Mapped[int] = mapped_column(default=0)
    may_be_back_pesewas: Mapped[int] = mapped_column(default=0)
    verdict: Mapped[str]


@as_platform
def newest(limit: int) -> list[BalanceRead]:
    """The newest reads first."""
    return list(
        db.session.scalars(
            select(BalanceRead).order_by(BalanceRead.id.desc()).limit(limit)
        )
    )


@as_platform
def note_failed(why: str) -> None:
    """A read brought no balance; `why` is what people read."""
    with transaction():
        link = supply.locked_state()
        link.balance_failed_at = clock.now()
        link.balance_failure = why
