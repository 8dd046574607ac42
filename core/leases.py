"""The right to work on a row of the outbox: given out for a short time, to one job at once.

The relay leases a row and rings it; the job that hears it swaps that lease for its own, and ends it
with when to look again. A lease that ran out is given out anew: a dead worker loses nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
    true,
    update,
)

from core.base import clock, config
from core.base.db import db, joined_transaction, transaction
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


def under_way(*kinds: str) -> int:
    """How many rows of some kinds some job works on, or is rung for."""
    held = OutboxRow.lease_until > clock.now()
    query = select(func.count()).where(
        OutboxRow.kind.in_(kinds), OutboxRow.done_at.is_(None), held
    )
    return int(db.session.scalar(query) or 0)


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
    with joined_transaction() as session:
        row = session.execute(
            _TAKE, {**_until(), "the_id": outbox_id, "the_lease": lease_no}
        ).one_or_none()
    return None if row is None else Lease(*row)


def take_rows(order_ids: Sequence[int]) -> list[Lease]:
    """Leases for the rows of these orders, for one job that works on several. Rows that another is
    at are left out.

    Takes over what the relay has rung: a job that comes for such a row later finds its lease gone
    and does nothing.
    """
    with transaction() as session:
        free = (
            select(OutboxRow.id)
            .where(OutboxRow.order_id.in_(order_ids), OutboxRow.done_at.is_(None))
            .order_by(OutboxRow.id)
            .with_for_update(skip_locked=True)
        )
        ids = session.scalars(free).all()
        mine = _TAKEN.where(OutboxRow.id.in_(ids))
        rows = session.execute(mine, _until()).all() if ids else []
    return [Lease(*row) for row in sorted(rows)]


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
    now = clock.now()
    statement = _FINISH if due_at is not None else _FINISH_OR_DONE
    if ok is not None:
        statement = statement.values(result_ok=ok, result_text=text, result=result)
    values = {
        "the_id": lease.outbox_id,
        "the_lease": lease.lease_no,
        "the_ring": lease.rung_at,
        "the_news": lease.news_at,
        "is_read": news_read,
        "now": now,
        "the_due": due_at,
    }
    with joined_transaction() as session:
        row = session.execute(statement, values).one_or_none()
        if row is None:
            return False
        if row.done_at is None:
            ring_after_commit(
                row.id, row.due_at, first=row.news_at is not None, kind=lease.kind
            )
        return True


def _until() -> dict[str, datetime]:
    """Until when the leases last that are given to jobs now."""
    now, settings = clock.now(), config.current()
    return {
        "now": now,
        "of_order": now + clock.delta(settings.relay_lease_s),
        "of_others": now + clock.delta(settings.job_timeout_s),
        "just_before": now - timedelta(microseconds=1),
    }


# Written once: to put a statement together takes longer than to carry it out.
_NOW: ColumnElement[datetime] = bindparam("now", type_=OutboxRow.due_at.type)
_DUE = func.coalesce(
    bindparam("the_due", type_=OutboxRow.due_at.type), OutboxRow.due_at
)
_WAS_RUNG = OutboxRow.rung_at.is_distinct_from(bindparam("the_ring"))
_NEWS_IS_OLD = and_(
    bindparam("is_read", type_=Boolean()),
    OutboxRow.news_at.is_not_distinct_from(bindparam("the_news")),
)
_IS_MINE = and_(
    OutboxRow.id == bindparam("the_id"), OutboxRow.lease_no == bindparam("the_lease")
)
_TAKEN = (
    update(OutboxRow)
    .values(
        lease_no=OutboxRow.lease_no + 1,
        lease_until=case(
            (OutboxRow.order_id.is_not(None), bindparam("of_order", type_=_NOW.type)),
            else_=bindparam("of_others", type_=_NOW.type),
        ),
        taken_at=_NOW,
        # it was before; the clock has been set back since
        rung_at=case(
            (OutboxRow.rung_at >= _NOW, bindparam("just_before", type_=_NOW.type)),
            else_=OutboxRow.rung_at,
        ),
    )
    .returning(
        OutboxRow.id,
        OutboxRow.lease_no,
        OutboxRow.kind,
        OutboxRow.store_id,
        OutboxRow.subject_id,
        OutboxRow.rung_at,
        OutboxRow.news_at,
    )
    .execution_options(synchronize_session=False)
)
_TAKE = _TAKEN.where(_IS_MINE, OutboxRow.done_at.is_(None))
_FINISH = (
    update(OutboxRow)
    .where(_IS_MINE)
    .values(
        lease_until=None,
        looked_at=_NOW,
        news_at=case((_NEWS_IS_OLD, None), else_=OutboxRow.news_at),
        due_at=case((_WAS_RUNG, func.least(OutboxRow.due_at, _DUE)), else_=_DUE),
    )
    .returning(OutboxRow.id, OutboxRow.due_at, OutboxRow.news_at, OutboxRow.done_at)
    .execution_options(synchronize_session=False)
)
_FINISH_OR_DONE = _FINISH.values(
    done_at=case((_WAS_RUNG, OutboxRow.done_at), else_=_NOW)
)
