"""Thousands of connections that say anything: the page answers between them, and nothing of them
stays."""

from __future__ import annotations

import os
import random
from collections.abc import Callable

import pytest
from raw_wire import Served

import http_server as limits
from devkit.daemons import until

CONNECTIONS, KEPT, SEED = 4_000, 100, 1
CONNECTION = b"HTTP/1.1\r\nHost: a\r\n"
BEGINNINGS = [
    b"GET / " + CONNECTION + b"\r\n",
    b"GET /large " + CONNECTION + b"\r\n",
    (b"GET /stored " + CONNECTION + b"\r\n") * 12,
    b"POST / " + CONNECTION + b"Content-Length: 10\r\n\r\n0123456789",
    b"POST /hook "
    + CONNECTION
    + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"POST /upload "
    + CONNECTION
    + b"Cookie: in\r\nContent-Length: 3000\r\n\r\n"
    + b"x" * 3_000,
    b"POST /upload "
    + CONNECTION
    + b"Cookie: out\r\nContent-Length: 3000\r\n\r\n"
    + b"x" * 3_000,
]


@pytest.mark.slow(seconds=8)
def test_whatever_is_said_the_page_answers_and_nothing_stays(
    start_server: Callable[..., Served],
) -> None:
    front = start_server(
        HEAD_S=1,
        BODY_S=1,
        SEND_S=1,
        LINGER_S=1,
        CONNECTIONS=60,
        HELD_BYTES=100_000,
        QUEUE=20,
    )
    (worker,) = front.workers
    # a forked front has what its test process had open
    files_before = open_files(worker)
    chance = random.Random(SEED)
    for number in range(CONNECTIONS):
        line = front.line()
        line.settimeout(0.001)
        try:
            for part in noise(chance):
                line.sendall(part)
            if chance.random() < 0.3:
                line.shutdown(1)
            if chance.random() < 0.5:
                line.recv(65_536)
        except OSError:
            pass
        if chance.random() < 0.6:
            front.opened.pop().close()
        elif len(front.opened) > KEPT:
            front.opened.pop(chance.randrange(KEPT)).close()
        if number % 500 == 0:
            assert front.took_s("/stored") < 1
    while front.opened:
        front.opened.pop().close()
    assert until(lambda: open_files(worker) <= files_before + 3, limits.SEND_S + 20), (
        f"{open_files(worker)} files are open, {files_before} before"
    )
    assert front.workers == [worker]
    assert front.took_s("/") < 1


def open_files(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def noise(chance: random.Random) -> tuple[bytes, bytes]:
    """Requests one after the other, with bytes changed, left out, doubled, and often cut off, in
    two parts."""
    data = b"".join(chance.choice(BEGINNINGS) for _ in range(chance.randint(1, 5)))
    for _ in range(chance.choice([0, 0, 1, 3])):
        at = chance.randrange(len(data))
        put = chance.choice(
            [b"", bytes([chance.randrange(256)]), b"\r\n", data[at : at + 20]]
        )
        data = data[:at] + put + data[at + chance.randint(0, 3) :]
    if chance.random() < 0.4:
        data = data[: chance.randint(1, len(data))]
    middle = chance.randint(1, len(data))
    return data[:middle], data[middle:]
