"""The figures of `/metrics`: what is told and under which names. docs/operate.md says what to do
about each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from sqlalchemy import text

from core import availability, cases, ledger, online, orders, outbox, proof
from core.base import clock, heartbeats
from core.base.db import db
from core.supplier import supply

_OPEN_STATES = [state for state in orders.STATES if state not in orders.FINAL]
_ORDERS = (
    "SELECT state, count(*) FROM orders WHERE state = ANY(:states) AND NOT is_test"
    " GROUP BY state"
)
_WAITING = (
    "SELECT wait_reason, count(*) FROM orders WHERE state = 'queued' AND wait_reason IS NOT NULL"
    " GROUP BY 1"
)
_CASES = "SELECT kind, count(*) FROM cases WHERE closed_at IS NULL GROUP BY kind"
_UNMATCHED = (
    "SELECT count(*) FROM webhook_events w WHERE w.order_ref IS NOT NULL "
    "AND NOT EXISTS (SELECT FROM orders o WHERE o.order_ref = w.order_ref) "
    # a payment gateway is often shared with other shops
    "AND NOT starts_with(coalesce(w.verified_by, ''), 'paystack')"
)


def of_proof() -> Iterator[Metric]:
    last = proof.standing().newest
    if last is not None:
        yield gauge(
            "books_ok", "1 when the last proof of the books held.", int(last.ok)
        )
        yield gauge(
            "proof_age_seconds", "Since the last proof of the books.", _age_s(last.at)
        )
        yield gauge("seals", "Number of the newest seal of the chain.", last.id)


def of_queue() -> Iterator[Metric]:
    health = outbox.health()
    yield gauge("outbox_due", "Pieces of work that are due and not done.", health.due)
    yield gauge(
        "outbox_oldest_due_seconds",
        "How long the oldest of them is due.",
        health.oldest_due_s,
    )


def of_orders() -> Iterator[Metric]:
    yield _by(
        "orders",
        "Orders not at their end, by state.",
        "state",
        _counts(_ORDERS, states=_OPEN_STATES),
        _OPEN_STATES,
    )
    yield _by(
        "orders_waiting",
        "Orders in line that wait, by reason.",
        "reason",
        _counts(_WAITING),
        orders.WAIT_TEXT,
    )
    yield _by(
        "cases_open",
        "Cases a person must settle, by kind.",
        "kind",
        _counts(_CASES),
        cases.KINDS,
    )
    unmatched = db.session.scalar(text(_UNMATCHED)) or 0
    yield gauge(
        "webhooks_unmatched",
        "Webhooks kept whose reference is no order of ours.",
        unmatched,
    )


def of_buying() -> Iterator[Metric]:
    now = availability.now()
    row = db.session.get(availability.Buying, 1)
    if now.link:
        stopped = {now.link.reason: 1}
    else:
        stopped = {}
    yield _by(
        "buying_stopped",
        "1 for what keeps stores from selling anything.",
        "reason",
        stopped,
        availability.LINK,
    )
    yield gauge(
        "bundles_sold_out", "Sizes the free float does not cover.", len(now.short)
    )
    if row is not None:
        yield gauge(
            "buying_looked_at_age_seconds",
            "Since the relay looked what can be bought.",
            _age_s(row.renewed_at),
        )


def of_money() -> Iterator[Metric]:
    platform = ledger.platform_balances()
    link = supply.state()
    now = clock.now()
    yield gauge(
        "float_pesewas",
        "Our money at the supplier, by our books.",
        platform["supplier_float"],
    )
    yield gauge(
        "in_flight_pesewas",
        "Taken by the supplier for orders not yet delivered.",
        platform["in_flight"],
    )
    yield gauge(
        "held_pesewas", "Held in wallets for orders under way.", ledger.held_total()
    )
    if link.last_balance_pesewas is not None and link.last_balance_at is not None:
        yield gauge(
            "supplier_balance_pesewas",
            "What the supplier last said we have.",
            link.last_balance_pesewas,
        )
        yield gauge(
            "supplier_balance_age_seconds",
            "Since it said so.",
            _age_s(link.last_balance_at),
        )
    paused = link.breaker_open_until is not None and link.breaker_open_until > now
    yield gauge("breaker_open", "1 while purchases are paused.", int(paused))
    refused = link.credentials_refused_since is not None
    yield gauge(
        "credentials_refused",
        "1 while the supplier refuses our credentials.",
        int(refused),
    )
    yield gauge(
        "supplier_unreachable",
        "1 while it cannot be reached.",
        int(link.unreachable_since is not None),
    )


def of_processes() -> Iterator[Metric]:
    alive = GaugeMetricFamily(
        "makola_processes_alive",
        "Processes that beat within a minute, by role.",
        labels=["role"],
    )
    age = GaugeMetricFamily(
        "makola_heartbeat_age_seconds",
        "Since the newest heartbeat of a role.",
        labels=["role"],
    )
    health = heartbeats.health()
    payer: tuple[heartbeats.Role, ...] = ("payments",) if online.is_configured() else ()
    for role in heartbeats.ROLES + payer:
        alive.add_metric([role], health[role].alive if role in health else 0)
        if role in health:
            age.add_metric([role], health[role].age_s)
    yield alive
    yield age
    lost = heartbeats.counted(heartbeats.RINGS_LOST)
    yield CounterMetricFamily(
        "makola_rings_lost", "Times a ring did not reach Valkey.", value=lost
    )
    unsigned = heartbeats.counted(heartbeats.UNSIGNED_OF_GATEWAY)
    yield CounterMetricFamily(
        "makola_gateway_webhooks_refused",
        "Webhooks of the payment gateway without a good signature.",
        value=unsigned,
    )


def _counts(query: str, **values: Any) -> dict[str, int]:
    return {
        str(name): int(count) for name, count in db.session.execute(text(query), values)
    }


def _by(
    name: str,
    help_text: str,
    label: str,
    counts: Mapping[str, int],
    known: Iterable[str],
) -> Metric:
    """One sample for each known word, zeros included, so that a series never vanishes; and for
    every other word seen."""
    metric = GaugeMetricFamily(f"makola_{name}", help_text, labels=[label])
    for word in dict.fromkeys([*known, *counts]):
        metric.add_metric([word], counts.get(word, 0))
    return metric


def gauge(name: str, help_text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"makola_{name}", help_text, value=value)


def _age_s(moment: Any) -> float:
    return float((clock.now() - moment).total_seconds())
