"""The row of the outbox that looks after a payment."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from core.base import clock
from core.base.db import db
from core.base.preconditions import inside_use_case
from core.outbox import OutboxRow, ring_after_commit


def of_payment(payment_id: int) -> OutboxRow | None:
    """The newest row that looks after a payment, locked; also when its work was over."""
    return db.session.scalar(
        select(OutboxRow)
        .where(OutboxRow.kind == "watch_payment", OutboxRow.subject_id == payment_id)
        .order_by(OutboxRow.id.desc())
        .limit(1)
        .with_for_update()
    )


@inside_use_case
def watch_again(payment_id: int, store_id: int, at: datetime | None = None) -> None:
    """A new row for a payment whose own is past its keeping time, due at `at` (default now) and
    rung by somebody; nothing when another has just made it."""
    now = clock.now()
    due = at or now
    of = {"kind": "watch_payment", "subject_id": payment_id, "store_id": store_id}
    made = {**of, "due_at": due, "rung_at": now, "created_at": now, "lease_no": 0}
    row = insert(OutboxRow).values(made).on_conflict_do_nothing()
    row_id = db.session.scalar(row.returning(OutboxRow.id))
    if row_id is not None:
        ring_after_commit(row_id, due, kind="watch_payment")
