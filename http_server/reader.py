"""Bytes to requests: each one whole, or refused.

The parser is llhttp in its strict mode: two lengths, a length beside chunks, a NUL, a folded line
are errors. Decides what is too large and what was cut off, by the allowance the program gives.
Leaves time and answers to `wire`.
"""

from __future__ import annotations

from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING, Any

import httptools
import structlog

import http_server
from http_server import Allowance, Head, Refusal

if TYPE_CHECKING:
    from http_server.wire import Connection

log = structlog.get_logger("http_server")


@dataclass(slots=True)
class Request:
    """A request that arrived whole. `body` is None when there is none. `is_last`: the connection
    ends with it."""

    head: Head
    body: bytes | IO[bytes] | None
    is_last: bool

    def close(self) -> None:
        """Let go of a body that is a file."""
        if self.body is not None and not isinstance(self.body, bytes):
            self.body.close()


class Reader:
    """The parser of one connection and what it has understood so far. Methods named `on_…` are the
    parser's to call."""

    __slots__ = (
        "allowance",
        "body",
        "connection",
        "head",
        "head_bytes",
        "headers",
        "is_deaf",
        "is_spooled",
        "parser",
        "raw_bytes",
        "received",
        "url",
    )

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.parser = httptools.HttpRequestParser(self)
        self.is_deaf = self.is_spooled = False
        self.head: Head | None = None
        self.headers: list[tuple[bytes, bytes]] = []
        self.body: bytearray | IO[bytes] | None = None
        self.allowance = Allowance(0)
        self.head_bytes = self.raw_bytes = self.received = 0
        self.url = b""

    def feed(self, data: bytes) -> None:
        """Take what came. Requests, a body to wait for and refusals are told to the connection."""
        if self.is_deaf:
            return
        self._count(data)
        try:
            self.parser.feed_data(data)
        # we stay with HTTP/1.1, and what follows is not that
        except httptools.HttpParserUpgrade:
            self.is_deaf = True
        except httptools.HttpParserCallbackError:
            log.exception("a request could not be judged")
            self.connection.refuse(Refusal(500))
        except httptools.HttpParserError:
            if not self.is_deaf:
                self.connection.refuse(Refusal(400, http_server.MALFORMED))
        if (
            self.head is None
            and self.head_bytes > http_server.HEAD_BYTES
            and not self.is_deaf
        ):
            self.connection.refuse(Refusal(431))

    def spool(self) -> None:
        """Take this body into a file, up to the larger limit."""
        self.is_spooled = True
        self.body = SpooledTemporaryFile(http_server.SPOOL_BYTES)  # noqa: SIM115 closed with its request

    def forget(self) -> None:
        """Drop what has come of a body and listen no more."""
        self.is_deaf = True
        if isinstance(self.body, bytearray):
            self.connection.office.hold(self.connection, -len(self.body))
        elif self.body is not None:
            self.body.close()
        self.body = None

    def on_message_begin(self) -> None:
        self.url = b""
        self.headers = []
        self.head = None
        self.received = self.raw_bytes = 0

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.head is None:  # else a trailer, which says nothing to us
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        if self.is_deaf:
            return
        try:
            self.head = head = read_head(self.parser, self.url, self.headers)
            self.allowance = self.connection.office.rules.judge(head)
            self.allowance.check(head.length, head.is_chunked)
        except Refusal as refusal:
            self.connection.refuse(refusal)
            return
        if head.length or head.is_chunked:
            self.connection.body_comes(
                head, needs_log_in=(head.length or 0) > self.allowance.bytes_most
            )

    def on_body(self, data: bytes) -> None:
        if self.is_deaf:
            return
        self.received += len(data)
        if self.received > self._most_bytes():
            self.connection.refuse(Refusal(413))
            return
        if self.body is None:
            self.body = bytearray()
        if isinstance(self.body, bytearray):
            self.body += data
            self.connection.office.hold(self.connection, len(data))
        else:
            self.body.write(data)

    def on_message_complete(self) -> None:
        if self.is_deaf or self.head is None:
            return
        self.is_deaf = is_last = (
            not self.parser.should_keep_alive() or self.parser.should_upgrade()
        )
        head = self.head
        self.head = None
        self.head_bytes = 0
        body = self.body
        self.body = None
        self.is_spooled = False
        if body is not None and not isinstance(body, bytearray):
            body.seek(0)
        self.connection.came(
            Request(head, bytes(body) if isinstance(body, bytearray) else body, is_last)
        )

    def _count(self, data: bytes) -> None:
        """Bytes as they came: what the parser keeps to itself, long lines and trailers, is bounded
        by these."""
        if self.head is None:
            self.head_bytes += len(data)
            return
        self.raw_bytes += len(data)
        if self.raw_bytes > 2 * self._most_bytes() + http_server.HEAD_BYTES:
            self.connection.refuse(Refusal(413))

    def _most_bytes(self) -> int:
        if self.is_spooled:
            return self.allowance.bytes_logged_in
        return self.allowance.bytes_most


def read_head(
    parser: Any,
    url: bytes,
    headers: list[tuple[bytes, bytes]],
) -> Head:
    """The head. Raises `Refusal` for what llhttp lets pass and we do not."""
    target = url.decode("latin-1")
    path, _, query = target.partition("?")
    head = Head(
        parser.get_method().decode(),
        target,
        path,
        query,
        parser.get_http_version(),
        headers,
    )
    hosts = 0
    size = len(url)
    for name, value in headers:
        size += len(name) + len(value) + 4
        hosts += name == b"host"
        _note(head, name, value)
    if size > http_server.HEAD_BYTES:
        raise Refusal(431)
    if head.version not in ("1.0", "1.1") or head.method == "CONNECT":
        raise Refusal(400, http_server.MALFORMED)
    if hosts > 1 or (hosts == 0 and head.version == "1.1"):
        raise Refusal(400, http_server.MALFORMED)
    return head


def _note(head: Head, name: bytes, value: bytes) -> None:
    """What one header says about the request. Raises `Refusal` for a coding we do not read."""
    if name == b"host":
        head.host = value.decode("latin-1")
    elif name == b"content-length":
        head.length = int(value)
    elif name == b"transfer-encoding":
        if value.lower() != b"chunked" or head.is_chunked or head.version != "1.1":
            raise Refusal(400, http_server.MALFORMED)
        head.is_chunked = True
    elif name == b"expect":
        head.waits_for_word = value.lower() == b"100-continue"
