"""Two megabytes for the webhook's address, offered byte by byte: how many can be sent before they
are refused?"""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.support.running import must

BODY_BYTES = 2 * 1024 * 1024
PIECE_BYTES = 4 * 1024
LISTEN_S = 0.02
"""Waited for an answer after each piece, so that none is sent to somebody who has long said no."""
ANSWER_S = 10.0


@dataclass(frozen=True)
class Refused:
    """The status that came, and how much of the body had been sent by then."""

    status: int
    sent_bytes: int


def announced(url: str) -> Refused:
    """The length is named first; not one byte follows until the answer comes."""
    return _offer(url, f"Content-Length: {BODY_BYTES}", iter(()))


def in_pieces(url: str) -> Refused:
    """No length is named, so it can only be counted."""
    piece = f"{PIECE_BYTES:x}\r\n".encode() + b" " * PIECE_BYTES + b"\r\n"
    return _offer(
        url, "Transfer-Encoding: chunked", iter([piece] * (BODY_BYTES // PIECE_BYTES))
    )


def _offer(url: str, framing: str, pieces: Iterator[bytes]) -> Refused:
    address, sent = urlsplit(url), 0
    with socket.create_connection(
        (address.hostname, address.port), timeout=ANSWER_S
    ) as line:
        line.setsockopt(
            socket.SOL_SOCKET, socket.SO_SNDBUF, PIECE_BYTES
        )  # what waits in the kernel was not taken
        head = (
            f"POST {address.path} HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type:"
            f" application/json\r\n{framing}\r\n\r\n"
        )
        line.sendall(head.encode())
        for piece in pieces:
            if select.select([line], [], [], LISTEN_S)[0]:
                break
            line.sendall(piece)
            sent += PIECE_BYTES
        must(
            select.select([line], [], [], ANSWER_S)[0],
            f"no answer after {sent} bytes of a body that is too large",
        )
        said = line.recv(4_096)
    must(
        said.startswith(b"HTTP/1.1 "), f"an answer of {said[:40]!r} after {sent} bytes"
    )
    return Refused(int(said.split()[1]), sent)
