"""The tables of the books. `posting` alone has rows written; amounts are in pesewas."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Protocol

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from core.base.db import Model
from core.base.tenancy import StoreOrPlatformScoped

Kind = Literal[
    "fund_float",
    "fund_wallet",
    "hold",
    "commit",
    "capture",
    "release",
    "supplier_refund",
    "write_off",
    "float_difference",
    "rounding",
    "take_back",
    "pay_in",
    "fee_found",
    "owe",
    "fee_to_agent",
    "give_back",
    "refund_done",
    "refund_returned",
    "refund_by_transfer",
    "reversed",
    "loss_to_agent",
    "fund_online",
    "fund_reversed",
    "settlement",
    "gateway_difference",
    "top_up",
    "payout_requested",
    "payout_paid",
    "payout_returned",
    "payout_reversed",
]
NEVER_DEBIT = (
    "wallet",
    "held",
    "customer_funds",
    "earnings_pending",
    "payouts_open",
    "refund_due",
)
"""Accounts of a store that never hold less than nothing; its `earnings` may, by a late reversal."""
STORE_ACCOUNTS = (*NEVER_DEBIT, "earnings")
CREDIT_ACCOUNTS = frozenset({*STORE_ACCOUNTS, "margin"})
"""Pages show these with the sign turned."""


MOST_ROUNDING_PESEWAS = 50
"""The most one posting of kind `rounding` may move, however many purchases it is for."""


SUBJECT = "^(payment|refund|payout|dispute|settlement|top_up):[0-9]+$"
"""What a posting may hang on that is not an order: a row of online payments, by its id."""


class OrderLike(Protocol):
    """What the books need to know of an order."""

    id: int
    store_id: int
    code: str


class Account(Model, StoreOrPlatformScoped):
    __tablename__ = "accounts"
    __table_args__ = (
        Index(
            "uq_accounts_store",
            "store_id",
            "name",
            unique=True,
            postgresql_where=text("store_id IS NOT NULL"),
        ),
        Index(
            "uq_accounts_platform",
            "name",
            unique=True,
            postgresql_where=text("store_id IS NULL"),
        ),
        Index("uq_accounts_store_id_id", "store_id", "id", unique=True),
        CheckConstraint(
            f"(name IN {STORE_ACCOUNTS}) = (store_id IS NOT NULL)", name="owner"
        ),
        CheckConstraint(
            f"name NOT IN {NEVER_DEBIT} OR balance_pesewas <= 0",
            name="no_overdraft",
        ),
        CheckConstraint(
            "name <> 'in_flight' OR balance_pesewas >= 0", name="in_flight"
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    balance_pesewas: Mapped[int] = mapped_column(default=0)
    debits_pesewas: Mapped[int] = mapped_column(default=0, server_default="0")
    credits_pesewas: Mapped[int] = mapped_column(default=0, server_default="0")
    """All that was ever added to either side: the balance is their difference."""


class Posting(Model, StoreOrPlatformScoped):
    __tablename__ = "postings"
    __table_args__ = (
        ForeignKeyConstraint(
            ["store_id", "order_id"], ["orders.store_id", "orders.id"]
        ),
        Index(
            "uq_postings_order_kind_n",
            "order_id",
            "kind",
            "n",
            unique=True,
            postgresql_where=text("order_id IS NOT NULL"),
        ),
        Index(
            "uq_postings_resolved",
            "order_id",
            unique=True,
            postgresql_where=text("kind IN ('capture', 'release')"),
        ),
        Index(
            "uq_postings_subject_kind_n",
            "subject",
            "kind",
            "n",
            unique=True,
            postgresql_where=text("subject IS NOT NULL"),
        ),
        Index(
            "ix_postings_captured",
            "store_id",
            "at",
            postgresql_where=text("kind = 'capture'"),
        ),
        CheckConstraint(
            f"subject IS NULL OR (subject ~ '{SUBJECT}' AND order_id IS NULL)",
            name="subject",
        ),
        Index("uq_postings_store_id_id", "store_id", "id", unique=True),
        Index("ix_postings_at", "at", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int | None]
    kind: Mapped[str]
    n: Mapped[int] = mapped_column(default=1)
    note: Mapped[str] = mapped_column(default="")
    actor_name: Mapped[str]
    at: Mapped[datetime]
    subject: Mapped[str | None]
    """What it hangs on instead of an order, and once of its kind and number: `payment:7`."""


class Entry(Model, StoreOrPlatformScoped):
    __tablename__ = "entries"
    __table_args__ = (
        CheckConstraint("amount_pesewas <> 0", name="not_zero"),
        ForeignKeyConstraint(
            ["store_id", "account_id"], ["accounts.store_id", "accounts.id"]
        ),
        ForeignKeyConstraint(
            ["store_id", "posting_id"], ["postings.store_id", "postings.id"]
        ),
        Index("uq_entries_posting_account", "posting_id", "account_id", unique=True),
        Index("ix_entries_account", "account_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    posting_id: Mapped[int] = mapped_column(ForeignKey("postings.id"))
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    amount_pesewas: Mapped[int]
    balance_pesewas: Mapped[int]
    """The account's balance after this entry."""
