"""The cookie of a known device: a random token, host-only and so apart for each door.

Decides only how it travels. What knowing a device means is decided in `core.accounts.devices`, when
it begins in the rooms: they read `g.device_token` and set `g.new_device_token`.
"""

from __future__ import annotations

import re

from flask import Flask, Response, g, request

from core.accounts import devices

COOKIE = "__Host-known"
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


def install(app: Flask) -> None:
    app.before_request(read)
    app.after_request(write)


def read() -> None:
    """What this browser was given, when it has the shape of a token at all."""
    g.device_token = next(
        filter(_TOKEN.fullmatch, request.cookies.getlist(COOKIE)), None
    )


def write(response: Response) -> Response:
    """Give the browser its token, also when it has it already: it lasts from the newest log-in."""
    token = g.pop("new_device_token", None)
    if token is not None:
        response.set_cookie(
            COOKIE,
            token,
            max_age=devices.KEPT_S,
            path="/",
            secure=True,
            httponly=True,
            samesite="Lax",
        )
    return response
