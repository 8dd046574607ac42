"""The right to work on a row of the outbox: given out for a short time, to one job at once.

The relay leases a row and rings it; the job that hears it swaps that lease for its own, and ends it
with when to look again. A lease that ran out is given out anew: a dead worker loses nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, or_, select, true

from core.base import clock, config
from core.base.db import joined_transaction, transaction
from core.outbox import PLATFORM, OutboxRow, ring_after_commit


@dataclass(frozen=True)
class Lease:
    """The right of one job to work on one row. Lost as soon as another lease was given out."""

    outbox_id: int
    lease_no: int
    kind: str
    store_id: int | None
    subject_id: int
    rung_at: datetime | None
    """The row's last ring when the job took it: a later one is news that its look may have
    missed."""
    news_at: datetime | None = None


def lease_due(
    limit: int,
    only: list[int] | None = None,
    besides: Sequence[int] = (),
    of: ColumnElement[bool] | None = None,
    sooner: Sequence[int] = (),
) -> list[tuple[int, int]]:
    """Give out leases on rows that are due and free: (outbox id, lease number) each.

    Signed news, the platform's own requests and the orders of `sooner`, then the longest due. Rows
    of `besides`, and those another relay is looking at, are skipped. With `only` those ids alone,
    with `of` those it holds for.
    """
    now = clock.now()
    with transaction() as session:
        query = (
            select(OutboxRow)
            .where(
                OutboxRow.done_at.is_(None),
                OutboxRow.due_at <= now,
                or_(OutboxRow.lease_until.is_(None), OutboxRow.lease_until <= now),
                OutboxRow.id.not_in(besides),
                true() if of is None else of,
            )
            .order_by(
                OutboxRow.news_at.nulls_last(),
                or_(
                    OutboxRow.subject_id == PLATFORM, OutboxRow.order_id.in_(sooner)
                ).desc(),
                OutboxRow.due_at,
                OutboxRow.id,
            )
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        rows = list(
            session.scalars(
                query if only is None else query.where(OutboxRow.id.in_(only))
            )
        )
        for row in rows:
            row.lease_no += 1
            row.lease_until = now + clock.delta(config.current().relay_lease_s)
        return [(row.id, row.lease_no) for row in rows]


def give_back(leases: list[tuple[int, int]]) -> None:
    """These leases reached nobody: their rows are free again at once. A lease given out since is
    left alone."""
    with transaction() as session:
        for outbox_id, lease_no in leases:
            row = session.scalar(
                select(OutboxRow)
                .where(OutboxRow.id == outbox_id, OutboxRow.lease_no == lease_no)
                .with_for_update()
            )
            if row is not None:
                row.lease_until = None


def take(outbox_id: int, lease_no: int) -> Lease | None:
    """A job begins: it swaps the relay's lease for its own. None when the row is done or another
    job has it.

    An order's lease is short on purpose: a purchase that outlives it, or whose worker died, is
    looked up by another job meanwhile. That is safe, because what may be done to an order is
    decided by the order's own claim and state.
    """
    now, settings = clock.now(), config.current()
    with joined_transaction() as session:
        row = session.scalar(
            select(OutboxRow)
            .where(
                OutboxRow.id == outbox_id,
                OutboxRow.lease_no == lease_no,
                OutboxRow.done_at.is_(None),
            )
            .with_for_update()
        )
        if row is None:
            return None
        return _lease(
            row,
            now,
            settings.relay_lease_s
            if row.kind == "deliver_order"
            else settings.job_timeout_s,
        )


def take_rows(order_ids: Sequence[int]) -> list[Lease]:
    """Leases for the rows of these orders, for one job that works on several. Rows that another is
    at are left out.

    Takes over what the relay has rung: a job that comes for such a row later finds its lease gone
    and does nothing.
    """
    now = clock.now()
    with transaction() as session:
        rows = session.scalars(
            select(OutboxRow)
            .where(OutboxRow.order_id.in_(order_ids), OutboxRow.done_at.is_(None))
            .order_by(OutboxRow.id)
            .with_for_update(skip_locked=True)
        )
        return [_lease(row, now, config.current().relay_lease_s) for row in rows]


def finish(
    lease: Lease,
    due_at: datetime | None,
    *,
    ok: bool | None = None,
    text: str | None = None,
    result: dict[str, Any] | None = None,
    news_read: bool = True,
) -> bool:
    """A job ends: look again at `due_at`, or None for done. False when the lease was lost
    meanwhile.

    `news_read`: the supplier was asked, or need not be: news from before the job is none any more.

    A ring that came during the run wins over a later `due_at`, so it is not lost.
    """
    with joined_transaction() as session:
        row = session.scalar(
            select(OutboxRow)
            .where(
                OutboxRow.id == lease.outbox_id, OutboxRow.lease_no == lease.lease_no
            )
            .with_for_update()
        )
        if row is None:
            return False
        rung = row.rung_at != lease.rung_at
        row.lease_until, row.looked_at = None, clock.now()
        if news_read and row.news_at == lease.news_at:
            row.news_at = None
        if ok is not None:
            row.result_ok, row.result_text, row.result = ok, text, result
        if due_at is None and not rung:
            row.done_at = clock.now()
        elif rung:
            row.due_at = min(row.due_at, due_at or row.due_at)
            ring_after_commit(row)
        else:
            row.due_at = due_at or clock.now()
            ring_after_commit(row)
        return True


def _lease(row: OutboxRow, now: datetime, seconds: float) -> Lease:
    if row.rung_at is not None and row.rung_at >= now:
        row.rung_at = now - timedelta(
            microseconds=1
        )  # it was before; the clock has been set back since
    row.lease_no += 1
    row.lease_until, row.taken_at = now + clock.delta(seconds), now
    return Lease(
        row.id,
        row.lease_no,
        row.kind,
        row.store_id,
        row.subject_id,
        row.rung_at,
        row.news_at,
    )
