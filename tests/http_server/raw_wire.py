"""Bytes to a front and back, past every client library."""

from __future__ import annotations

import json
import socket
import time
from dataclasses import dataclass
from typing import Any, ClassVar

from devkit import process_tree

WAIT_S = 20


@dataclass
class Answer:
    """One answer as it stood on the wire."""

    status: int
    headers: dict[str, str]
    body: bytes
    rest: bytes
    """What came after it."""

    @property
    def told(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.body)
        return told


@dataclass
class Served:
    """A front that runs: its port and its main process."""

    port: int
    pid: int
    opened: ClassVar[list[socket.socket]] = []

    @property
    def workers(self) -> list[int]:
        return process_tree.children(self.pid)

    def answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as line:
                line.sendall(
                    b"GET /stored HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
                )
                return line.recv(100).startswith(b"HTTP/1.1 200")
        except OSError:
            return False

    def line(self, first: bytes = b"") -> socket.socket:
        """A connection on which `first` was sent."""
        made = socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_S)
        self.opened.append(made)
        made.sendall(first)
        return made

    def ask(self, raw: bytes) -> Answer:
        """The first answer to these bytes."""
        return read_answer(self.line(raw))

    def get(self, path: str = "/", *headers: str) -> Answer:
        lines = "".join(f"{header}\r\n" for header in headers)
        return self.ask(f"GET {path} HTTP/1.1\r\nHost: a\r\n{lines}\r\n".encode())

    def took_s(self, path: str = "/") -> float:
        """How long a fresh connection waits for this page."""
        began = time.monotonic()
        assert self.get(path).status == 200
        return time.monotonic() - began


def read_answer(line: socket.socket, held: bytes = b"") -> Answer:
    """The next answer; raises `ConnectionError` when the connection ends before it is whole."""
    data = held
    while b"\r\n\r\n" not in data:
        data += _more(line, data)
    head, _, data = data.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = {
        name.lower(): value.strip()
        for name, _, value in (text.partition(":") for text in lines)
    }
    length = int(headers.get("content-length", 0))
    while len(data) < length:
        data += _more(line, data)
    return Answer(int(status.split()[1]), headers, data[:length], data[length:])


def is_closed(line: socket.socket) -> bool:
    """Whether the other end says nothing more and closes. Waits for it."""
    try:
        return line.recv(65_536) == b""
    except ConnectionResetError:
        return True


def _more(line: socket.socket, held: bytes) -> bytes:
    data = line.recv(65_536)
    if not data:
        raise ConnectionError(f"the connection ended after {held[:200]!r}")
    return data
