"""Ways to read a request whole before a thread is taken, each around the empty view;
`benchmarks.front` measures them.

`rsgi` and `asgi` are the thinnest that could do it, for granian and uvicorn. `python -m
benchmarks.thin PORT [uvloop]` is ours. Each answers /stored from bytes it has, before a thread is
taken.
"""

from __future__ import annotations

import asyncio
import dataclasses
import io
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks import hello
from core.base import config
from edge import bodies, for_server
from http_server import Head, Ready, Refusal, Rules, master

STORED = b"<!doctype html>" + b"x" * 9_000
LENGTH = str(len(STORED))
THREADS = 4
_pool = ThreadPoolExecutor(THREADS)
_app = hello.create_app()


def _call(environ: dict[str, Any]) -> tuple[int, list[tuple[str, str]], bytes]:
    told: list[Any] = []
    parts = _app(
        environ, lambda status, headers, exc_info=None: told.extend((status, headers))
    )
    body = b"".join(parts)
    return int(told[0][:3]), told[1], body


def _environ(
    method: str, path: str, query: str, headers: list[tuple[str, str]], body: bytes
) -> dict[str, Any]:
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.input": io.BytesIO(body),
        "CONTENT_LENGTH": str(len(body)),
    }
    for name, value in headers:
        environ["HTTP_" + name.upper().replace("-", "_")] = value
    return environ


async def rsgi(scope: Any, protocol: Any) -> None:
    """For `granian --interface rsgi benchmarks.thin:rsgi`."""
    if scope.path == "/stored":
        protocol.response_bytes(
            200, [("content-type", "text/html"), ("content-length", LENGTH)], STORED
        )
        return
    body = await asyncio.wait_for(protocol(), 10) if scope.method == "POST" else b""
    environ = _environ(
        scope.method, scope.path, scope.query_string, list(scope.headers.items()), body
    )
    status, headers, answer = await asyncio.get_running_loop().run_in_executor(
        _pool, _call, environ
    )
    protocol.response_bytes(status, headers, answer)


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    """For `uvicorn benchmarks.thin:asgi` and gunicorn's own asgi worker."""
    if scope["type"] != "http":
        return
    if scope["path"] == "/stored":
        headers = [
            (b"content-type", b"text/html"),
            (b"content-length", LENGTH.encode()),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": STORED})
        return
    body = b""
    if scope["method"] == "POST":
        more = True
        while more:
            part = await asyncio.wait_for(receive(), 10)
            body += part.get("body", b"")
            more = part.get("more_body", False)
    names = [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in scope["headers"]
    ]
    environ = _environ(
        scope["method"], scope["path"], scope["query_string"].decode(), names, body
    )
    status, told, answer = await asyncio.get_running_loop().run_in_executor(
        _pool, _call, environ
    )
    headers = [(name.encode().lower(), value.encode()) for name, value in told]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


def stored(head: Head) -> Ready | None:
    return _READY if head.path == "/stored" else None


_READY = Ready(
    f"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {LENGTH}\r\n".encode(),
    STORED,
)


def refusal(refused: Refusal) -> Ready:
    return Ready(b"HTTP/1.1 %d Refused\r\nContent-Length: 0\r\n" % refused.status, b"")


if __name__ == "__main__":
    if "uvloop" in sys.argv:
        import uvloop

        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    needed = [
        one.name
        for one in dataclasses.fields(config.Config)
        if one.default is dataclasses.MISSING
    ]
    config.use(config.Config(**dict.fromkeys(needed, "-")))
    rules = Rules(  # the same questions as in the program
        judge=bodies.judge,
        refusal=refusal,
        stored=stored,
        is_dear=bodies.is_dear,
        address=for_server.address,
    )
    master.serve(
        _app, rules, host="127.0.0.1", port=int(sys.argv[1]), workers=1, threads=THREADS
    )
