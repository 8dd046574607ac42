"""What became of a confirmed batch, line by line: for its page, and for a file.

Decides nothing: it reads lines with the orders they have become.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from core.base.db import db
from core.orders import Order
from core.orders.batching import BatchLine, OrderBatch


@dataclass(frozen=True)
class Result:
    """A line and its order, if it has become one."""

    line: BatchLine
    order: Order | None


@dataclass(frozen=True)
class Results:
    """All lines of a confirmed batch. Amounts in pesewas."""

    rows: list[Result]

    def of(self, *states: str) -> list[Result]:
        return [row for row in self.rows if row.line.state in states]

    @property
    def ordered(self) -> list[Result]:
        return self.of("ordered")

    @property
    def unprocessed(self) -> list[Result]:
        """Orders that were to be processed and were not."""
        return [row for row in self.ordered if row.line.words]

    @property
    def not_ordered(self) -> list[Result]:
        """Lines that were not ordered, whether refused or left out."""
        return self.of("refused", "left_out")

    @property
    def price_pesewas(self) -> int:
        return sum(row.order.price_pesewas for row in self.ordered if row.order)

    @property
    def left_text(self) -> str:
        """The lines that were not ordered, to be brought again."""
        return "\n".join(row.line.text for row in self.not_ordered if row.line.text)


def of_batch(batch: OrderBatch) -> Results:
    """The lines of a batch of the current store with their orders."""
    found = db.session.execute(
        select(BatchLine, Order)
        .outerjoin(Order, Order.id == BatchLine.order_id)
        .where(BatchLine.batch_id == batch.id)
        .order_by(BatchLine.n)
    ).all()
    return Results([Result(line, order) for line, order in found])
