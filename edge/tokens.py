"""The token in each form: what shows that a page of ours, made for this browser's session, asked
for the change.

One token a page, the same in all its forms, and masked: its bytes differ on every page, so that a
compressed page tells nobody who only sees lengths what is in it (BREACH). Which requests need one
is decided in `security`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Mapping
from typing import Any

from flask import request, session
from flask_wtf.csrf import validate_csrf
from wtforms import ValidationError

from core.base import clock, config
from edge import hosts, sessions

FIELD = "csrf_token"
HEADER = "X-CSRFToken"
_KEPT_AS = "csrf_token"
"""The name of the session's secret, the one that Flask-WTF gives it: forms of before a deploy go
on."""
_TIME_BYTES = 4
_MAC_BYTES = 20
_LENGTH = _TIME_BYTES + _MAC_BYTES


def token() -> str:
    """The token of the page that is being made: 64 characters."""
    notes = hosts.notes()
    if "form_token" not in notes:
        secret = session.get(_KEPT_AS)
        if secret is None:
            secret = session[_KEPT_AS] = hashlib.sha256(os.urandom(32)).hexdigest()
        made_at = int(clock.now().timestamp()).to_bytes(_TIME_BYTES, "big")
        plain = made_at + _mac(config.current().secret_key, made_at, secret)
        pad = os.urandom(_LENGTH)
        notes.form_token = base64.urlsafe_b64encode(pad + _masked(plain, pad)).decode()
    made: str = notes.form_token
    return made


def renew() -> None:
    """No page that was made before fits this session any more."""
    session.pop(_KEPT_AS, None)


def fits() -> bool:
    """Whether the token of this request, in its form or its header, is one of this session and not
    too old."""
    told = request.form.get(FIELD) or request.headers.get(HEADER) or ""
    if not told:
        return False
    sessions.take(lambda one: _fits(told, one))
    return _fits(told, session) or (
        _KEPT_AS in session and _was_made_before_a_deploy(told)
    )


def _fits(told: str, one: Mapping[str, Any]) -> bool:
    secret = one.get(_KEPT_AS)
    return isinstance(secret, str) and _is_ours(told, secret)


def _is_ours(told: str, secret: str) -> bool:
    try:
        both = base64.b64decode(
            told.encode("ascii"),
            altchars=b"-_",
            validate=True,
        )
    except (UnicodeEncodeError, binascii.Error):
        return False
    if len(both) != 2 * _LENGTH:
        return False
    plain = _masked(both[_LENGTH:], both[:_LENGTH])
    made_at = plain[:_TIME_BYTES]
    mac = plain[_TIME_BYTES:]
    is_fresh = (
        clock.now().timestamp() - int.from_bytes(made_at, "big")
        <= config.current().session_absolute_s
    )
    return is_fresh and any(
        hmac.compare_digest(mac, _mac(key, made_at, secret))
        for key in config.current().signing_keys
    )


def _was_made_before_a_deploy(told: str) -> bool:
    """A token in Flask-WTF's own form, which pages that are still open may hold."""
    try:
        validate_csrf(told)
    except ValidationError:
        return False
    return True


def _mac(key: str, made_at: bytes, secret: str) -> bytes:
    return hmac.digest(
        f"makola form {key}".encode(), made_at + secret.encode(), "sha256"
    )[:_MAC_BYTES]


def _masked(text: bytes, pad: bytes) -> bytes:
    both = int.from_bytes(text, "big") ^ int.from_bytes(pad, "big")
    return both.to_bytes(len(pad), "big")
