"""What the server asks of the program: the limits of `bodies`, its refusals as pages, and whose
log-in is live.

Leaves everything about sockets and threads to `http_server`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask
from flask_login import current_user

from core.base import addresses, config, db
from core.base.config import Config
from edge import bodies, errors, hosts
from http_server import Ready, Refusal, Rules
from http_server.pool import ready


def install(app: Flask) -> None:
    """Put what the server asks of the application where the `web` command finds it."""
    app.extensions["http_server"] = Rules(
        judge=bodies.judge,
        refusal=Pages(app).page,
        is_logged_in=_log_in_of(app),
        is_dear=bodies.is_dear,
        address=address,
        stored=app.extensions["stored_pages"].answer,
        spooled_at_once=Config.uploads_at_once,
    )


def address(headers: list[tuple[bytes, bytes]], peer_address: str) -> str:
    """The client's key, by X-Forwarded-For when proxies of ours set it, as `security.trust_proxies`
    reads it."""
    told = [
        value.decode("latin-1") for name, value in headers if name == b"x-forwarded-for"
    ]
    named = hosts.told_by_proxies(told, config.current().proxy_hops)
    return addresses.key(named or peer_address)


class Pages:
    """The server's refusals, each drawn once in the bare theme: no store is looked up for them."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._drawn: dict[tuple[int, str], Ready] = {}

    def page(self, refusal: Refusal) -> Ready:
        key = (refusal.status, refusal.sentence)
        if key not in self._drawn:
            self._drawn[key] = self._draw(refusal)
        return self._drawn[key]

    def _draw(self, refusal: Refusal) -> Ready:
        with self._app.test_request_context("/", base_url="http://makola.invalid"):
            words = errors.CROWDED if refusal.status == 503 else None
            response = self._app.process_response(
                errors.page(refusal.status, refusal.sentence or None, words=words)
            )
            if refusal.status == 503:
                response.headers["Retry-After"] = str(errors.RETRY_S)
            response.headers.pop("X-Request-Id", None)
            return ready(
                response.status,
                list(response.headers.items()),
                response.get_data(),
                "GET",
            )


def _log_in_of(app: Flask) -> Callable[[dict[str, Any]], bool]:
    def is_live(environ: dict[str, Any]) -> bool:
        forwarded = environ.get("HTTP_X_FORWARDED_HOST")
        values = [forwarded] if forwarded else []
        environ["HTTP_HOST"] = hosts.forwarded_host(
            environ.get("HTTP_HOST", ""), values, config.current()
        )
        with app.request_context(environ):
            try:
                return bool(current_user.is_authenticated)
            finally:
                db.end_read()

    return is_live
