"""`/metrics` for Prometheus, answered on any host before the edge, to who has the operator's token.

Decides what is told and under which names; docs/operate.md says what to do about each. Every number
is read from the database when it is asked for, so any web process answers for all of them and no
folder is shared. A database that is away is a number too: `makola_up 0`.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector
from redis import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from core import availability, cases, ledger, orders, outbox, proof
from core.base import clock, config, heartbeats, tenancy
from core.base.db import db, limit_lock_waits
from core.supplier import supply
from edge.hosts import Makola
from edge.logs import log
from edge.security import FIXED

_OPEN_STATES = [state for state in orders.STATES if state not in orders.FINAL]
_ORDERS = "SELECT state, count(*) FROM orders WHERE state = ANY(:states) GROUP BY state"
_WAITING = (
    "SELECT wait_reason, count(*) FROM orders WHERE state = 'queued' AND wait_reason IS NOT NULL"
    " GROUP BY 1"
)
_CASES = "SELECT kind, count(*) FROM cases WHERE closed_at IS NULL GROUP BY kind"
_UNMATCHED = (
    "SELECT count(*) FROM webhook_events w WHERE w.order_ref IS NOT NULL "
    "AND NOT EXISTS (SELECT FROM orders o WHERE o.order_ref = w.order_ref)"
)


def install(app: Makola) -> None:
    app.wrap(lambda inner: Metrics(app, inner))


class Metrics:
    """WSGI layer that answers `/metrics` itself and passes everything else on."""

    def __init__(self, app: Makola, inner: Callable[..., Iterable[bytes]]) -> None:
        self._inner = inner
        self._registry = CollectorRegistry()
        self._registry.register(Reader(app))

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        if environ.get("PATH_INFO") != "/metrics":
            return self._inner(environ, start_response)
        if _has_token(environ.get("HTTP_AUTHORIZATION", "")):
            status, kind, body = (
                "200 OK",
                CONTENT_TYPE_PLAIN_0_0_4,
                generate_latest(self._registry),
            )
        else:
            status, kind, body = (
                "404 Not Found",
                "text/plain; charset=utf-8",
                b"There is no such page.\n",
            )
        headers = {
            **FIXED,
            "Content-Type": kind,
            "Content-Length": str(len(body)),
            "Cache-Control": "no-store",
        }
        headers["Content-Security-Policy"] = (
            "default-src 'none'; frame-ancestors 'none'"
        )
        start_response(status, list(headers.items()))
        return [b"" if environ.get("REQUEST_METHOD") == "HEAD" else body]


class Reader(Collector):
    """Reads every figure anew for each scrape."""

    def __init__(self, app: Makola) -> None:
        self._app = app

    def collect(self) -> Iterator[Metric]:
        before = limit_lock_waits(
            config.current().lock_read_s
        )  # it comes before Flask, so nobody else says how long
        try:
            with self._app.app_context(), tenancy.across_stores():
                found = [
                    *_proof(),
                    *_queue(),
                    *_orders(),
                    *_buying(),
                    *_money(),
                    *_processes(),
                ]
            up = 1
        except SQLAlchemyError as error:
            log.warning(
                "metrics: the database cannot be read",
                error=type(getattr(error, "orig", None) or error).__name__,
            )
            found, up = [], 0
        finally:
            limit_lock_waits(before)
        yield _gauge(
            "up",
            "1 when the database answers; everything but Valkey is missing when it does not.",
            up,
        )
        yield _gauge("valkey_up", "1 when Valkey answers.", self._valkey())
        yield from found

    def _valkey(self) -> int:
        try:
            return int(bool(self._app.extensions["redis"].ping()))
        except (RedisError, OSError):
            return 0


def _has_token(authorization: str) -> bool:
    """Whether the header carries our token, in a time that says nothing about it. Without a token
    nobody has it."""
    token = config.current().metrics_token
    given = authorization.encode("latin-1", "replace")
    return bool(hmac.compare_digest(given, f"Bearer {token}".encode())) and bool(token)


def _proof() -> Iterator[Metric]:
    last = proof.standing().newest
    if last is not None:
        yield _gauge(
            "books_ok", "1 when the last proof of the books held.", int(last.ok)
        )
        yield _gauge(
            "proof_age_seconds", "Since the last proof of the books.", _age_s(last.at)
        )
        yield _gauge("seals", "Number of the newest seal of the chain.", last.id)


def _queue() -> Iterator[Metric]:
    health = outbox.health()
    yield _gauge("outbox_due", "Pieces of work that are due and not done.", health.due)
    yield _gauge(
        "outbox_oldest_due_seconds",
        "How long the oldest of them is due.",
        health.oldest_due_s,
    )


def _orders() -> Iterator[Metric]:
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
    yield _gauge(
        "webhooks_unmatched",
        "Webhooks kept whose reference is no order of ours.",
        unmatched,
    )


def _buying() -> Iterator[Metric]:
    now, row = availability.now(), db.session.get(availability.Buying, 1)
    stopped = {now.line.reason: 1} if now.line else {}
    yield _by(
        "buying_stopped",
        "1 for what keeps stores from selling anything.",
        "reason",
        stopped,
        availability.LINE,
    )
    yield _gauge(
        "bundles_sold_out", "Sizes the free float does not cover.", len(now.short)
    )
    if row is not None:
        yield _gauge(
            "buying_looked_at_age_seconds",
            "Since the relay looked what can be bought.",
            _age_s(row.renewed_at),
        )


def _money() -> Iterator[Metric]:
    platform, link, now = ledger.platform_balances(), supply.state(), clock.now()
    yield _gauge(
        "float_pesewas",
        "Our money at the supplier, by our books.",
        platform["supplier_float"],
    )
    yield _gauge(
        "in_flight_pesewas",
        "Taken by the supplier for orders not yet delivered.",
        platform["in_flight"],
    )
    yield _gauge(
        "held_pesewas", "Held in wallets for orders under way.", ledger.held_total()
    )
    if link.last_balance_pesewas is not None and link.last_balance_at is not None:
        yield _gauge(
            "supplier_balance_pesewas",
            "What the supplier last said we have.",
            link.last_balance_pesewas,
        )
        yield _gauge(
            "supplier_balance_age_seconds",
            "Since it said so.",
            _age_s(link.last_balance_at),
        )
    paused = link.breaker_open_until is not None and link.breaker_open_until > now
    yield _gauge("breaker_open", "1 while purchases are paused.", int(paused))
    refused = link.credentials_refused_since is not None
    yield _gauge(
        "credentials_refused",
        "1 while the supplier refuses our credentials.",
        int(refused),
    )
    yield _gauge(
        "supplier_unreachable",
        "1 while it cannot be reached.",
        int(link.unreachable_since is not None),
    )


def _processes() -> Iterator[Metric]:
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
    for role in heartbeats.ROLES:
        alive.add_metric([role], health[role].alive if role in health else 0)
        if role in health:
            age.add_metric([role], health[role].age_s)
    yield alive
    yield age
    lost = heartbeats.counted(heartbeats.RINGS_LOST)
    yield CounterMetricFamily(
        "makola_rings_lost", "Times a ring did not reach Valkey.", value=lost
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


def _gauge(name: str, help_text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"makola_{name}", help_text, value=value)


def _age_s(moment: Any) -> float:
    return float((clock.now() - moment).total_seconds())
