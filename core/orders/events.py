"""The rows of an order's timeline; `timeline` writes and reads them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKeyConstraint, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from core.base import clock
from core.base.db import Model
from core.base.tenancy import StoreScoped


class OrderEvent(Model, StoreScoped):
    """One line of an order's timeline. Append only."""

    __tablename__ = "order_events"
    __table_args__ = (
        ForeignKeyConstraint(
            ["store_id", "order_id"], ["orders.store_id", "orders.id"]
        ),
        Index("ix_order_events_order", "order_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int]
    at: Mapped[datetime] = mapped_column(default=clock.now)
    who: Mapped[str]
    who_name: Mapped[str]
    kind: Mapped[str]
    text: Mapped[str]
    customer_text: Mapped[str | None]
    detail: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
