"""A threading WSGI server on the standard library that can misuse its sockets when the application
asks for it.

Decides how a reset, a closed, a short and a trickled answer look on the wire, and the log line of
each request.
"""

from __future__ import annotations

import re
import select
import socket
import socketserver
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, BinaryIO, cast
from wsgiref.handlers import SimpleHandler
from wsgiref.headers import Headers
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.types import StartResponse, WSGIApplication

from integrations.sandbox.misbehaviour import LOG, SOCKET

IDLE_TIMEOUT_S = 60
"""A client that connects and says nothing is dropped after this."""
TRICKLE_STEPS = 20
_POLLED = frozenset(
    {
        "/health",
        *(
            f"/sandbox/{name}"
            for name in ("state", "inflight", "buying", "abandoned", "counts")
        ),
    }
)
"""What tools ask many times a second: not worth a line of the log."""
_PHONE = re.compile(r"(?<!\d)(\+?233|0)(\d{2})\d{3}(\d{4})(?!\d)")


class MisusableSocket:
    """Left in the environ for the application: what to do instead of a plain answer, and is anybody
    still there."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.kind = ""
        self.seconds = 0.0
        self.peer_port = int(connection.getpeername()[1])

    def misuse(self, kind: str, seconds: float = 0.0) -> None:
        """`close`, `reset`, `short_body` or `trickle` (over `seconds`)."""
        self.kind = kind
        self.seconds = seconds

    def client_gone(self) -> bool:
        try:
            readable, _, _ = select.select(
                [self._connection],
                [],
                [],
                0,
            )
            return (
                bool(readable)
                and self._connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
                == b""
            )
        except BlockingIOError:
            return False
        except (OSError, ValueError):
            return True


class _Answer(SimpleHandler):
    """Runs the application for one request and puts its answer on the wire, well or badly."""

    http_version = "1.1"
    server_software = None
    # Set by the base class, which its stubs leave out.
    environ: dict[str, Any]
    headers: Headers | None
    result: Iterable[bytes] | None
    status: str | None
    answered = "none"

    def finish_response(self) -> None:
        self.answered = str(self.status)[:3]
        handle: MisusableSocket = self.environ[SOCKET]
        if handle.kind in ("close", "reset"):
            self.headers_sent = True  # nothing at all goes out
            return
        if handle.kind in ("short_body", "trickle"):
            self._spoil(b"".join(self.result or ()), handle)
            return
        super().finish_response()

    def cleanup_headers(self) -> None:
        super().cleanup_headers()
        if self.headers is not None:
            self.headers["Connection"] = "close"

    def log_exception(self, exc_info: Any) -> None:
        if not isinstance(exc_info[1], (BrokenPipeError, ConnectionResetError)):
            super().log_exception(exc_info)

    def _spoil(self, body: bytes, handle: MisusableSocket) -> None:
        self.send_headers()
        if handle.kind == "short_body":
            self._write(body[: len(body) // 2])
            self._flush()
            return
        step = max(len(body) // TRICKLE_STEPS, 1)
        for start in range(0, len(body), step):
            self._write(body[start : start + step])
            self._flush()
            time.sleep(handle.seconds / TRICKLE_STEPS)


class Handler(WSGIRequestHandler):
    """One connection, one request."""

    server: Server
    timeout = IDLE_TIMEOUT_S

    def handle(self) -> None:
        started = time.monotonic()
        try:
            self.raw_requestline = self.rfile.readline(65537)
            if len(self.raw_requestline) > 65536:
                self.requestline = self.request_version = self.command = ""
                self.send_error(414)
                return
            if not self.parse_request():
                return
        except (OSError, ValueError):
            return
        handle = MisusableSocket(self.connection)
        environ = self.get_environ()
        environ[SOCKET], environ[LOG] = handle, {}
        answer = _Answer(
            cast(BinaryIO, self.rfile),
            cast(BinaryIO, self.wfile),
            self.get_stderr(),
            environ,
            multithread=True,
            multiprocess=False,
        )
        try:
            answer.run(self.server.run_application)
        except OSError:
            handle.kind = handle.kind or "client gone"
        if handle.kind == "reset":
            self.server.will_reset(self.connection)
        self._note(environ, answer, handle, started)

    def log_message(self, format: str, *args: Any) -> None:
        """The base class's own lines carry whole numbers; ours are written by `_note`."""

    def _note(
        self,
        environ: dict[str, Any],
        answer: _Answer,
        handle: MisusableSocket,
        started: float,
    ) -> None:
        if environ["PATH_INFO"] in _POLLED:
            return
        words = environ.get(LOG, {})
        if handle.kind in ("close", "reset", "client gone"):
            status = handle.kind
        else:
            status = answer.answered
        parts = [
            datetime.now().strftime("%H:%M:%S"),
            self.command,
            environ["PATH_INFO"],
            status,
        ]
        parts.append(f"{(time.monotonic() - started) * 1000:.0f} ms")
        if words.get("reference") and words["reference"] not in environ["PATH_INFO"]:
            parts.append(f"ref {words['reference']}")
        if words.get("faults"):
            parts.append(f"[{', '.join(words['faults'])}]")
        self.server.log(masked(" ".join(parts)))


class Server(socketserver.ThreadingMixIn, WSGIServer):
    """One thread a connection."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(
        self,
        address: tuple[str, int],
        application: WSGIApplication,
        log: Callable[[str], None],
    ) -> None:
        self._resets: set[int] = set()
        self._lock = threading.Lock()
        self.log = log
        super().__init__(address, Handler)
        self._application = application

    def server_bind(self) -> None:
        # The base class asks the resolver for the machine's full name, which may take seconds.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = (
            str(self.server_address[0]),
            int(self.server_address[1]),
        )
        self.setup_environ()

    def run_application(
        self, environ: dict[str, Any], start_response: StartResponse
    ) -> Iterable[bytes]:
        return self._application(environ, start_response)

    def will_reset(self, connection: socket.socket) -> None:
        """Make the coming close of this connection a reset."""
        connection.setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        with self._lock:
            self._resets.add(id(connection))

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            reset = id(request) in self._resets
            self._resets.discard(id(request))
        if reset:
            # without the polite shutdown that would send a FIN first
            self.close_request(request)
        else:
            super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


def masked(text: str) -> str:
    """The text with the middle of every phone number hidden."""
    return _PHONE.sub(r"\1\2•••\3", text)


def lines(stream: Any) -> Callable[[str], None]:
    """A log function that writes whole lines at once."""
    lock = threading.Lock()

    def write(text: str) -> None:
        with lock:
            stream.write(f"{text}\n")
            stream.flush()

    return write
