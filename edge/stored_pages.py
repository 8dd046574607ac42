"""A shop's front page as it was last drawn, for whoever comes in the next moment: answered before a
thread is taken and before the database is asked.

Decides which answers are the same for everybody, and for how long one may be shown again. What the
page says is decided in `storefront.views`; sockets are `http_server`'s.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from time import monotonic

import structlog
from cachetools import TLRUCache
from flask import Response, g, request
from werkzeug.http import parse_etags

from core.base import config
from edge import bind, compression
from edge.hosts import Makola
from http_server import Head, Ready
from http_server.pool import ready

MOST_BYTES = 16 * 1024 * 1024
"""Of the pages of one process; the least lately shown goes first."""
SAID_EVERY_S = 60.0
"""How many were shown is logged so often: a line for each would cost more than the page."""
TELLING = frozenset({b"x-forwarded-host", b"hx-request", b"range"})
"""Headers that the answer may depend on, or whose say must be judged: the program is asked."""
READ = (b"accept-encoding", b"if-none-match")
LONGEST = 400
"""Bytes of a header that is read on the loop. A longer one is read in a thread, in its turn."""
OF_ONE_ANSWER = frozenset({"X-Request-Id", "Date"})
OF_A_BODY = frozenset({"Content-Length", "Content-Type", "Content-Encoding"})

log = structlog.get_logger("stored_pages")
Key = tuple[str, str, str]
"""The host as it was sent, what a proxy says of how it came, and the answer's encoding."""


@dataclass(frozen=True)
class Stored:
    """An answer, the short one for who has it already, and until when (monotonic) they may go
    out."""

    etag: str
    whole: Ready
    unchanged: Ready
    until: float

    def size(self) -> int:
        return len(self.whole.head) + len(self.whole.body) + len(self.unchanged.head)


class Pages:
    """The stored pages of one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: TLRUCache[Key, Stored] = TLRUCache(
            MOST_BYTES,
            ttu=lambda _key, page, _now: page.until,
            timer=lambda: monotonic(),
            getsizeof=Stored.size,
        )
        self._shown, self._said_at = 0, monotonic()

    def answer(self, head: Head) -> Ready | None:
        """What is stored for this request; None when the program must be asked. Called on the
        server's loop, so it waits for nothing."""
        if head.target != "/":
            return None
        headers = dict(head.headers)
        if len(headers) != len(head.headers) or not TELLING.isdisjoint(headers):
            return None
        if any(len(headers.get(name, b"")) > LONGEST for name in READ):
            return None
        key = (
            headers.get(b"host", b"").decode("latin-1"),
            headers.get(b"x-forwarded-proto", b"").decode("latin-1"),
            compression.best(headers.get(b"accept-encoding", b"").decode("latin-1")),
        )
        with self._lock:
            page = self._kept.get(key)
            if page is None:
                return None
            self._shown += 1
        has = headers.get(b"if-none-match", b"").decode("latin-1")
        if has and parse_etags(has).contains_weak(page.etag):
            return page.unchanged
        return page.whole

    def keep(self, response: Response) -> Response:
        """Store an answer that is the same for everybody, from the moment its request came; then
        shorten it for who has it already."""
        if request.endpoint != bind.FRONT_PAGE or response.status_code != 200:
            return response
        if is_for_everybody(response):
            environ = request.environ
            key = (
                environ.get("HTTP_HOST", ""),
                environ.get("HTTP_X_FORWARDED_PROTO", ""),
                response.headers.get("Content-Encoding", ""),
            )
            self.store(key, _stored(response))
            self._say()
        response.make_conditional(request)
        return response

    def store(self, key: Key, page: Stored) -> None:
        with self._lock:
            self._kept[key] = page

    def forget(self) -> None:
        with self._lock:
            self._kept.clear()

    def count(self) -> int:
        return len(self._kept)

    def _say(self) -> None:
        now = monotonic()
        if self._shown and now - self._said_at >= SAID_EVERY_S:
            log.info("shown", times=self._shown, seconds=round(now - self._said_at))
            self._shown, self._said_at = 0, now


def install(app: Makola) -> None:
    """Store what the application answers, as it goes out: with the session's cookie, if there is
    one. The server asks what is found under `stored_pages`."""
    pages = Pages()
    app.at_the_end.append(pages.keep)
    app.extensions["stored_pages"] = pages


def is_for_everybody(response: Response) -> bool:
    """Whether this answer of the front page may be shown to others who ask for it."""
    return (
        request.method == "GET"
        and request.environ.get("RAW_URI") == "/"
        and not response.headers.getlist("Set-Cookie")
        and {name.lower() for name in response.vary} <= {"accept-encoding"}
    )


def _stored(response: Response) -> Stored:
    headers = [pair for pair in response.headers if pair[0] not in OF_ONE_ANSWER]
    bare = [pair for pair in headers if pair[0] not in OF_A_BODY]
    etag, _weak = response.get_etag()
    return Stored(
        etag or "",
        ready("200 OK", headers, response.get_data(), "GET"),
        ready("304 NOT MODIFIED", bare, b"", "GET"),
        g.started + config.current().stored_page_s,
    )
