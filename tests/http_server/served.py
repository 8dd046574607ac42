"""A front of its own on a free port, around a program that tells what it was given."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from raw_wire import Served

import http_server
import supervision
from devkit import daemons
from http_server import Allowance, Head, Ready, Refusal, Renewal, Rules, master

STORED = Ready(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n", b"stored")


def program(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """Tells what it was given. /slow/2 holds its thread for two seconds, /stuck for ever, /large is
    4 MB."""
    path = environ["PATH_INFO"]
    if path.startswith("/slow/"):
        time.sleep(float(path.removeprefix("/slow/")))
    if path == "/stuck":
        time.sleep(10_000)
    if path == "/raises":
        raise RuntimeError("on purpose")
    body = environ["wsgi.input"].read()
    told = {key: value for key, value in environ.items() if isinstance(value, str)}
    told |= {
        "received": len(body),
        "pid": os.getpid(),
        "spooled": not hasattr(environ["wsgi.input"], "getvalue"),
    }
    answer = b"x" * 4_000_000 if path == "/large" else json.dumps(told).encode()
    start_response(
        "200 OK",
        [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))],
    )
    return [answer]


def judge(head: Head) -> Allowance:
    if head.path == "/refused":
        raise Refusal(400, "no")
    if head.path == "/judge-breaks":
        raise RuntimeError("on purpose")
    if head.path == "/upload":
        return Allowance(1_000, bytes_logged_in=1024 * 1024)
    return Allowance(64 * 1024, may_be_chunked=head.path == "/hook")


def stored(head: Head) -> Ready | Renewal | None:
    """/lapsed must be looked at and is true, /lapsed-slow takes a second for it, /lapsed-news is
    not true any more, /lapsed-breaks cannot be looked at."""
    if head.path == "/stored":
        return STORED
    if not head.path.startswith("/lapsed"):
        return None

    def look() -> Ready | None:
        if head.path == "/lapsed-slow":
            time.sleep(1)
        if head.path == "/lapsed-breaks":
            raise RuntimeError("on purpose")
        return None if head.path == "/lapsed-news" else STORED

    return look


RULES = Rules(
    judge=judge,
    refusal=lambda refused: Ready(
        f"HTTP/1.1 {refused.status} Refused\r\nContent-Length: {len(refused.sentence)}\r\n".encode(),
        refused.sentence.encode(),
    ),
    is_logged_in=lambda environ: environ.get("HTTP_COOKIE") == "in",
    is_dear=lambda head: (
        head.method == "POST" and head.path.startswith(("/slow/", "/stuck"))
    ),
    stored=stored,
    spooled_at_once=2,
)


@contextmanager
def served_programs() -> Iterator[Callable[..., Served]]:
    """`start(workers=2, HEAD_S=1)`: a front in a process of its own, with these limits instead of
    the real ones."""
    started: list[Any] = []

    def start(
        workers: int = 1, threads: int = 4, open_files: int = 0, **limits: float
    ) -> Served:
        port = daemons.free_port()

        tie = supervision.die_with_parent(signal.SIGKILL)

        def run() -> None:
            tie()
            if open_files:
                resource.setrlimit(resource.RLIMIT_NOFILE, (open_files, open_files))
            for name, value in limits.items():
                setattr(http_server, name, value)
            master.serve(
                program,
                RULES,
                host="127.0.0.1",
                port=port,
                workers=workers,
                threads=threads,
            )

        process = multiprocessing.get_context("fork").Process(target=run)
        process.start()
        started.append(process)
        made = Served(port, process.pid or 0)
        assert daemons.until(made.answers, 10), "the server did not start"
        return made

    try:
        yield start
    finally:
        for line in Served.opened:  # else it waits for what they have begun
            line.close()
        for process in started:
            process.terminate()
            process.join(15)
            if process.is_alive():
                process.kill()
                process.join()
