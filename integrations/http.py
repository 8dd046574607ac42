"""One HTTP call and what became of it: answered, certainly not sent, or lost.

Decides how long, how large and over which connection; the only module that knows httpx. What an
answer means is left to the supplier folders. It calls a transport directly, so there are no
redirects, retries, cookies or proxies to turn off. Every call opens its own connection: a pooled
one that the server has closed fails in a way that looks like "maybe sent", and a job timeout in the
middle of a call would leave a shared pool in doubt.
"""

from __future__ import annotations

import contextlib
import functools
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import httpx

MAX_BYTES = 1024 * 1024
"""An answer longer than this is not read to its end."""

Transport = httpx.BaseTransport

# Only these prove that nothing went out. A reset before, during and after reading all look alike
# (ReadError).
_BEFORE_SENDING = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
)
_AFTER_SENDING = (httpx.TransportError, httpx.DecodingError)


@dataclass(frozen=True)
class Timeouts:
    """Seconds. `read` and `write` are per socket operation; `total` bounds the whole call, name
    look-up excepted."""

    connect: float
    read: float
    write: float
    pool: float
    total: float


@dataclass(frozen=True)
class Answer:
    """A complete answer. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class NotConnected:
    """Certainly nothing was sent."""

    reason: str


@dataclass(frozen=True)
class Lost:
    """Something was or may have been sent, and no complete answer came back."""

    reason: str


Reply = Answer | NotConnected | Lost


def check_url(url: str) -> None:
    """Raises `ValueError` for an address no call could be made to, so that it shows at start and
    not at a purchase."""
    try:
        _ = urlsplit(
            url
            # finds an unclosed bracket and a port beyond 65535, which httpx lets pass
        ).port
        parsed = httpx.URL(url)
        parsed.raw_host.decode("ascii").encode("idna")
    except (httpx.InvalidURL, ValueError) as error:
        raise ValueError(f"not an address to call: {error}") from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ValueError(
            "the address must start with http:// or https:// and name a host"
        )


def send(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    body: bytes | None,
    timeouts: Timeouts,
    transport: Transport | None = None,
    max_bytes: int = MAX_BYTES,
) -> Reply:
    """Make one call on a connection of its own and say what became of it.

    Whatever is not the wire's doing flies through: a job's time limit is an ordinary exception that
    can be raised at any line in here, and taking it for an answer would let a stopped job go on.
    `transport` is for tests.
    """
    watch = _Watch(timeouts.total)
    limits = {
        "connect": timeouts.connect,
        "read": timeouts.read,
        "write": timeouts.write,
        "pool": timeouts.pool,
    }
    request = httpx.Request(
        method,
        url,
        headers={
            "User-Agent": "Makola",
            "Accept-Encoding": "identity",
            "Connection": "close",
            **headers,
        },
        content=body,
        extensions={"timeout": limits, "trace": watch.trace},
    )
    chosen = transport or httpx.HTTPTransport(
        verify=_tls(),
        trust_env=False,
        retries=0,
        limits=httpx.Limits(max_connections=1, max_keepalive_connections=0),
    )
    try:
        with watch:
            response = chosen.handle_request(request)
            with contextlib.closing(response):
                content = _content(response, max_bytes, watch)
            if isinstance(content, Lost):
                return content
            return Answer(response.status_code, dict(response.headers), content)
    except _BEFORE_SENDING as error:
        # cannot happen today; "not sent" is a promise about money, so it is checked
        if watch.sending:
            return Lost(_word(error))
        return NotConnected(f"{_word(error)}: {error}"[:200])
    except (
        _AFTER_SENDING
    ) as error:  # no text of these: some quote the headers, and with them the secret
        return Lost("deadline" if watch.expired else _word(error))
    finally:
        if transport is None:
            chosen.close()


def _content(
    response: httpx.Response,
    max_bytes: int,
    watch: _Watch,
) -> bytes | Lost:
    content = bytearray()
    for chunk in response.iter_bytes():
        content += chunk
        if len(content) > max_bytes:
            return Lost("too_large")
        if watch.is_over():
            return Lost("deadline")
    return bytes(content)


def _word(error: Exception) -> str:
    """`ReadTimeout` → `read_timeout`."""
    name = type(error).__name__
    return "".join(
        f"_{letter.lower()}" if letter.isupper() else letter for letter in name
    ).lstrip("_")


@functools.cache
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)


class _Watch:
    """Ends a call that outlives its total time by shutting its socket.

    Timeouts of httpx are per read, so an answer that trickles in, headers or body, would outlive
    any of them.
    """

    def __init__(self, seconds: float) -> None:
        self.sending = False
        self.expired = False
        self._ends_at = time.monotonic() + seconds
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._expire)
        self._timer.daemon = True

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._timer.cancel()

    def is_over(self) -> bool:
        return self.expired or time.monotonic() > self._ends_at

    def trace(self, name: str, info: Mapping[str, Any]) -> None:
        """httpx tells each step of the call here: which socket it uses, and when the first byte is
        about to go."""
        if name in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._socket = info["return_value"].get_extra_info("socket")
            if self.expired:
                self._shut()
        elif name == "http11.send_request_headers.started":
            self.sending = True

    def _expire(self) -> None:
        self.expired = True
        self._shut()

    def _shut(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):  # closed in the same moment
                # past TLS, which would want to say goodbye
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
