"""The RQ job: take a row of the outbox, run its handler in the row's store, say when it falls due
again.

Carries only ids. Nothing depends on a job running once, or at all: the row's lease lets one job
through, and a row whose job died falls due by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import structlog
from flask.globals import app_ctx
from rq.timeouts import BaseTimeoutException
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from core import disputes, leases, orders, outbox
from core import payouts as core_payouts
from core.base import clock, tenancy
from core.base.database_identity import UnknownDatabase
from core.base.db import transaction
from core.leases import Lease
from fulfilment import (
    catalog_sync,
    disputing,
    gateway_days,
    notices,
    paying,
    payouts,
    prove,
    testing,
)
from fulfilment.buying import balance, steps
from fulfilment.outcome import Outcome
from integrations.ports import Supplier

log = structlog.get_logger("jobs")


class Handler(NamedTuple):
    """What is done with a row: `begin` inside the transaction that gives the lease, `work` with
    what it returned."""

    work: Callable[[Lease, Any, Supplier], Outcome]
    begin: Callable[[Lease], Any] = lambda _lease: None


HANDLERS: dict[str, Handler] = {
    "deliver_order": Handler(steps.deliver, steps.begin),
    "sync_catalogue": Handler(catalog_sync.sync),
    "refresh_balance": Handler(balance.refresh),
    "prove_books": Handler(prove.prove),
    "play_test_order": Handler(testing.play, testing.begin),
    "notify_device": Handler(notices.tell),
    "watch_payment": Handler(paying.watch, paying.begin),
    "check_payout_account": Handler(payouts.check_account),
    "send_payout": Handler(payouts.send),
    "read_gateway": Handler(payouts.read_balance),
    "compare_gateway": Handler(gateway_days.compare),
    "watch_dispute": Handler(disputing.watch),
    "sweep_disputes": Handler(disputing.sweep),
}


class UnknownKind(LookupError):
    """A row of a kind that a newer version added. It waits for a worker of that version."""


_PASSING = (OperationalError, InterfaceError, PoolTimeout, BaseTimeoutException)
"""The database is away, or the job's time is over: no fault of this row."""
_AGAIN_S = 300


def run(outbox_id: int, lease_no: int) -> None:
    """Work on one row if the relay's lease is still good. Called by RQ by name, with these two
    numbers only."""
    app = app_ctx.app
    with app.app_context():  # a context of its own, so its session ends with it
        tenancy.clear()
        begun_work = _begin(outbox_id, lease_no)
        if begun_work is None:
            return
        lease, begun = begun_work
        supplier: Supplier = app.extensions["supplier"]
        with _scope_of(lease):
            try:
                outcome = HANDLERS[lease.kind].work(lease, begun, supplier)
            except UnknownDatabase:
                # Restored under our feet: mark what may have been bought, then look at this row
                # anew.
                with tenancy.across_stores():
                    orders.note_restore()
                outcome = Outcome(clock.now())
            except _PASSING:
                # the lease ends by itself, and the next job looks at what is there
                raise
            except Exception as bug:
                _put_off(lease, bug)
                raise
            if outcome.kept is None:
                kept = _close(lease, outcome)
            else:
                kept = outcome.kept
        log.info(
            "looked",
            kind=lease.kind,
            outbox=lease.outbox_id,
            subject=lease.subject_id,
            again=str(outcome.due_at),
            kept=kept,
        )


def _begin(outbox_id: int, lease_no: int) -> tuple[Lease, Any] | None:
    """The lease, and what its handler found, from one transaction; None when the row is another
    job's."""
    try:
        with tenancy.across_stores(), transaction():
            lease = leases.take(outbox_id, lease_no)
            if lease is None:
                return None
            if lease.kind not in HANDLERS:
                raise UnknownKind(lease.kind)
            return lease, HANDLERS[lease.kind].begin(lease)
    except (*_PASSING, UnknownKind):
        raise
    except Exception as bug:
        # the lease was undone with it
        with tenancy.across_stores():
            lease = leases.take(outbox_id, lease_no)
        if lease is not None:
            with _scope_of(lease):
                _put_off(lease, bug)
        raise


def _scope_of(lease: Lease) -> AbstractContextManager[None]:
    """The store whose row it is, or all stores for the platform's own."""
    if lease.store_id is None:
        return tenancy.across_stores()
    return tenancy.inside(lease.store_id)


def _close(lease: Lease, outcome: Outcome) -> bool:
    return leases.finish(
        lease,
        outcome.due_at,
        ok=outcome.ok,
        text=outcome.text,
        result=outcome.result,
        news_read=outcome.news_read,
    )


def _put_off(lease: Lease, bug: Exception) -> None:
    """A bug of ours stopped this row: look again later, not at once and for ever, and tell a
    person."""
    name = type(bug).__name__
    subject = outbox.SUBJECTS[lease.kind]
    if subject in ("device", "payment", "payout", "payout_account", "dispute"):
        if subject == "payment":
            paying.say_broken(lease, name)
        elif lease.kind == "send_payout":
            core_payouts.sending.broken(lease.subject_id, name)
        elif subject == "dispute":
            disputes.taking_in.broken(lease.subject_id, name)
        leases.finish(lease, clock.after(_AGAIN_S))
        return
    if subject != "order":
        leases.finish(
            lease,
            None,
            ok=False,
            text=f"An error of ours stopped this ({name}). It is in the log.",
        )
        return
    orders.raise_case(lease.subject_id, "broken", {"error": name})
    leases.finish(lease, clock.after(_AGAIN_S), news_read=False)
