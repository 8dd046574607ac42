"""The queue that cannot be lost: one row for each piece of work, with the moment it falls due.

A row lives until its work is over. Valkey only carries rings that say "look at row 17"; retry, poll
ladder, webhook, crash and a flushed Valkey are all the same thing here: the row is still there and
falls due. Handlers live in `fulfilment`; they return when to look again, or None for done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import (
    ColumnElement,
    ForeignKeyConstraint,
    Index,
    func,
    or_,
    select,
    true,
    update,
)
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from core import audit
from core.audit import Actor
from core.base import clock, config
from core.base.db import Model, after_commit, db, joined_transaction, transaction
from core.base.locks import Lock
from core.base.tenancy import StoreOrPlatformScoped

Kind = Literal["deliver_order", "sync_catalogue", "refresh_balance", "prove_books"]
KINDS: tuple[Kind, ...] = (
    "deliver_order",
    "sync_catalogue",
    "refresh_balance",
    "prove_books",
)
PLATFORM_KINDS: tuple[Kind, ...] = ("sync_catalogue", "refresh_balance", "prove_books")


def silent(_ids: list[int], *, first: bool = False) -> None:
    """Rings nothing; the relay finds the row by itself."""


ring: Callable[..., None] = silent
"""Called with outbox ids after the commit that made them due; `first` before all others. Wired by
wsgi.py to the relay."""


class OutboxRow(Model, StoreOrPlatformScoped):
    __tablename__ = "outbox"
    __table_args__ = (
        ForeignKeyConstraint(
            ["store_id", "order_id"], ["orders.store_id", "orders.id"]
        ),
        Index(
            "uq_outbox_order",
            "order_id",
            unique=True,
            postgresql_where=sql("order_id IS NOT NULL"),
        ),
        Index("ix_outbox_due", "due_at", postgresql_where=sql("done_at IS NULL")),
        Index(
            "uq_outbox_platform",
            "kind",
            unique=True,
            postgresql_where=sql("order_id IS NULL AND done_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    order_id: Mapped[int | None]
    due_at: Mapped[datetime]
    lease_until: Mapped[datetime | None]
    lease_no: Mapped[int] = mapped_column(default=0)
    rung_at: Mapped[datetime | None]
    taken_at: Mapped[datetime | None]
    looked_at: Mapped[datetime | None]
    news_at: Mapped[datetime | None]
    """Signed news came then, and the supplier's own record was not asked since: it goes before
    everything else."""
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    done_at: Mapped[datetime | None]
    result_ok: Mapped[bool | None]
    result_text: Mapped[str | None]
    result: Mapped[dict[str, Any] | None] = mapped_column(JSONB)


@dataclass(frozen=True)
class Lease:
    """The right of one job to work on one row. Lost as soon as another lease was given out."""

    outbox_id: int
    lease_no: int
    kind: str
    store_id: int | None
    order_id: int | None
    rung_at: datetime | None
    """The row's last ring when the job took it: a later one is news that its look may have
    missed."""
    news_at: datetime | None = None


@dataclass(frozen=True)
class Health:
    """How the queue stands: rows due now, the age of the oldest of them in seconds, rows some job
    holds, rows open."""

    due: int
    oldest_due_s: float
    leased: int
    open: int


def add(
    kind: Kind,
    *,
    order_id: int | None = None,
    store_id: int | None = None,
    due_at: datetime | None = None,
) -> int:
    """A new row inside the open use case, rung after its commit when it is due at once. Returns its
    id."""
    row = OutboxRow(
        kind=kind, order_id=order_id, store_id=store_id, due_at=due_at or clock.now()
    )
    db.session.add(row)
    db.session.flush()
    _ring_after_commit(row)
    return row.id


def make_due(row: OutboxRow, at: datetime | None = None, *, news: bool = False) -> None:
    """Inside the open use case: have a locked row looked at by `at` (default now), also when its
    work was over.

    With `news` it goes first: before what is in line, so a ring that nobody has taken yet is taken
    back.
    """
    moment = at or clock.now()
    if news:
        held = row.taken_at and row.taken_at + clock.delta(
            config.current().relay_lease_s
        )  # by a job that has begun
        row.news_at, row.lease_until = moment, held if row.lease_until == held else None
    if row.done_at is not None:
        row.done_at, row.lease_until = None, None
        row.due_at = moment
    row.due_at = min(row.due_at, moment)
    row.rung_at = clock.now()
    _ring_after_commit(row)


def hasten(order_ids: Sequence[int]) -> None:
    """Inside the open use case: have these orders looked at now. The relay finds them; nobody is
    rung."""
    db.session.execute(
        update(OutboxRow)
        .where(OutboxRow.order_id.in_(order_ids), OutboxRow.done_at.is_(None))
        .values(due_at=clock.now())
    )


def of_order(order_id: int, *, lock: bool = False) -> OutboxRow | None:
    """The row of an order; None before it was released."""
    query = select(OutboxRow).where(OutboxRow.order_id == order_id)
    return db.session.scalar(query.with_for_update() if lock else query)


def ask(kind: Kind, actor: Actor) -> OutboxRow:
    """A person wants this done now (Sync catalogue, Refresh balance). Joins the request already
    open, if any."""
    with transaction() as session:
        session.execute(
            select(func.pg_advisory_xact_lock(Lock.REQUEST, KINDS.index(kind)))
        )
        row = session.scalar(
            select(OutboxRow).where(
                OutboxRow.kind == kind,
                OutboxRow.order_id.is_(None),
                OutboxRow.done_at.is_(None),
            )
        )
        if row is None:
            row = session.get_one(OutboxRow, add(kind))
        else:
            make_due(row)
        audit.write(actor, f"ask_{kind}", f"outbox:{row.id}")
        return row


def asked(row_id: int) -> OutboxRow | None:
    """A request made by `ask`, to show its result."""
    return db.session.scalar(
        select(OutboxRow).where(
            OutboxRow.id == row_id, OutboxRow.kind.in_(PLATFORM_KINDS)
        )
    )


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
                    OutboxRow.order_id.is_(None), OutboxRow.order_id.in_(sooner)
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
            _ring_after_commit(row)
        else:
            row.due_at = due_at or clock.now()
            _ring_after_commit(row)
        return True


def health() -> Health:
    """How the queue stands, for the console and the metrics."""
    now = clock.now()
    due, oldest, leased, open_ = db.session.execute(
        select(
            func.count().filter(OutboxRow.due_at <= now),
            func.min(OutboxRow.due_at).filter(OutboxRow.due_at <= now),
            func.count().filter(OutboxRow.lease_until > now),
            func.count(),
        ).where(OutboxRow.done_at.is_(None))
    ).one()
    return Health(due, (now - oldest).total_seconds() if oldest else 0.0, leased, open_)


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
        row.order_id,
        row.rung_at,
        row.news_at,
    )


def _ring_after_commit(row: OutboxRow) -> None:
    if row.due_at <= clock.now():
        outbox_id, first = row.id, row.news_at is not None
        after_commit(lambda: ring([outbox_id], first=first))
