"""A payment message of a store: what was read of it, and the order that it pays.

What it says of its payer goes with the number of that order (`makola_mask_orders`), or as many days
after it was pasted (`makola_prune`). What is left of it then, that a transaction was used, names
nobody.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from core.base import clock
from core.base.db import Model
from core.base.tenancy import StoreScoped
from core.orders import Order

Index(
    "ix_orders_paid",
    Order.store_id,
    Order.id,
    postgresql_where=text(
        "state = 'pending' AND (told_at IS NOT NULL OR confirmed_at IS NOT NULL)"
    ),
)


class PaymentMessage(Model, StoreScoped):
    __tablename__ = "payment_messages"
    __table_args__ = (
        UniqueConstraint(
            "store_id",
            "came_to",
            "transaction_id",
            "amount_pesewas",
            "balance_pesewas",
        ),
        Index(
            "ix_payment_messages_pays_once",
            "store_id",
            "came_to",
            "transaction_id",
            unique=True,
            postgresql_where=text("order_id IS NOT NULL"),
        ),
        ForeignKeyConstraint(
            ["store_id", "order_id"], ["orders.store_id", "orders.id"]
        ),
        CheckConstraint("amount_pesewas > 0", name="amount"),
        CheckConstraint("is_in OR order_id IS NULL", name="only_money_in_pays"),
        CheckConstraint(
            "order_id IS NULL OR put_away_at IS NULL", name="paid_or_put_away"
        ),
        Index(
            "ix_payment_messages_open",
            "store_id",
            "id",
            postgresql_where=text("is_in AND order_id IS NULL AND put_away_at IS NULL"),
        ),
        Index(
            "ix_payment_messages_order",
            "store_id",
            "order_id",
            postgresql_where=text("order_id IS NOT NULL"),
        ),
        Index("ix_payment_messages_newest", "store_id", "id"),
        Index("ix_payment_messages_number", "store_id", "came_to", "provider", "id"),
        Index("ix_payment_messages_transaction", "store_id", "transaction_id"),
        Index(
            "ix_payment_messages_named",
            "pasted_at",
            postgresql_where=text(
                "payer_name <> '' OR payer_msisdn <> '' OR reference <> ''"
            ),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    pasted_at: Mapped[datetime] = mapped_column(default=clock.now)
    pasted_by: Mapped[str]
    came_to: Mapped[str]
    """The store's own number to which the money came, as whoever pasted it says."""
    provider: Mapped[str]
    transaction_id: Mapped[str]
    is_in: Mapped[bool]
    amount_pesewas: Mapped[int]
    balance_pesewas: Mapped[int]
    fee_pesewas: Mapped[int]
    payer_name: Mapped[str]
    payer_msisdn: Mapped[str]
    reference: Mapped[str]
    paid_at: Mapped[datetime | None]
    """As the message says; many say none."""
    is_from_chat: Mapped[bool]

    order_id: Mapped[int | None]
    """The order it pays: of one message one order, for ever once that was processed."""
    matched_at: Mapped[datetime | None]
    matched_by: Mapped[str | None]
    put_away_at: Mapped[datetime | None]
    """When somebody said that it is for no order."""
    put_away_by: Mapped[str | None]

    @property
    def before_pesewas(self) -> int:
        """The balance before it, by what it says of itself."""
        if self.is_in:
            return self.balance_pesewas - self.amount_pesewas + self.fee_pesewas
        return self.balance_pesewas + self.amount_pesewas + self.fee_pesewas

    @property
    def happened_at(self) -> datetime:
        """When it was paid; when it was pasted, if it does not say."""
        return self.paid_at or self.pasted_at
