"""`/healthz`, answered on any host before the edge: is this process able to serve?

The database decides between 200 and 503; Valkey is reported but only slows things down when it is
gone. Each look is given up after 300 ms, so the answer is never slow.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from flask import Flask
from redis import RedisError
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from core.base.db import db
from edge.hosts import Makola
from edge.security import FIXED

LOOK_S = 0.3


def install(app: Makola) -> None:
    app.wrap(lambda inner: Health(app, inner))


class Health:
    """WSGI layer that answers `/healthz` itself and passes everything else on."""

    def __init__(self, app: Flask, inner: Callable[..., Iterable[bytes]]) -> None:
        self._app = app
        self._inner = inner
        self._looks = {"database": Look(self._database), "valkey": Look(self._valkey)}

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        if environ.get("PATH_INFO") != "/healthz":
            return self._inner(environ, start_response)
        found = {name: look.well() for name, look in self._looks.items()}
        body = json.dumps({"ok": found["database"], **found}).encode()
        headers = {
            **FIXED,
            "Content-Type": "application/json",
            "Cache-Control": "no-store",
        }
        headers["Content-Length"] = str(len(body))
        headers["Content-Security-Policy"] = (
            "default-src 'none'; frame-ancestors 'none'"
        )
        start_response(
            "200 OK" if found["database"] else "503 Service Unavailable",
            list(headers.items()),
        )
        return [b"" if environ.get("REQUEST_METHOD") == "HEAD" else body]

    def _database(self) -> bool:
        try:
            with self._app.app_context():
                return all(_answers(engine) for engine in db.engines.values())
        except SQLAlchemyError:
            return False

    def _valkey(self) -> bool:
        try:
            return bool(self._app.extensions["redis"].ping())
        except (RedisError, OSError):
            return False


def _answers(engine: Engine) -> bool:
    with engine.connect() as connection:
        return bool(connection.execute(text("SELECT 1")).scalar_one() == 1)


class Look:
    """One probe in a thread of its own. While an earlier one still hangs, no second one is
    started."""

    def __init__(self, probe: Callable[[], bool]) -> None:
        self._probe = probe
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="health")
        self._running: Future[bool] | None = None

    def well(self) -> bool:
        if self._running is None or self._running.done():
            self._running = self._thread.submit(self._probe)
        try:
            return self._running.result(timeout=LOOK_S)
        except TimeoutError:
            return False
