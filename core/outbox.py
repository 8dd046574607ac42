"""The queue that cannot be lost: one row for each piece of work, with the moment it falls due.

A row lives until its work is over. Valkey only carries rings that say "look at row 17"; retry, poll
ladder, webhook, crash and a flushed Valkey are all the same thing here: the row is still there and
falls due. The right to work on a row is a lease (`core.leases`). Handlers live in `fulfilment`;
they return when to look again, or None for done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from sqlalchemy import (
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    bindparam,
    func,
    select,
    update,
)
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from core import audit
from core.audit import Actor
from core.base import clock, config
from core.base.db import Model, after_commit, db, transaction
from core.base.locks import Lock
from core.base.preconditions import inside_use_case
from core.base.tenancy import StoreOrPlatformScoped

Kind = Literal[
    "deliver_order",
    "sync_catalogue",
    "refresh_balance",
    "prove_books",
    "play_test_order",
    "notify_device",
    "watch_payment",
    "check_payout_account",
    "send_payout",
    "read_gateway",
    "compare_gateway",
    "watch_dispute",
    "sweep_disputes",
]
SUBJECTS: dict[
    str,
    Literal[
        "order", "platform", "device", "payment", "payout_account", "payout", "dispute"
    ],
] = {
    "deliver_order": "order",
    "sync_catalogue": "platform",
    "refresh_balance": "platform",
    "prove_books": "platform",
    "play_test_order": "order",
    "notify_device": "device",
    "watch_payment": "payment",
    "check_payout_account": "payout_account",
    "send_payout": "payout",
    "read_gateway": "platform",
    "compare_gateway": "platform",
    "watch_dispute": "dispute",
    "sweep_disputes": "platform",
}
"""What a kind of work is about: `subject_id` is the id of such a row."""
KINDS: tuple[Kind, ...] = get_args(Kind)
BY_TURNS: tuple[Kind, ...] = (
    "check_payout_account",
    "send_payout",
    "read_gateway",
    "compare_gateway",
    "watch_dispute",
    "sweep_disputes",
)
"""What asks the gateway and keeps no customer waiting: payouts, disputes, days. With payments these
have a line of their own, one of them at a time, and take none of the supplier's calls."""
OF_GATEWAY: tuple[Kind, ...] = ("watch_payment", *BY_TURNS)
PLATFORM = 0
"""`subject_id` of work that is about the platform as a whole."""


def silent(_ids: list[int], *, first: bool = False) -> None:
    """Rings nothing; the relay finds the row by itself."""


ring: Callable[..., None] = silent
"""Called with outbox ids after the commit that made them due; `first` before all others. Wired by
wsgi.py to the relay."""
ring_payment: Callable[..., None] = silent
"""The same for what is asked of the payment gateway, which has a line of its own."""


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
            "uq_outbox_subject",
            "kind",
            "subject_id",
            unique=True,
            postgresql_where=sql("done_at IS NULL"),
        ),
        Index(
            "ix_outbox_payment",
            "subject_id",
            "id",
            postgresql_where=sql("kind = 'watch_payment'"),
        ),
        CheckConstraint("order_id IS NULL OR order_id = subject_id", name="subject"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    subject_id: Mapped[int]
    """What the work is about: an id of the table that `SUBJECTS` names for its kind."""
    order_id: Mapped[int | None]
    """The same id, where it is an order: so that the database holds the row to the order's
    store."""
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
class Health:
    """How the queue stands: rows due now, the age of the oldest of them in seconds, rows some job
    holds, rows open."""

    due: int
    oldest_due_s: float
    leased: int
    open: int


@inside_use_case
def add(
    kind: Kind,
    subject_id: int = PLATFORM,
    *,
    store_id: int | None = None,
    due_at: datetime | None = None,
) -> int:
    """A new row, rung after its commit when it is due at once. Returns its id.

    Raises `IntegrityError` when the same work on the same subject is open already.
    """
    row = OutboxRow(
        kind=kind,
        subject_id=subject_id,
        order_id=subject_id if SUBJECTS[kind] == "order" else None,
        store_id=store_id,
        due_at=due_at or clock.now(),
    )
    db.session.add(row)
    db.session.flush()
    ring_after_commit(row.id, row.due_at, kind=kind)
    return row.id


@inside_use_case
def make_due(row: OutboxRow, at: datetime | None = None, *, news: bool = False) -> None:
    """Have a locked row looked at by `at` (default now), also when its work was over.

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
    ring_after_commit(row.id, row.due_at, first=row.news_at is not None, kind=row.kind)


@inside_use_case
def hasten(order_ids: Sequence[int]) -> None:
    """Have these orders looked at now. The relay finds them; nobody is rung."""
    db.session.execute(
        update(OutboxRow)
        .where(OutboxRow.order_id.in_(order_ids), OutboxRow.done_at.is_(None))
        .values(due_at=clock.now())
    )


def of_order(order_id: int, *, lock: bool = False) -> OutboxRow | None:
    """The row of an order; None before it was released."""
    return db.session.scalar(
        _OF_ORDER_LOCKED if lock else _OF_ORDER, {"order_id": order_id}
    )


_OF_ORDER = select(OutboxRow).where(OutboxRow.order_id == bindparam("order_id"))
_OF_ORDER_LOCKED = _OF_ORDER.with_for_update()


def request(kind: Kind, actor: Actor) -> OutboxRow:
    """A person wants this done now (Sync catalogue, Refresh balance). Joins the request already
    open, if any."""
    with transaction() as session:
        session.execute(
            select(func.pg_advisory_xact_lock(Lock.REQUEST, KINDS.index(kind)))
        )
        row = session.scalar(
            select(OutboxRow).where(
                OutboxRow.kind == kind,
                OutboxRow.subject_id == PLATFORM,
                OutboxRow.done_at.is_(None),
            )
        )
        if row is None:
            row = session.get_one(OutboxRow, add(kind))
        else:
            make_due(row)
        audit.write(actor, f"ask_{kind}", f"outbox:{row.id}")
        return row


def requested(row_id: int) -> OutboxRow | None:
    """A request made by `request`, to show its result."""
    return db.session.scalar(
        select(OutboxRow).where(
            OutboxRow.id == row_id, OutboxRow.subject_id == PLATFORM
        )
    )


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


@inside_use_case
def ring_after_commit(
    outbox_id: int, due_at: datetime, *, first: bool = False, kind: str = ""
) -> None:
    """Have a row that is due at once looked at after the commit; one of a payout is left to the
    relay, which lets few into the line of payments."""
    if due_at > clock.now() or kind in BY_TURNS:
        return
    if kind == "watch_payment":
        after_commit(lambda: ring_payment([outbox_id]))
    else:
        after_commit(lambda: ring([outbox_id], first=first))
