"""Which orders this device made: a signed, host-only cookie of their codes.

Decides who sees the whole number of an order and who may cancel it. It is a list, not a log-in: losing it hides
digits and nothing more.
"""

from __future__ import annotations

from flask import Response, request
from itsdangerous import BadSignature, URLSafeSerializer

from core import config

COOKIE = "__Host-device"
MOST_CODES = 20
KEEP_S = 180 * 86_400
_LONGEST = 2_048


def codes(store_id: int) -> list[str]:
    """Codes of the orders this device made in this store, newest first; empty for anything not signed by us."""
    signed = request.cookies.get(COOKIE, "")
    if not signed or len(signed) > _LONGEST:
        return []
    try:
        value = _signer(store_id).loads(signed)
    except BadSignature:
        return []
    if not isinstance(value, list):
        return []
    return [code for code in value if isinstance(code, str)][:MOST_CODES]


def remember(response: Response, store_id: int, code: str) -> None:
    """Put `code` at the head of this device's list."""
    kept = [code, *(c for c in codes(store_id) if c != code)][:MOST_CODES]
    response.set_cookie(
        COOKIE,
        _signer(store_id).dumps(kept),
        max_age=KEEP_S,
        path="/",
        secure=True,
        httponly=True,
        samesite="Lax",
    )


def _signer(store_id: int) -> URLSafeSerializer:
    """Salted with the store, so that a cookie carried to another store's host says nothing there."""
    return URLSafeSerializer(config.current().signing_keys, salt=f"makola.device.{store_id}")
