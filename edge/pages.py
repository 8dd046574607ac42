"""The few pages that belong to no room: the bare domain, and the switch between light and dark."""

from __future__ import annotations

from flask import Flask, Response, redirect, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from core.base.text_input import own_path
from edge import hosts

THEME_COOKIE = "__Host-theme"

YEAR_S = 31_536_000


def install(app: Flask) -> None:
    app.add_url_rule("/", "bare_index", index, subdomain=hosts.BARE)
    for room in (hosts.PORTAL, hosts.CONSOLE):
        app.add_url_rule(
            "/theme", f"{room}_theme", choose_theme, subdomain=room, methods=["POST"]
        )


def index() -> str:
    """The page of the bare domain: it names the portal. Stores are found by their own links."""
    return render_template("bare/index.html")


def choose_theme() -> Response | BaseResponse:
    """Remember light, dark or the system's look on this device, then return to the page it was
    asked from."""
    answer = redirect(own_path(request.form.get("back")) or "/", 303)
    chosen = request.form.get("theme", "")
    if chosen in ("light", "dark"):
        answer.set_cookie(
            THEME_COOKIE,
            chosen,
            max_age=YEAR_S,
            secure=True,
            httponly=True,
            samesite="Lax",
            path="/",
        )
    else:
        answer.delete_cookie(
            THEME_COOKIE, secure=True, httponly=True, samesite="Lax", path="/"
        )
    return answer
