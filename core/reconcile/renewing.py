"""The platform's half of what can be bought now, looked at anew: the row `core.availability` that
the stores' pages read.

The line to the supplier: an unexplained charge, refused credentials, nobody there, no answer, the
breaker, a long wait it asked for. The free float: what purchases may cost, less the orders in line.
Both close at once and open at once; only silence must last `silent_s` at two addresses of the
supplier, so that one slow answer closes no shop.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import func, select, true

from core import cases
from core.availability import LINK, Buying
from core.base import clock, config
from core.base.db import db, transaction
from core.base.preconditions import needs_across_stores
from core.catalog import Bundle
from core.orders import Order
from core.orders.real import REAL
from core.reconcile.float_books import DROP, countable_pesewas
from core.reconcile.unheard import PURCHASES, Unheard, unheard_calls
from core.supplier import supply
from core.supplier.supply import SupplierState


@needs_across_stores
def renew(
    *, looked_at: bool = False, under_way: Mapping[str, datetime] | None = None
) -> str | None:
    """Write the row. Returns the address of the supplier that should be asked now, to find out
    whether it answers.

    `looked_at`: customers look at what shops sell. `under_way`: since when which calls are, of
    which nothing is written yet. One transaction.
    """
    with transaction() as session:
        row = session.get(Buying, 1, with_for_update=True)
        now = clock.now()
        if row is None:
            row = Buying(id=1, renewed_at=now, short={})
            session.add(row)
        link = supply.state()
        unheard = unheard_calls(under_way or {})
        reason, since = _stopped(link, unheard) or (None, None)
        if reason is None:
            row.stopped_since = None
        elif row.stopped_since is None or (reason != row.stopped and since is not None):
            row.stopped_since = since or now
        row.stopped = reason
        row.short = _short(row.short, free_pesewas(link), now)
        row.renewed_at = now
        return _to_ask(reason, unheard, looked_at)


def _short(
    before: Mapping[str, str],
    free_pesewas: int,
    now: datetime,
) -> dict[str, str]:
    """The ids of the bundles that cost more than is free, each with since when that is so."""
    too_dear = select(Bundle.id).where(
        Bundle.active, Bundle.cost_pesewas > free_pesewas
    )
    keys = [str(bundle_id) for bundle_id in db.session.scalars(too_dear)]
    return {key: before.get(key, now.isoformat()) for key in keys}


@needs_across_stores
def free_pesewas(link: SupplierState) -> int:
    """What a new order may cost: the float less the reserve and the cost of all orders in line, in
    pesewas.

    In line is what is *queued*, or sent without a commit. By our books, or by the supplier's last
    word when that is less; its word has the orders sent before it behind it.
    """
    cost = Order.cost_pesewas
    told = link.last_balance_pesewas
    told_at = link.last_balance_at
    is_queued = Order.state == "queued"
    is_sent = Order.state == "submitting"
    after_word = Order.submitted_at > told_at if told_at else true()
    queued = func.coalesce(func.sum(cost).filter(is_queued), 0)
    sent = func.coalesce(func.sum(cost).filter(is_sent), 0)
    sent_since = func.coalesce(func.sum(cost).filter(is_sent, after_word), 0)
    in_line = select(queued + sent, queued + sent_since).where(
        Order.state.in_(("queued", "submitting")), REAL
    )
    line, since_word = db.session.execute(in_line).one()
    free = countable_pesewas(link) - int(line)
    if told is not None:
        free = min(free, told - int(since_word))
    return free - config.current().float_reserve_pesewas


def _stopped(
    link: SupplierState, unheard: Unheard
) -> tuple[str, datetime | None] | None:
    """Why nothing can be bought, and since when if that is written anywhere; None when buying
    runs."""
    breaks = cases.open_of_kind(DROP)
    if breaks:
        return "balance_break", breaks[0].opened_at
    if link.credentials_refused_since is not None:
        return "credentials", link.credentials_refused_since
    if _is_away(link, unheard):
        return "supplier_unreachable", link.unreachable_since
    if _is_silent(unheard):
        return "supplier_silent", unheard.since
    now = clock.now()
    if link.breaker_open_until is not None and link.breaker_open_until > now:
        reason = link.breaker_reason or "breaker"
        return (reason if reason in LINK else "breaker"), None
    long_wait = timedelta(seconds=config.current().long_rate_wait_s)
    if link.closed_until is not None and link.closed_until - now > long_wait:
        return "rate", None
    return None


def _is_away(link: SupplierState, unheard: Unheard) -> bool:
    """Whether nobody was there at the last call, and no other call was answered since."""
    since = link.unreachable_since
    if since is None:
        return False
    return unheard.heard_at is None or unheard.heard_at < since


def _is_silent(unheard: Unheard) -> bool:
    """Whether the supplier has answered nothing for too long: two of its addresses, or a purchase
    for longer."""
    settings = config.current()
    if unheard.since is None:
        return False
    lasted = clock.now() - unheard.since
    if len(unheard.endpoints) > 1:
        return lasted >= clock.delta(settings.silent_s)
    is_purchase = not unheard.endpoints.isdisjoint(PURCHASES)
    return is_purchase and lasted >= clock.delta(settings.silent_purchase_s)


def _to_ask(
    reason: str | None,
    unheard: Unheard,
    looked_at: bool,
) -> str | None:
    """Whom to ask: its balance while it is away, or nothing was heard for a while and customers
    look; after one call without an answer a second witness.
    """
    if reason in ("supplier_unreachable", "supplier_silent"):
        return "balance"
    if reason is not None or len(unheard.endpoints) > 1:
        return None
    if unheard.endpoints:
        if "products" in unheard.endpoints:
            return "balance"
        return "products"
    return "balance" if looked_at and _is_long_ago(unheard.heard_at) else None


def _is_long_ago(heard_at: datetime | None) -> bool:
    probe_gap = clock.delta(config.current().probe_s)
    return heard_at is None or abs(clock.now() - heard_at) > probe_gap
