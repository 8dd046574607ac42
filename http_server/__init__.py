"""The server: reads every request whole before a thread is taken, and keeps the processes that do
so alive.

Decides how long head and body may take, how many connections are held and what becomes of the slow
ones, and which process is killed because it no longer answers. What a request may contain is asked
of `Rules`, which the program gives; no room of ours is known here. HTTP/1 only: TLS and HTTP/2
belong to the proxy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

HEAD_S = 10
"""From the first byte to the end of the head; also how long a new connection may stay without a
byte."""
BODY_S = 10
"""From the end of the head to the end of the body; then 408."""
SEND_S = 60
"""Until the reader has taken an answer; then the connection is cut."""
IDLE_S = 75
"""Between two requests of a connection. Longer than a proxy keeps an idle one, so that the proxy
closes first."""
LINGER_S = 2
"""After a refusal the rest of what is being sent is thrown away this long, so that the sender reads
the answer."""
HEAD_BYTES = 16 * 1024
CONNECTIONS = 2_000
"""Held by one process. With more, the one that has waited longest for its request goes."""
HELD_BYTES = 32 * 1024 * 1024
"""Bodies under way and answers not yet taken that one process holds in memory; with more, the
connection that has waited longest goes, with a 503 if its request was under way."""
QUEUE = 100
"""Whole requests of one process that wait for a thread, three quarters of them of one address at
most; the next one is answered 503 at once. Dear ones (`Rules.is_dear`) are counted apart."""
BACKLOG = 2_048
"""Connections the kernel keeps until a process takes them."""
TAKEN_AT_ONCE = 16
"""Of them a process takes so many before it looks after those it has."""
OWN_FILES = 200
"""Open files of a process beside its connections."""
PIPELINED = 8
"""Requests a connection may send ahead."""
SPOOL_BYTES = 64 * 1024
"""A body is kept in memory up to this, then in a file."""
BEAT_S = 0.5
SILENT_S = 10
"""A process whose loop has not answered for so long is killed."""
STUCK_S = 30
"""A process all of whose threads have been in the same requests for so long is killed. Longer than
a page may wait for the database: see `wsgi.ANSWER_S`."""
STOP_S = 25
"""On SIGTERM requests under way may take this long to finish."""

CUT_OFF = "What you sent did not arrive whole, so nothing was done."
NO_LENGTH = (
    "What you sent did not say how long it is (Content-Length), so nothing was done."
)
MALFORMED = "This is not a request that we can read."
WHOLE = "http_server.whole"
"""Key in the WSGI environment: the body is here, counted and within its limit."""


@dataclass(slots=True)
class Head:
    """A request without its body. Texts are latin-1 as WSGI has them."""

    method: str
    target: str
    path: str
    query: str
    version: str
    headers: list[tuple[bytes, bytes]]
    """In the order of arrival, names in lower case."""
    host: str = ""
    length: int | None = None
    is_chunked: bool = False
    waits_for_word: bool = False
    """`Expect: 100-continue`: the sender keeps the body back until it is told that it may come."""


class Refusal(Exception):
    """Why a request is not let in: an HTTP status and a sentence, empty for the usual one of that
    status."""

    def __init__(self, status: int, sentence: str = "") -> None:
        super().__init__(status, sentence)
        self.status = status
        self.sentence = sentence


@dataclass(frozen=True)
class Allowance:
    """How much body a request may bring. `bytes_logged_in`: so much instead when its log-in is
    live."""

    bytes_most: int
    may_be_chunked: bool = False
    bytes_logged_in: int = 0

    def check(self, length: int | None, is_chunked: bool) -> None:
        """Raises `Refusal` 411 for a body of unknown length where none may come, 413 for one
        announced too large."""
        if is_chunked and not self.may_be_chunked:
            raise Refusal(411, NO_LENGTH)
        if (length or 0) > max(self.bytes_most, self.bytes_logged_in):
            raise Refusal(413)


@dataclass(frozen=True)
class Ready:
    """An answer whose bytes are known: status line and header lines, each ended by CRLF; and the
    body."""

    head: bytes
    body: bytes


Renewal = Callable[[], Ready | None]
"""Looks whether an answer whose bytes are known is still true. Called in a thread, since it may
wait; None when the program must be asked."""


@dataclass(frozen=True)
class Rules:
    """What the server asks the program. All are called on the loop and may not wait, except
    `is_logged_in`."""

    judge: Callable[[Head], Allowance]
    """Raises `Refusal`, before any of the body is read."""
    refusal: Callable[[Refusal], Ready]
    """The page of a refusal."""
    is_logged_in: Callable[[dict[str, Any]], bool] = lambda environ: False
    """Called in a thread, for a body that only a live log-in may send."""
    stored: Callable[[Head], Ready | Renewal | None] | None = None
    """A page whose bytes are known, before the program is asked, or what looks whether they are
    still true; None: ask the program. Called for GET and HEAD."""
    spooled_at_once: int = 8
    """Bodies under way that only a live log-in may send, in all processes together."""
    address: Callable[[list[tuple[bytes, bytes]], str], str] = (
        lambda headers, peer_address: peer_address
    )
    """Who sent these headers over a connection from there, as everything that counts by address
    calls them."""
    is_dear: Callable[[Head], bool] = lambda head: False
    """Whether so much is done for this request, or so many strangers send it, that pages may not
    wait behind it: one thread is never in such a request."""
    alone: frozenset[str] = field(default_factory=lambda: frozenset({"/healthz"}))
    """Paths with a thread of their own, answered also when all others are taken."""
