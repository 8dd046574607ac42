"""The RQ job: take a row of the outbox, run its handler in the row's store, say when it falls due again.

Carries only ids. Nothing depends on a job running once, or at all: the row's lease lets one job through, and a row
whose job died falls due by itself.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog
from flask import current_app
from rq.timeouts import BaseTimeoutException
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from core import orders, outbox
from core.base import clock, tenancy
from core.base.database_identity import UnknownDatabase
from core.outbox import Lease
from fulfilment import catalog_sync, prove
from fulfilment.buying import balance, steps
from fulfilment.outcome import Outcome
from integrations.ports import Supplier

log = structlog.get_logger("jobs")

HANDLERS: dict[str, Callable[[Lease, Supplier], Outcome]] = {
    "deliver_order": steps.deliver,
    "sync_catalogue": catalog_sync.sync,
    "refresh_balance": balance.refresh,
    "prove_books": prove.prove,
}


_PASSING = (OperationalError, InterfaceError, PoolTimeout, BaseTimeoutException)
"""The database is away, or the job's time is over: no fault of this row."""
_AGAIN_S = 300


def run(outbox_id: int, lease_no: int) -> None:
    """Work on one row if the relay's lease is still good. Called by RQ by name, with these two numbers only."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    with app.app_context():  # a context of its own, so its session ends with it
        tenancy.clear()
        with tenancy.across_stores():
            lease = outbox.take(outbox_id, lease_no)
        if lease is None:
            return
        supplier: Supplier = app.extensions["supplier"]
        scope = tenancy.across_stores() if lease.store_id is None else tenancy.inside(lease.store_id)
        with scope:
            try:
                outcome = HANDLERS[lease.kind](lease, supplier)
            except UnknownDatabase:
                # Restored under our feet: mark what may have been bought, then look at this row anew.
                with tenancy.across_stores():
                    orders.note_restore()
                outcome = Outcome(clock.now())
            except _PASSING:
                raise  # the lease ends by itself, and the next job looks at what is there
            except Exception as bug:
                _put_off(lease, bug)
                raise
            kept = outbox.finish(
                lease,
                outcome.due_at,
                ok=outcome.ok,
                text=outcome.text,
                result=outcome.result,
                news_read=outcome.news_read,
            )
        log.info(
            "looked",
            kind=lease.kind,
            outbox=lease.outbox_id,
            order=lease.order_id,
            again=str(outcome.due_at),
            kept=kept,
        )


def _put_off(lease: Lease, bug: Exception) -> None:
    """A bug of ours stopped this row: look again later, not at once and for ever, and tell a person."""
    name = type(bug).__name__
    if lease.order_id is None:
        outbox.finish(lease, None, ok=False, text=f"An error of ours stopped this ({name}). It is in the log.")
        return
    orders.raise_case(lease.order_id, "broken", {"error": name})
    outbox.finish(lease, clock.after(_AGAIN_S))
