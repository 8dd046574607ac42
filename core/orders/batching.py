"""What an agent has pasted or uploaded to be ordered: a batch, and its lines as rows.

A batch is a note and no order until somebody confirms it. Its lines hold customers' numbers as they
were typed: each is emptied once it has become an order, and the rest goes when its time is over.
What a line means, and what becomes of it, is decided by `core.batches`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Text,
    UniqueConstraint,
    delete,
    func,
    select,
    update,
)
from sqlalchemy.orm import Mapped, mapped_column

from core.base import clock
from core.base.db import Model, db, rows_changed, transaction
from core.base.preconditions import inside_use_case, needs_across_stores
from core.base.tenancy import StoreScoped
from core.orders.model import Order

LineState = Literal["open", "left_out", "waiting", "ordered", "refused"]
"""Read and not confirmed; not to be ordered; confirmed and not placed yet; an order; refused."""
LINE_STATES = ("open", "left_out", "waiting", "ordered", "refused")
OPEN_FOR = timedelta(days=1)
"""So long a batch may be confirmed, and a confirmed one be placed, by the clock on the wall."""
KEPT = timedelta(days=7)
"""So long the results of a confirmed batch are kept."""


class OrderBatch(Model, StoreScoped):
    __tablename__ = "order_batches"
    __table_args__ = (
        UniqueConstraint("store_id", "id"),
        Index("ix_order_batches_store_made", "store_id", "made_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    made_at: Mapped[datetime] = mapped_column(default=clock.now)
    made_by: Mapped[str]
    source: Mapped[str]
    """`pasted`, or the name of the file."""
    note: Mapped[str] = mapped_column(default="")
    """What of the file was not read, as a sentence."""
    digest: Mapped[str]
    """Keyed hash of what its lines meant when it came: two batches with one are the same list."""
    to_process: Mapped[bool] = mapped_column(default=False)
    """Each order is processed as soon as it is placed."""
    confirmed_at: Mapped[datetime | None]
    confirmed_by: Mapped[str | None]
    short_at: Mapped[datetime | None]
    """When the wallet did not reach: from then on orders are placed and not processed."""
    thrown_at: Mapped[datetime | None]

    @property
    def is_over(self) -> bool:
        """Whether nothing of it may be ordered any more, whatever still waits."""
        began = self.confirmed_at or self.made_at
        return self.thrown_at is not None or clock.now() - began > OPEN_FOR


class BatchLine(Model, StoreScoped):
    __tablename__ = "batch_lines"
    __table_args__ = (
        ForeignKeyConstraint(
            ["store_id", "batch_id"], ["order_batches.store_id", "order_batches.id"]
        ),
        ForeignKeyConstraint(
            ["store_id", "order_id"], ["orders.store_id", "orders.id"]
        ),
        CheckConstraint(
            f"state IN ({', '.join(repr(state) for state in LINE_STATES)})",
            name="state",
        ),
        CheckConstraint("(state = 'ordered') = (order_id IS NOT NULL)", name="ordered"),
    )

    batch_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    n: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """Its place in what was pasted, from 1."""
    text: Mapped[str]
    """As it was typed; empty once it is an order."""
    state: Mapped[LineState] = mapped_column(Text, default="open")
    accepted: Mapped[bool] = mapped_column(default=False)
    """Somebody said that it is meant, though something about it is odd."""
    bundle_id: Mapped[int | None] = mapped_column(ForeignKey("bundles.id"))
    price_pesewas: Mapped[int | None]
    """What it was confirmed at."""
    order_id: Mapped[int | None]
    words: Mapped[str] = mapped_column(default="")
    """Why it was refused; of an order, why it was not processed."""

    @property
    def order_key(self) -> str:
        """The key of the one order that it can become. No form of a shop can say it: a customer's
        key has no stroke."""
        return f"list/{self.store_id}/{self.batch_id}/{self.n}"


@inside_use_case
def note_what_is_ordered(batch: OrderBatch) -> None:
    """Write down the orders that lines of a locked batch have become already: whoever placed them
    may have died before they wrote it, or be about to."""
    lines = db.session.scalars(
        select(BatchLine).where(
            BatchLine.batch_id == batch.id, BatchLine.state == "waiting"
        )
    ).all()
    keys = {line.order_key: line for line in lines}
    found = db.session.execute(
        select(Order.id, Order.idempotency_key).where(
            Order.store_id == batch.store_id, Order.idempotency_key.in_(keys)
        )
    )
    for order_id, key in found:
        keys[key].state = "ordered"
        keys[key].order_id = order_id
        keys[key].text = ""
    db.session.flush()


@needs_across_stores
def prune_batches() -> int:
    """Delete batches past their time. Returns how many."""
    ends_at = func.coalesce(
        OrderBatch.confirmed_at + KEPT, OrderBatch.made_at + OPEN_FOR
    )
    old = select(OrderBatch.id).where(ends_at <= clock.now())
    with transaction() as session:
        ids = session.scalars(old).all()
        if not ids:
            return 0
        session.execute(delete(BatchLine).where(BatchLine.batch_id.in_(ids)))
        return rows_changed(delete(OrderBatch).where(OrderBatch.id.in_(ids)))


@inside_use_case
def forget_in_batches(recipient_msisdn: str, store_id: int | None = None) -> None:
    """Empty the lines with this number, in whatever spelling; none of them is ordered any more. Of
    one store, or of all that this work may see."""
    digits = func.regexp_replace(BatchLine.text, "[^0-9]", "", "g")
    with_it = [
        BatchLine.text != "",
        digits.contains(recipient_msisdn.removeprefix("+233")),
    ]
    if store_id is not None:
        with_it.append(BatchLine.store_id == store_id)
    open_ones = BatchLine.state.in_(("open", "waiting"))
    db.session.execute(
        update(BatchLine)
        .where(*with_it, open_ones)
        .values(text="", state="left_out", words="The number was forgotten.")
    )
    db.session.execute(update(BatchLine).where(*with_it).values(text=""))
