"""What the supplier has not answered: finished calls without an answer, and calls under way for too
long.

A supplier that is frozen takes connections and says nothing; each call then hangs for a minute or
longer. So calls under way count too: a purchase by its open line in the log, timed work by its row,
and any other call of the wallet by its lock. What the relay itself asks
(`fulfilment.supplier_probe`) it names, since nothing of it is written before it is over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_, select, text

from core.base import clock, config
from core.base.db import db
from core.base.locks import Lock
from core.base.preconditions import needs_across_stores
from core.outbox import OutboxRow
from core.supplier.records import SupplierCall

_CALLS = 20
"""How many of the newest calls are looked through for an answer."""
_TIMED = {"refresh_balance": "balance", "sync_catalogue": "products"}
"""Timed work that makes one call, and the call's name in the log."""
PURCHASES = frozenset({"purchase", "bulk"})
_OF_THE_WALLET = PURCHASES | {"balance"}
_HELD_S = text(
    "SELECT extract(epoch FROM clock_timestamp() - a.state_change) FROM pg_locks l JOIN"
    " pg_stat_activity a USING (pid) WHERE l.locktype = 'advisory' AND l.classid = 0 AND l.objid ="
    " :key AND l.granted AND l.database = (SELECT oid FROM pg_database WHERE datname ="
    " current_database())"
)
"""How long the wallet's lock is held: its session is idle from taking it to giving it back."""


@dataclass(frozen=True)
class Unheard:
    """Calls without an answer since the supplier last answered anything: the first of them, and
    their names."""

    since: datetime | None
    endpoints: frozenset[str]
    heard_at: datetime | None


@needs_across_stores
def unheard_calls(under_way: Mapping[str, datetime]) -> Unheard:
    """Look through the log and at what is under way; `under_way` names calls of which nothing is
    written yet."""
    now = clock.now()
    settings = config.current()
    slow_s = clock.delta(settings.slow_s)
    long_over = now - clock.delta(settings.purchase_call_s)
    slow_since = now - slow_s
    found = dict(_timed_work(now, slow_s))
    for endpoint, at in under_way.items():
        if at <= slow_since:
            found[endpoint] = at
    heard_at = None
    calls = select(
        SupplierCall.endpoint,
        SupplierCall.at,
        SupplierCall.answered_at,
        SupplierCall.http_status,
    )
    newest = calls.order_by(SupplierCall.id.desc()).limit(_CALLS)
    for endpoint, at, answered_at, http_status in db.session.execute(newest):
        if http_status is not None:
            heard_at = answered_at or at
            break
        # Else it was just made, or its worker was killed.
        is_waited_for = long_over < at <= slow_since
        if answered_at is not None or is_waited_for:
            found[endpoint] = at
    held_since = _wallet_held_since(now, slow_s)
    if held_since is not None and _OF_THE_WALLET.isdisjoint(found):
        found["wallet"] = held_since
    # it answered another call after these were made: it is there
    if heard_at is not None:
        found = {endpoint: at for endpoint, at in found.items() if at > heard_at}
    return Unheard(min(found.values(), default=None), frozenset(found), heard_at)


def _timed_work(now: datetime, slow_s: timedelta) -> Iterator[tuple[str, datetime]]:
    """Timed work that has been at its one call for `slow_s` or longer."""
    rows = select(OutboxRow.kind, OutboxRow.taken_at).where(
        OutboxRow.kind.in_(_TIMED),
        OutboxRow.order_id.is_(None),
        OutboxRow.done_at.is_(None),
        OutboxRow.lease_until > now,
        OutboxRow.taken_at <= now - slow_s,
        or_(OutboxRow.looked_at.is_(None), OutboxRow.looked_at < OutboxRow.taken_at),
    )
    for kind, taken_at in db.session.execute(rows):
        if taken_at is not None:
            yield _TIMED[kind], taken_at


def _wallet_held_since(now: datetime, slow_s: timedelta) -> datetime | None:
    """Since when one call about the wallet is under way, when that is `slow_s` or longer."""
    held_s = db.session.scalar(_HELD_S, {"key": Lock.WALLET})
    held = timedelta(seconds=float(held_s or 0))
    if held_s is None or held < slow_s:
        return None
    return now - held
