"""A body read whole from a server that leaves the reading to the program: tests, gunicorn. Our own
front has it ready."""

from __future__ import annotations

from typing import Any

import structlog

import http_server
from http_server import Refusal

log = structlog.get_logger("http_server")

PIECE_BYTES = 64 * 1024


def read(stream: Any, length: int | None, most_bytes: int) -> bytes:
    """The whole body. `length` is what was announced, None for chunks. Raises `Refusal` 400 when it
    is cut off, 413."""
    body = bytearray()
    while length is None or len(body) < length:
        if length is None:
            left = most_bytes + 1 - len(body)
        else:
            left = length - len(body)
        try:
            piece = stream.read(min(left, PIECE_BYTES))
        except Exception as error:  # noqa: BLE001 each server raises its own: chunks that are none, a lost connection
            log.info("unreadable body", problem=type(error).__name__)
            raise Refusal(400, http_server.CUT_OFF) from None
        if not piece:
            break
        body += piece
        if len(body) > most_bytes:
            raise Refusal(413)
    if length is not None and len(body) < length:
        raise Refusal(400, http_server.CUT_OFF)
    return bytes(body)
