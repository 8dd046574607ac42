"""Answers that are the same for everybody, shown again for a moment: before a thread is taken and
before the database is asked.

Decides which they are, and for how long one may be shown: a shop's front page, "nothing new" to the
page of an order, and that there is no shop at an address (`unknown_shops`). What a page says is
decided in the rooms; sockets are `http_server`'s.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from time import monotonic
from typing import NamedTuple

import structlog
from cachetools import TLRUCache
from flask import Response, g, request
from werkzeug.http import parse_etags

from core.base import config
from edge import bind, compression, languages
from edge.hosts import Makola
from edge.unknown_shops import OF_ONE_ANSWER, UnknownShops
from http_server import Head, Ready
from http_server.pool import ready

MOST_BYTES = 16 * 1024 * 1024
"""Of the pages of one process; the least lately shown goes first."""
MOST_POLLS_BYTES = 4 * 1024 * 1024
SAID_EVERY_S = 60.0
"""How many were shown is logged so often: a line for each would cost more than the page."""
TELLING = frozenset({b"x-forwarded-host", b"range"})
"""Headers whose say must be judged, or that the answer depends on: the program is asked."""
LONGEST = 400
"""Bytes of a header that is read on the loop. A longer one is read in a thread, in its turn."""
OF_A_BODY = frozenset({"Content-Length", "Content-Type", "Content-Encoding"})
FRONT_PAGES = frozenset({"/", *(f"{prefix}/" for prefix in languages.PREFIXES)})
"""As they are asked for, one in each language. A page is found by its address alone."""
POLL = re.compile(
    rf"(?:{'|'.join(languages.PREFIXES)})?"
    r"/orders/[0-9A-Z]{10}/status\?v=[0-9]{1,9}&s=[0-9a-f]{8}",
    re.ASCII,
)
"""As the page of an order asks. Only one of these is true of an order at a time."""
POLL_ENDPOINT = "storefront.order_status"

log = structlog.get_logger("stored_pages")


class Key(NamedTuple):
    """What an answer depends on: the host as it was sent, what a proxy says of how it came, the
    answer's encoding, and path and query."""

    host: str
    scheme: str
    encoding: str = ""
    target: str = "/"


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
        self._pages, self._polls = _cache(MOST_BYTES), _cache(MOST_POLLS_BYTES)
        self.unknown_shops = UnknownShops()
        self._shown, self._said_at = 0, monotonic()

    def answer(self, head: Head) -> Ready | None:
        """What is stored for this request; None when the program must be asked. Called on the
        server's loop, so it waits for nothing."""
        headers = dict(head.headers)
        if len(headers) != len(head.headers) or not TELLING.isdisjoint(headers):
            return None
        host, scheme, encodings, has = (
            headers.get(name, b"")[: LONGEST + 1].decode("latin-1")
            for name in (
                b"host",
                b"x-forwarded-proto",
                b"accept-encoding",
                b"if-none-match",
            )
        )
        if max(map(len, (host, scheme, encodings, has))) > LONGEST:
            return None
        encoding = compression.best(encodings)
        if b"hx-request" in headers:
            return self._poll(Key(host, scheme, "", head.target))
        if head.target in FRONT_PAGES:
            page = self._page(Key(host, scheme, encoding, head.target), has)
            if page is not None:
                return page
        return self.unknown_shops.answer(host, scheme, encoding, head.path)

    def _page(self, key: Key, has: str) -> Ready | None:
        with self._lock:
            page = self._pages.get(key)
        if page is None:
            return None
        self._shown += 1
        if has and parse_etags(has).contains_weak(page.etag):
            return page.unchanged
        return page.whole

    def _poll(self, key: Key) -> Ready | None:
        with self._lock:
            poll = self._polls.get(key)
        if poll is None:
            return None
        self._shown += 1
        return poll.whole

    def keep(self, response: Response) -> Response:
        """Store an answer that is the same for everybody, from the moment its request came; then
        shorten a page for who has it already."""
        if request.endpoint == bind.FRONT_PAGE and response.status_code == 200:
            if is_for_everybody(response):
                self.store(_key(response, _target()), _stored(response))
                self._say()
            response.make_conditional(request)
        elif request.endpoint == POLL_ENDPOINT and response.status_code == 204:
            target = _target()
            if POLL.fullmatch(target) and is_for_everybody(response):
                self.store_poll(_key(response, target), _stored_poll(response))
        elif g.get("no_shop"):
            self.unknown_shops.keep(response)
        return response

    def store_poll(self, key: Key, poll: Stored) -> None:
        with self._lock:
            self._polls[key] = poll

    def store(self, key: Key, page: Stored) -> None:
        with self._lock:
            self._pages[key] = page

    def forget(self) -> None:
        with self._lock:
            self._pages.clear()
            self._polls.clear()
        self.unknown_shops.forget()

    def count(self) -> int:
        return len(self._pages) + len(self._polls)

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
    """Whether this answer may be shown to others who ask for the same."""
    environ = request.environ
    return (
        request.method == "GET"
        # what is longer is never looked for
        and len(environ.get("HTTP_HOST", "")) <= LONGEST
        and len(environ.get("HTTP_X_FORWARDED_PROTO", "")) <= LONGEST
        and (request.endpoint != bind.FRONT_PAGE or _target() in FRONT_PAGES)
        and not response.headers.getlist("Set-Cookie")
        and {name.lower() for name in response.vary} <= {"accept-encoding"}
    )


def _target() -> str:
    return str(request.environ.get("RAW_URI", ""))


def _key(response: Response, target: str) -> Key:
    environ = request.environ
    return Key(
        environ.get("HTTP_HOST", ""),
        environ.get("HTTP_X_FORWARDED_PROTO", ""),
        response.headers.get("Content-Encoding", ""),
        target,
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


def _stored_poll(response: Response) -> Stored:
    headers = [pair for pair in response.headers if pair[0] not in OF_ONE_ANSWER]
    whole = ready("204 NO CONTENT", headers, b"", "GET")
    return Stored("", whole, whole, g.started + config.current().stored_poll_s)


def _cache(most_bytes: int) -> TLRUCache[Key, Stored]:
    return TLRUCache(
        most_bytes,
        ttu=lambda _key, page, _now: page.until,
        timer=lambda: monotonic(),
        getsizeof=Stored.size,
    )
