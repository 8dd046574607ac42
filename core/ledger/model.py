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
]
STORE_ACCOUNTS = ("wallet", "held")
CREDIT_ACCOUNTS = frozenset({"wallet", "held", "margin"})
"""Pages show these with the sign turned."""


MOST_ROUNDING_PESEWAS = 50
"""The most one posting of kind `rounding` may move, however many purchases it is for."""


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
            "(name IN ('wallet', 'held')) = (store_id IS NOT NULL)", name="owner"
        ),
        CheckConstraint(
            "name NOT IN ('wallet', 'held') OR balance_pesewas <= 0",
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
