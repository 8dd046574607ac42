"""The threads of one process: they run the program with a request that is already whole.

Decides how many run at once, how many may wait, and when all of them count as stuck. They never
touch a socket: the answer goes back to the loop in one piece.
"""

from __future__ import annotations

import io
import sys
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

import structlog

import http_server
from http_server import Head, Ready, Renewal, WsgiApp
from http_server.reader import Request
from http_server.turns import Turns, Work

log = structlog.get_logger("http_server")

STATUS_LINES = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode()
    for status in HTTPStatus
}
NO_BODY = (204, 304)


class UnderWay(NamedTuple):
    """What one thread is in, and since when."""

    began: float
    is_dear: bool


class Pool:
    """`count` threads that take work as `Turns` has it; one of them is never in dear work."""

    def __init__(self, count: int, most_waiting: int) -> None:
        self._turns = Turns(most_waiting)
        self._changed = threading.Condition(threading.Lock())
        self._most_dear = max(1, count - 1)
        self._under_way: list[UnderWay | None] = [None] * count
        for number in range(count):
            threading.Thread(
                target=self._run, args=(number,), daemon=True, name=f"web-{number}"
            ).start()

    def give(
        self,
        work: Work,
        who: str,
        *,
        is_dear: bool = False,
    ) -> bool:
        """Have `work` of this address done; False when too much of it waits already."""
        with self._changed:
            is_in = self._turns.add(work, who, is_dear=is_dear)
            if is_in:
                self._changed.notify()
        return is_in

    def stuck_s(self) -> float:
        """For how long all threads, or all that may do dear work, have been in what they are in.

        0 while one of either kind is free.
        """
        present = [one for one in list(self._under_way) if one is not None]
        dear = [one for one in present if one.is_dear]
        groups = ((present, len(self._under_way)), (dear, self._most_dear))
        newest = [
            max(one.began for one in some) for some, most in groups if len(some) == most
        ]
        return max((time.monotonic() - began for began in newest), default=0.0)

    def _run(self, number: int) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(self._has_some)
                task = self._turns.take(may_be_dear=self._may_take_dear())
                self._under_way[number] = UnderWay(time.monotonic(), task.is_dear)
            task.work()
            with self._changed:
                self._under_way[number] = None
                self._changed.notify()  # dear work may have waited for this

    def _has_some(self) -> bool:
        return self._turns.has(is_dear=False) or self._may_take_dear()

    def _may_take_dear(self) -> bool:
        under_way = sum(one is not None and one.is_dear for one in self._under_way)
        return self._turns.has(is_dear=True) and under_way < self._most_dear


class Caller:
    """Runs the program with requests, as WSGI asks."""

    def __init__(self, app: WsgiApp, host: str, port: int) -> None:
        self._app = app
        self._base = {
            "SCRIPT_NAME": "",
            "SERVER_NAME": host,
            "SERVER_PORT": str(port),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
        }

    def answer(
        self,
        request: Request,
        peer: tuple[Any, ...],
        renewal: Renewal | None = None,
    ) -> Ready:
        """The answer of `renewal`, or else the program's, whole. What they raise is logged and
        becomes a bare 500."""
        told: list[Any] = []

        def start_response(
            status: str, headers: list[tuple[str, str]], exc_info: Any = None
        ) -> Callable[..., None]:
            told[:] = [status, headers]
            # the old way to write, before the body
            return lambda data: told.append(data)

        body = request.body
        try:
            still_true = renewal() if renewal is not None else None
            if still_true is not None:
                return still_true
            environ = self.environ(request.head, peer)
            environ["wsgi.input"] = (
                body
                if body is not None and not isinstance(body, bytes)
                else io.BytesIO(body or b"")
            )
            environ["CONTENT_LENGTH"] = (
                str(_size(body)) if body is not None or request.head.length == 0 else ""
            )
            parts = self._app(environ, start_response)
            try:
                whole = b"".join(parts)
            finally:
                if hasattr(parts, "close"):
                    parts.close()
            return ready(
                told[0], told[1], b"".join([*told[2:], whole]), request.head.method
            )
        except Exception:
            log.exception("the program raised", method=request.head.method)
            return Ready(STATUS_LINES[500] + b"Content-Length: 0\r\n", b"")
        finally:
            request.close()

    def environ(self, head: Head, peer: tuple[Any, ...]) -> dict[str, Any]:
        """The head as WSGI has it. A name with an underscore could pass for another one and is left
        out."""
        environ: dict[str, Any] = {
            **self._base,
            "REQUEST_METHOD": head.method,
            "PATH_INFO": path_of(head),
            "QUERY_STRING": head.query,
            "RAW_URI": head.target,
            "SERVER_PROTOCOL": f"HTTP/{head.version}",
            "REMOTE_ADDR": peer[0],
            "REMOTE_PORT": str(peer[1]),
            http_server.WHOLE: True,
        }
        for name, value in head.headers:
            if b"_" in name:
                continue
            key = name.decode("latin-1").upper().replace("-", "_")
            if key == "TRANSFER_ENCODING":
                continue  # the body is whole and its length is known
            if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
                key = "HTTP_" + key
            text = value.decode("latin-1")
            if key in environ:
                text = environ[key] + ("; " if key == "HTTP_COOKIE" else ",") + text
            environ[key] = text
        return environ


def path_of(head: Head) -> str:
    """The path as the program sees it: of an absolute address too, and with %-escapes read."""
    path = head.path
    # an absolute address; `Rules.judge` has compared its host
    if not path.startswith("/"):
        path = "/" + path.partition("://")[2].partition("/")[2]
    if "%" in path:
        return unquote_to_bytes(path).decode("latin-1")
    return path


def _size(body: Any) -> int:
    if body is None or isinstance(body, bytes):
        return len(body or b"")
    size: int = body.seek(0, io.SEEK_END)
    body.seek(0)
    return size


def ready(
    status: str, headers: list[tuple[str, str]], body: bytes, method: str
) -> Ready:
    """A WSGI answer in bytes. Raises `ValueError` for a header that would break out of its line."""
    code = int(status[:3])
    lines = [STATUS_LINES.get(code) or f"HTTP/1.1 {status}\r\n".encode("latin-1")]
    has_length = False
    for name, value in headers:
        low = name.lower()
        if low in ("connection", "transfer-encoding", "keep-alive", "date"):
            continue  # ours to say
        has_length = has_length or low == "content-length"
        if "\r" in value or "\n" in value:
            raise ValueError(f"the header {name} has a line break")
        lines.append(f"{name}: {value}\r\n".encode("latin-1"))
    if not has_length and code not in NO_BODY:
        lines.append(b"Content-Length: %d\r\n" % len(body))
    return Ready(b"".join(lines), b"" if method == "HEAD" or code in NO_BODY else body)
