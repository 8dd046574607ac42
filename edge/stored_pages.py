"""Answers that are the same for everybody, shown again for a moment: before a thread is taken and
before the database is asked. When the moment is over, the database alone is asked whether the
answer is still true, and it is shown for another moment.

Decides which they are, and for how long one may be shown: a shop's front page, "nothing new" to the
page of an order, and that there is no shop at an address (`unknown_shops`). What a page says, and
how it is seen that it would say the same now (`g.is_still_true`), is decided in the rooms; sockets
are `http_server`'s.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from time import monotonic
from typing import NamedTuple

import structlog
from cachetools import TLRUCache
from flask import Flask, Response, g, request
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.http import parse_etags

from core.base import config, language
from edge import bind, compression, hosts, languages, waits
from edge.hosts import Makola
from edge.unknown_shops import OF_ONE_ANSWER, UnknownShops
from http_server import Head, Ready, Renewal
from http_server.pool import ready

MOST_BYTES = 16 * 1024 * 1024
"""Of the pages of one process; the least lately shown goes first."""
MOST_POLLS_BYTES = 16 * 1024 * 1024
LOOK_BYTES = 4_000
"""About what it takes to remember what an answer was drawn from."""
KEPT_S = 600.0
"""So long after its moment an answer may be looked at again; then it is drawn anew."""
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
    """An answer, the short one for who has it already, until when (monotonic) they may go out, how
    long that is, and what tells whether they are still true: None when nothing can."""

    etag: str
    whole: Ready
    unchanged: Ready
    until: float
    shown_s: float = 0.0
    is_still_true: Callable[[], bool] | None = None

    def size(self) -> int:
        bare = len(self.whole.head) + len(self.whole.body) + len(self.unchanged.head)
        return bare + (LOOK_BYTES if self.is_still_true else 0)

    def to(self, has: str) -> Ready:
        """The answer to who names what he has already by `has`, as If-None-Match."""
        if has and parse_etags(has).contains_weak(self.etag):
            return self.unchanged
        return self.whole


class Pages:
    """The stored pages of one process of `app`."""

    def __init__(self, app: Flask | None = None) -> None:
        self._app = app
        self._lock = threading.Lock()
        self._pages, self._polls = _cache(MOST_BYTES), _cache(MOST_POLLS_BYTES)
        self.unknown_shops = UnknownShops()
        self._shown, self._said_at = Counter[str](), monotonic()

    def answer(self, head: Head) -> Ready | Renewal | None:
        """What is stored for this request, or what looks whether it is still true; None when the
        program must be asked. Called on the server's loop, so it waits for nothing."""
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
            return self._found(self._polls, Key(host, scheme, "", head.target), "")
        if head.target in FRONT_PAGES:
            key = Key(host, scheme, encoding, head.target)
            page = self._found(self._pages, key, has)
            if page is not None:
                return page
        nothing = self.unknown_shops.answer(host, scheme, encoding, head.path)
        if nothing is not None:
            self._shown["unknown_shops"] += 1
        return nothing

    def _found(self, cache: Cache, key: Key, has: str) -> Ready | Renewal | None:
        with self._lock:
            page = cache.get(key)
        if page is None:
            return None
        if monotonic() >= page.until:
            return partial(self._renewed, cache, key, page, has)
        self._shown[self._kind(cache)] += 1
        return page.to(has)

    def _renewed(self, cache: Cache, key: Key, page: Stored, has: str) -> Ready | None:
        """The answer for another moment, if it is still true now. What is wrong with the database,
        the program will say better."""
        began = monotonic()
        try:
            if not self._is_still_true(page):
                return None
        except SQLAlchemyError:
            return None
        with self._lock:
            # another may have been drawn meanwhile
            if cache.get(key) is page:
                cache[key] = replace(page, until=began + page.shown_s)
        self._shown[self._kind(cache)] += 1
        self._say()
        return page.to(has)

    def _kind(self, cache: Cache) -> str:
        return "pages" if cache is self._pages else "polls"

    def _is_still_true(self, page: Stored) -> bool:
        if self._app is None or page.is_still_true is None:
            return False
        with self._app.app_context(), waits.of_a_look(hosts.STORE):
            return page.is_still_true()

    def keep(self, response: Response) -> Response:
        """Store an answer that is the same for everybody, from the moment its request came; then
        shorten a page for who has it already."""
        request = hosts.present()
        if request.endpoint == bind.FRONT_PAGE and response.status_code == 200:
            if is_for_everybody(response):
                self.store(_key(response, _target()), _stored(response))
            response.make_conditional(request)
        elif request.endpoint == POLL_ENDPOINT and response.status_code == 204:
            target = _target()
            if POLL.fullmatch(target) and is_for_everybody(response):
                self.store_poll(_key(response, target), _stored_poll(response))
        elif g.get("no_shop"):
            self.unknown_shops.keep(response)
        self._say()
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
        """How many were shown since it was last said. Not called on the loop, which waits for
        nothing: a flood alone is said with the next request that the program sees."""
        now = monotonic()
        if now - self._said_at < SAID_EVERY_S or not self._shown.total():
            return
        shown, self._shown = self._shown, Counter()
        seconds, self._said_at = round(now - self._said_at), now
        log.info("shown", seconds=seconds, **shown)


def install(app: Makola) -> None:
    """Store what the application answers, as it goes out: with the session's cookie, if there is
    one. The server asks what is found under `stored_pages`."""
    pages = Pages(app)
    app.at_the_end.append(pages.keep)
    app.extensions["stored_pages"] = pages


def is_for_everybody(response: Response) -> bool:
    """Whether this answer may be shown to others who ask for the same."""
    request = hosts.present()
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
        *_moment(config.current().stored_page_s),
    )


def _stored_poll(response: Response) -> Stored:
    headers = [pair for pair in response.headers if pair[0] not in OF_ONE_ANSWER]
    whole = ready("204 NO CONTENT", headers, b"", "GET")
    return Stored("", whole, whole, *_moment(config.current().stored_poll_s))


def _moment(shown_s: float) -> tuple[float, float, Callable[[], bool] | None]:
    """The end of what the present request answers, its length, and what tells whether it is true
    afterwards, in the language of now."""
    told: Callable[[], bool] | None = g.get("is_still_true")
    return g.started + shown_s, shown_s, told and _spoken(told, language.current())


def _spoken(told: Callable[[], bool], code: str) -> Callable[[], bool]:
    def look() -> bool:
        with language.spoken(code):
            return told()

    return look


Cache = TLRUCache[Key, Stored]


def _cache(most_bytes: int) -> Cache:
    return TLRUCache(
        most_bytes,
        ttu=lambda _key, page, _now: page.until + (KEPT_S if page.is_still_true else 0),
        timer=lambda: monotonic(),
        getsizeof=Stored.size,
    )
