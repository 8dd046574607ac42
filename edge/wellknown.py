"""`/.well-known/security.txt` (RFC 9116) on every host: where to report a fault to whoever runs
this.

Decides its words and how long they hold. The address comes from MAKOLA_SECURITY_CONTACT; without
one there is no such page, so that nobody is sent to an address that does not exist. Answered before
the edge, since it is no store's page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from core.base import clock
from core.base.config import Config
from edge.hosts import Makola
from edge.security import FIXED

PATH = "/.well-known/security.txt"
HOLDS_DAYS = 30
KEEP_S = 86_400
"""How long a browser or finder may keep it; a changed address is known after this."""


def install(app: Makola, config: Config) -> None:
    contact = config.security_contact
    if contact:
        app.wrap(lambda inner: SecurityText(inner, contact))


class SecurityText:
    """WSGI layer that answers `PATH` itself and passes everything else on."""

    def __init__(self, inner: Callable[..., Iterable[bytes]], contact: str) -> None:
        self._inner = inner
        self._contact = contact

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        if environ.get("PATH_INFO") != PATH or environ.get("REQUEST_METHOD") not in (
            "GET",
            "HEAD",
        ):
            return self._inner(environ, start_response)
        body = words(self._contact).encode()
        headers = {
            **FIXED,
            "Content-Type": "text/plain; charset=utf-8",
            "Content-Length": str(len(body)),
        }
        headers["Content-Security-Policy"] = (
            "default-src 'none'; frame-ancestors 'none'"
        )
        headers["Cache-Control"] = f"public, max-age={KEEP_S}"
        start_response("200 OK", list(headers.items()))
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else body]


def words(contact: str) -> str:
    """The file. It holds for `HOLDS_DAYS` from today: who stops running Makola stops promising,
    too."""
    until = (clock.now() + timedelta(days=HOLDS_DAYS)).replace(
        hour=0, minute=0, second=0, microsecond=0
    )
    return f"Contact: {contact}\nExpires: {until:%Y-%m-%dT%H:%M:%SZ}\nPreferred-Languages: en\n"
