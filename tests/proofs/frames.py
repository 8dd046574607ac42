"""HTTP/2 as an attacker writes it: the few frames that end in the middle of a form (RFC 9113)."""

from __future__ import annotations

import struct


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return (
        struct.pack(">I", len(payload))[1:]
        + bytes((kind, flags))
        + struct.pack(">I", stream)
        + payload
    )


def preface() -> bytes:
    return b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"")


def half_stream(stream: int, host: str) -> bytes:
    """HEADERS of a form of a thousand bytes, DATA with half of it, and a reset."""
    fields = {":method": "POST", ":scheme": "http", ":path": "/orders", ":authority": host,
    "content-length": "1000",
              "content-type": "application/x-www-form-urlencoded",
              "origin": f"http://{host}"}  # fmt: skip
    block = b"".join(
        b"\x00"
        + bytes((len(name),))
        + name.encode()
        + bytes((len(value),))
        + value.encode()
        for name, value in fields.items()
    )
    return (
        frame(1, 4, stream, block)
        + frame(0, 0, stream, b"x" * 500)
        + frame(3, 0, stream, struct.pack(">I", 8))
    )
