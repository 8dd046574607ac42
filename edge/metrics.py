"""`/metrics` for Prometheus, answered on any host before the edge, to who has the operator's token.

Every number is read from the database when it is asked for, so any web process answers for all of
them and no folder is shared. A database that is away is a number too: `makola_up 0`. What is told,
and under which names, is decided in `metric_figures`.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector
from redis import RedisError
from sqlalchemy.exc import SQLAlchemyError

from core.base import config, tenancy
from core.base.db import limit_lock_waits
from edge import metric_figures
from edge.hosts import Makola
from edge.logs import log
from edge.security import FIXED


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
            status = "200 OK"
            kind = CONTENT_TYPE_PLAIN_0_0_4
            body = generate_latest(self._registry)
        else:
            status = "404 Not Found"
            kind = "text/plain; charset=utf-8"
            body = b"There is no such page.\n"
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
        # it comes before Flask, so nobody else says how long
        before = limit_lock_waits(config.current().lock_read_s)
        try:
            with self._app.app_context(), tenancy.across_stores():
                found = [
                    *metric_figures.of_proof(),
                    *metric_figures.of_queue(),
                    *metric_figures.of_orders(),
                    *metric_figures.of_buying(),
                    *metric_figures.of_money(),
                    *metric_figures.of_processes(),
                ]
            up = 1
        except SQLAlchemyError as error:
            log.warning(
                "metrics: the database cannot be read",
                error=type(getattr(error, "orig", None) or error).__name__,
            )
            found = []
            up = 0
        finally:
            limit_lock_waits(before)
        yield metric_figures.gauge(
            "up",
            "1 when the database answers; everything but Valkey is missing when it does not.",
            up,
        )
        yield metric_figures.gauge(
            "valkey_up", "1 when Valkey answers.", self._valkey()
        )
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
    wanted = f"Bearer {token}".encode()
    is_same = hmac.compare_digest(given, wanted)
    return is_same and bool(token)
