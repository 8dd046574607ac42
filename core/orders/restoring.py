"""After a restore: every order that may have been bought since the backup was taken is asked about
before it is bought.

A backup is older than the truth. An order *queued* in it may have been bought since, and a supplier
that does not know a repeated reference would sell it twice. So each such order goes on as if a
worker had claimed it at the moment the restore was noticed and had died in the call: looked up, and
sent only after the proof of `absence`.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select

from core import audit, cases, online, outbox
from core.audit import SYSTEM, WORKER
from core.base import clock, database_identity
from core.base.db import db, joined_transaction, transaction
from core.base.language import later
from core.base.locks import Lock
from core.base.preconditions import needs_across_stores
from core.orders import refusals
from core.orders.advancing import locked, move
from core.orders.model import Order
from core.orders.real import REAL
from core.orders.timeline import log

_ASKED_FIRST = (
    "Our records are from a backup, so it may have been sent already. The supplier is"
    " asked first."
)


@needs_across_stores
def note_restore(*, told: bool = False) -> int | None:
    """Mark every open order when this database is a copy of the past; all of it in one transaction.

    Returns how many orders are asked about before they are bought, None when the database is ours.
    `told` when a person says that it is a copy although it looks like ours.
    """
    if not told and not database_identity.differences(db.session):
        return None
    with transaction() as session:
        session.execute(select(func.pg_advisory_xact_lock(Lock.RESTORE)))
        found = database_identity.differences(session) or (
            ("a person says so",) if told else ()
        )
        if not found:
            return None  # another process was faster
        newest = session.scalar(select(func.max(Order.created_at)))
        marked = list(
            session.scalars(
                select(Order)
                .where(
                    Order.state.in_(
                        ("awaiting_payment", "pending", "queued", "submitting")
                    ),
                    # no supplier ever had a test order
                    REAL,
                )
                .order_by(Order.id)
                .with_for_update(key_share=True)
            )
        )
        for order in marked:
            _doubt(order)
        outbox.hasten([order.id for order in marked])
        database_identity.remember(session)
        if online.platform_is_on():
            # of what was paid out since the backup nothing is known: it would be paid again
            online.stop_payouts("The records were restored from a backup.", SYSTEM)
        if newest is not None:
            evidence = {
                "because": ", ".join(found),
                "newest_order": newest.isoformat(),
                "asked_first": len(marked),
            }
            cases.open_case("restored", "database", evidence)
            audit.write(SYSTEM, "note_restore", "database", evidence)
        return len(marked)


def ask_first(order_id: int) -> datetime:
    """An order restored as *pending* was processed: it is looked up as any other before it may be
    bought, so now."""
    with joined_transaction():
        order = locked(order_id)
        if order.state == "queued" and order.in_doubt:
            _suppose_sent(order)
    return clock.now()


def _doubt(order: Order) -> None:
    """Treat the order as claimed now, so that the proof of absence counts from here: a claim that
    the backup does not know of was made earlier."""
    now = clock.now()
    order.ever_unknown = True
    order.claimed_at = now
    order.lease_until = now
    order.absent_since = None
    order.steady_marks = {clock.boot(): {"claimed": clock.steady_s()}}
    if order.state == "queued":
        _suppose_sent(order)
        return
    order.version += 1
    if order.release_at is not None:  # what was pressed then may have been undone since
        order.release_at = order.release_by = None
        order.release_refused = f"Our records are from a backup. {refusals.PRESS_AGAIN}"
    if order.state == "submitting":
        order.unknown_since = order.unknown_since or now
    log(order, WORKER, "restored", _ASKED_FIRST)


def _suppose_sent(order: Order) -> None:
    order.attempt += 1
    order.unknown_since = clock.now()
    order.wait_reason = None
    move(
        order,
        "submitting",
        WORKER,
        _ASKED_FIRST,
        customer_text=later("Checking with the network"),
    )
