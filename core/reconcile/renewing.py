"""The platform's half of what can be bought now, looked at anew: the row `core.buying` that the stores' pages read.

The line to the supplier: an unexplained charge, refused credentials, nobody there, no answer, the breaker, a long wait it asked for.
The free float: what purchases may cost, less the orders in line. Both close at once and open at once; only silence
must last `silent_s` at two addresses of the supplier, so that one slow answer closes no shop.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, or_, select, true

from core import cases, clock, config, supply
from core.buying import LINE, Buying
from core.catalog import Bundle
from core.db import db, transaction
from core.orders import Order
from core.outbox import OutboxRow
from core.reconcile.judging import DROP, float_pesewas
from core.supply import SupplierCall, SupplierState

_CALLS = 20
"""So many newest calls are looked through for an answer."""
_TIMED = {"refresh_balance": "balance", "sync_catalogue": "products"}
"""Timed work that makes one call, and the call's name in the log."""


@dataclass(frozen=True)
class Unheard:
    """Calls without an answer since the supplier last answered anything: the first of them, and their names."""

    since: datetime | None
    endpoints: frozenset[str]
    heard_at: datetime | None


def renew() -> frozenset[str]:
    """Write the row. Returns the timed work that should be asked for sooner, to find out whether the supplier is back.

    One transaction. Needs `across_stores`.
    """
    with transaction() as session:
        row = session.get(Buying, 1, with_for_update=True)
        now = clock.now()
        if row is None:
            row = Buying(id=1, renewed_at=now, short={})
            session.add(row)
        link, unheard = supply.state(), _unheard()
        reason, since = _stopped(link, unheard) or (None, None)
        if reason is None:
            row.stopped_since = None
        elif row.stopped_since is None or (reason != row.stopped and since is not None):
            row.stopped_since = since or now
        row.stopped = reason
        before, free = row.short, free_pesewas(link)
        row.short = {
            str(bundle_id): before.get(str(bundle_id), now.isoformat())
            for bundle_id in session.scalars(select(Bundle.id).where(Bundle.active, Bundle.cost_pesewas > free))
        }
        row.renewed_at = now
        return _to_ask(reason, unheard)


def free_pesewas(link: SupplierState) -> int:
    """What a new order may cost: the float less the reserve and the cost of all orders in line, in pesewas.

    In line is what is *queued*, or sent without a commit. By our books, or by the supplier's last word when
    that is less; its word has the orders sent before it behind it. Needs `across_stores`.
    """
    cost, told, told_at = Order.cost_pesewas, link.last_balance_pesewas, link.last_balance_at
    queued = func.coalesce(func.sum(cost).filter(Order.state == "queued"), 0)
    sent = func.coalesce(func.sum(cost).filter(Order.state == "submitting"), 0)
    after_word = Order.submitted_at > told_at if told_at else true()
    sent_since = func.coalesce(func.sum(cost).filter(Order.state == "submitting", after_word), 0)
    in_line = select(queued + sent, queued + sent_since).where(Order.state.in_(("queued", "submitting")))
    line, since_word = db.session.execute(in_line).one()
    free = float_pesewas() - int(line)
    if told is not None:
        free = min(free, told - int(since_word))
    return free - config.current().float_reserve_pesewas


def _stopped(link: SupplierState, unheard: Unheard) -> tuple[str, datetime | None] | None:
    """Why nothing can be bought, and since when if that is written anywhere; None when buying runs."""
    settings, now = config.current(), clock.now()
    breaks = cases.open_of_kind(DROP)
    if breaks:
        return "balance_break", breaks[0].opened_at
    if link.credentials_refused_since is not None:
        return "credentials", link.credentials_refused_since
    away = link.unreachable_since
    if away is not None and (unheard.heard_at is None or unheard.heard_at < away):
        return "supplier_unreachable", away
    silent = unheard.since is not None and now - unheard.since >= clock.delta(settings.silent_s)
    if silent and len(unheard.endpoints) > 1:
        return "supplier_silent", unheard.since
    if link.breaker_open_until is not None and link.breaker_open_until > now:
        reason = link.breaker_reason or "breaker"
        return (reason if reason in LINE else "breaker"), None
    if link.closed_until is not None and link.closed_until - now > timedelta(seconds=settings.long_rate_wait_s):
        return "rate", None
    return None


def _to_ask(reason: str | None, unheard: Unheard) -> frozenset[str]:
    """Whom to ask: while the supplier is away, its balance; after one call without an answer, a second witness."""
    if reason in ("supplier_unreachable", "supplier_silent"):
        return frozenset({"refresh_balance"})
    if reason is None and len(unheard.endpoints) == 1:
        return frozenset({"refresh_balance" if "products" in unheard.endpoints else "sync_catalogue"})
    return frozenset()


def _unheard() -> Unheard:
    """From the newest calls, and from the work that is at one: what the supplier has not answered."""
    found: dict[str, datetime] = dict(_under_way())
    long_over = clock.now() - clock.delta(config.current().purchase_call_s)
    silent_s = clock.delta(config.current().silent_s)
    heard_at = None
    calls = select(SupplierCall.endpoint, SupplierCall.at, SupplierCall.answered_at, SupplierCall.http_status)
    for endpoint, at, answered_at, http_status in db.session.execute(
        calls.order_by(SupplierCall.id.desc()).limit(_CALLS)
    ):
        if http_status is not None:
            heard_at = answered_at or at
            break
        if answered_at is None and not long_over < at <= clock.now() - silent_s:
            continue  # just made, or its worker was killed in it
        found[endpoint] = at
    if heard_at is not None:  # it answered another call after these were made: it is there
        found = {endpoint: at for endpoint, at in found.items() if at > heard_at}
    return Unheard(min(found.values(), default=None), frozenset(found), heard_at)


def _under_way() -> Iterator[tuple[str, datetime]]:
    """Timed work that has been at its one call for `silent_s` or longer."""
    now, silent_s = clock.now(), clock.delta(config.current().silent_s)
    rows = select(OutboxRow.kind, OutboxRow.taken_at).where(
        OutboxRow.kind.in_(_TIMED),
        OutboxRow.order_id.is_(None),
        OutboxRow.done_at.is_(None),
        OutboxRow.lease_until > now,
        OutboxRow.taken_at <= now - silent_s,
        or_(OutboxRow.looked_at.is_(None), OutboxRow.looked_at < OutboxRow.taken_at),
    )
    for kind, taken_at in db.session.execute(rows):
        if taken_at is not None:
            yield _TIMED[kind], taken_at
