"""What orders are found by, one word a row: a trigger writes it, whoever writes the order.

`#7654` is the end of a number, its last four digits from the last, which stay when the number is
forgotten. Any other word is one of the customer's name in small letters, and goes with it.
"""

from __future__ import annotations

from sqlalchemy import ForeignKeyConstraint, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from core.base.db import Model
from core.base.tenancy import StoreScoped
from core.orders.model import Order

END_DIGITS = 4


class OrderWord(Model, StoreScoped):
    __tablename__ = "order_words"
    __table_args__ = (
        ForeignKeyConstraint(
            ["store_id", "order_id"],
            [Order.__table__.c.store_id, Order.__table__.c.id],
        ),
        Index("ix_order_words_all", "word", "order_id"),
    )
    __mapper_args__ = {"primary_key": ["store_id", "word", "order_id"]}  # noqa: RUF012

    order_id: Mapped[int] = mapped_column(primary_key=True)
    word: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)


def words_of_end(digits: str) -> list[str]:
    """The words of numbers that end in these three digits or more."""
    end = "#" + digits[-END_DIGITS:][::-1]
    if len(digits) >= END_DIGITS:
        return [end]
    return [f"{end}{digit}" for digit in range(10)]
