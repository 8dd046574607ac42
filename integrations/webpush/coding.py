"""base64url without padding, as RFC 8291 and 8292 write keys and tokens."""

from __future__ import annotations

import base64


def encoded(some: bytes) -> str:
    return base64.urlsafe_b64encode(some).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    """Raises `ValueError`."""
    plain = text.rstrip("=")
    return base64.b64decode(plain + "=" * (-len(plain) % 4), b"-_", validate=True)
