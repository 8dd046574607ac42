"""Binds a request to its store and its log-in, and undoes it afterwards.

Decides which store's rows a request may see: the slug's on a storefront, the log-in's in the portal, all of them for
a logged-in owner in the console. What a role may do inside its room is decided in the room.
"""

from __future__ import annotations

from contextlib import ExitStack
from urllib.parse import quote

from flask import Flask, Response, abort, g, make_response, redirect, request
from flask_login import LoginManager, current_user
from werkzeug.wrappers import Response as BaseResponse

from core import db, stores, tenancy, users
from core.config import Config
from door import hosts
from door.filters import wants_fragment

PUBLIC = {
    hosts.PORTAL: frozenset({"/login", "/theme", "/reset/<token>"}),
    hosts.CONSOLE: frozenset({"/login", "/theme", "/reset/<token>"}),
}
"""Pages of the guarded rooms that need no log-in, by rule. Every other page there asks for one."""

_DOOR_OF_ROOM = {hosts.PORTAL: "portal", hosts.CONSOLE: "console"}
LOGGED_OUT = '<p class="note stopped" role="status">You have been logged out. <a href="/login">Log in again</a></p>'


def install(app: Flask, config: Config) -> None:
    manager = LoginManager()
    manager.session_protection = None  # sessions live in the database; a phone's address changes all day
    manager.user_loader(_login_of)
    manager.unauthorized_handler(ask_to_log_in)
    # Not init_app: its hook for "remember me" cookies, which we have none of, reads the session on every answer and so
    # marks the anonymous store page as varying by cookie.
    app.login_manager = manager  # type: ignore[attr-defined]
    app.before_request(lambda: db.patiently(bind_store))
    app.teardown_request(unbind_store)


def bind_store() -> Response | BaseResponse | None:
    """Set the store of this request, or refuse it: 404 for an unknown one, a log-in for a guarded page."""
    tenancy.clear()  # a worker thread may have been left mid-request by a crash
    g.store = None
    place = hosts.place()
    if place.room == hosts.NOWHERE:
        abort(404, "There is no shop at this address.")
    if place.room == hosts.STORE and place.slug is not None:
        g.store = stores.by_slug(place.slug)
        if g.store is None:
            abort(404, "There is no shop at this address.")
        tenancy.use(g.store.id)
    elif place.room in PUBLIC and request.url_rule is not None:
        return _bind_login(place.room, request.url_rule.rule)
    return None


def _bind_login(room: str, rule: str) -> Response | BaseResponse | None:
    if not current_user.is_authenticated:
        return None if rule in PUBLIC[room] else ask_to_log_in()
    if room == hosts.CONSOLE:
        g.scope = ExitStack()
        g.scope.enter_context(tenancy.across_stores())
    elif current_user.store_id is not None:
        g.store = stores.by_id(current_user.store_id)
        tenancy.use(current_user.store_id)
    return None


def unbind_store(_error: BaseException | None = None) -> None:
    """Forget the store, whatever happened."""
    scope: ExitStack | None = g.pop("scope", None)
    if scope is not None:
        scope.close()
    tenancy.clear()
    db.end_read()


def ask_to_log_in() -> Response | BaseResponse:
    """To the log-in page and back. An htmx form is sent there as a whole; a poll gets a note without a trigger."""
    if not wants_fragment():
        back = request.full_path.rstrip("?") if request.method == "GET" else "/"
        return redirect("/login" if back == "/" else f"/login?next={quote(back, safe='/')}", 303)
    response = make_response(LOGGED_OUT, 401)
    if request.method != "GET":
        response.headers["HX-Redirect"] = "/login"
    return response


def _login_of(token: str) -> users.Login | None:
    door = _DOOR_OF_ROOM.get(hosts.place().room)
    return users.login_of(token, door) if door else None
