"""From the Host header to a room: storefront, portal, console, hooks, the bare page, or nowhere.

Decides by the host name alone; the port and a trailing dot do not count. Which store a slug means,
and whether it exists, is decided in `bind`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from wsgiref.types import WSGIApplication

from flask import Flask, Request, Response, current_app, g, request
from flask.ctx import _AppCtxGlobals
from flask_login import LoginManager
from werkzeug.exceptions import BadRequest
from werkzeug.http import parse_list_header
from werkzeug.routing import MapAdapter

from core.base import config, db
from core.base.config import Config
from edge import templates
from http_server import Refusal

STORE = "store"
PORTAL = "portal"
CONSOLE = "admin"
HOOKS = "hooks"
BARE = "bare"
NOWHERE = "nowhere"
"""Rooms, named by the pseudo-subdomain their blueprints are registered under."""

_ROOM_OF_LABEL = {
    "portal": PORTAL,
    "admin": CONSOLE,
    "hooks": HOOKS,
}
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"(?P<name>{_LABEL}(?:\.{_LABEL})*)\.?(?::(?P<port>[0-9]{{1,5}}))?")
_IPV6 = re.compile(r"\[[0-9a-f:.]{2,45}\](?::[0-9]{1,5})?")
_LONGEST = 253


OTHER_HOST = "This request names two different addresses, so nothing was done."


class BadHost(ValueError):
    """A Host header no browser would send."""


@dataclass(frozen=True)
class Place:
    """Where a request landed. `slug` is set for a storefront only."""

    room: str
    slug: str | None = None


_NO_PLACE = Place(NOWHERE)


def place_of(host: str | None, base_domain: str) -> Place:
    """The room a Host header names. Raises `BadHost` when it is missing or malformed."""
    text = (host or "").lower()
    if _IPV6.fullmatch(text):
        return Place(NOWHERE)
    match = _NAME.fullmatch(text)
    if (
        match is None
        or len(match["name"]) > _LONGEST
        or int(match["port"] or 1) not in range(1, 65_536)
    ):
        raise BadHost(repr(host)[:80])
    name = match["name"]
    if name == base_domain:
        return Place(BARE)
    if name == "127.0.0.1" and base_domain == "localhost":
        # hooks.localhost resolves in browsers only, and suppliers are not browsers
        return Place(HOOKS)
    label, _, parent = name.partition(".")
    if parent != base_domain:
        return Place(NOWHERE)
    room = _ROOM_OF_LABEL.get(label)
    if room:
        return Place(room)
    return Place(STORE, label)


UNQUOTED = str.maketrans("", "", '"\\')
"""Takes out what makes a comma part of a value: a stranger's open quote would swallow what our
proxy appends to it."""


def refuse_other_host(
    host: str,
    target: str,
    forwarded: Iterable[str],
) -> None:
    """Raises `Refusal` 400 when the request's target or an X-Forwarded-Host names another host than
    `Host`."""
    named = [one for value in forwarded for one in value.split(",") if one.strip()]
    if not target.startswith("/"):
        scheme, _, rest = target.partition("://")
        if scheme.lower() not in ("http", "https"):
            raise Refusal(400, OTHER_HOST)
        named.append(re.split(r"[/?#]", rest, maxsplit=1)[0])
    if any(_without_usual_port(one) != _without_usual_port(host) for one in named):
        raise Refusal(400, OTHER_HOST)


def forwarded_host(
    host: str,
    forwarded: Sequence[str],
    settings: Config,
) -> str:
    """The host that counts: `Host`, or what our outermost proxy put into X-Forwarded-Host when the
    settings say so."""
    if not settings.proxy_host:
        return host
    return told_by_proxies(forwarded, settings.proxy_hops) or host


def told_by_proxies(values: Sequence[str], hops: int) -> str | None:
    """What the outermost of our proxies wrote into a header that each appends to; None when fewer
    did, or there are none. Read as `ProxyFix` reads it for the application after
    `security.Unquoted`: server and application must not take a request for two callers'."""
    told = parse_list_header(",".join(values).translate(UNQUOTED))
    if 0 < hops <= len(told):
        return told[-hops]
    return None


def _without_usual_port(host: str) -> tuple[str, str]:
    name, _, port = host.strip().lower().partition(":")
    return name.rstrip("."), "" if port in ("80", "443") else port


class Makola(Flask):
    """Flask that routes by room. Rooms register with `subdomain=<room>`; hosts never reach the
    routing table."""

    login_manager: LoginManager
    """Where Flask-Login looks for it."""
    jinja_environment = templates.SpokenEnvironment  # type: ignore[assignment]  # one of Flask's

    def __init__(self, import_name: str, **options: Any) -> None:
        super().__init__(
            import_name, static_folder=None, subdomain_matching=True, **options
        )
        self.at_the_end: list[Callable[[Response], Response]] = []
        # A redirect made by the router would carry a host of its own making; an odd path is simply
        # not found.
        self.url_map.merge_slashes = False
        self.url_map.strict_slashes = False
        self.url_map.redirect_defaults = False

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """As it is: no view and no hook of ours is a coroutine, and Flask would look at each of
        thirty anew in every request."""
        return func

    def process_response(self, *arguments: Any) -> Response:
        """As Flask does, which saves the session last; then what wants to see an answer whole."""
        response = super().process_response(*arguments)
        for act in self.at_the_end:
            response = act(response)
        return response

    def wrap(self, layer: Callable[[WSGIApplication], WSGIApplication]) -> None:
        """Have `layer` answer before everything that answers now."""
        self.wsgi_app = layer(self.wsgi_app)  # type: ignore[method-assign, assignment]  # Flask's own way

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        if request is None:
            return super().create_url_adapter(None)
        try:
            place = place_of(
                request.environ.get("HTTP_HOST"), config.current().base_domain
            )
        except BadHost as error:
            raise BadRequest("The address of this request is malformed.") from error
        request.environ["makola.place"] = place
        return self.url_map.bind(
            # never shown: `url_for` refuses to build links to other hosts
            "makola.invalid",
            script_name=request.root_path or "/",
            subdomain=place.room,
            url_scheme=request.scheme,
            default_method=request.method,
            path_info=request.path,
            query_args=request.query_string.decode("latin-1"),
        )

    def log_exception(self, exc_info: Any) -> None:
        """As Flask does, with the rule in place of the path: paths hold tokens."""
        self.logger.error(
            "Exception on %s [%s]",
            request.url_rule or "no page",
            request.method,
            exc_info=exc_info,
        )

    def dispatch_request(self, *arguments: Any) -> Any:
        """The page; once more from its beginning when it lost against another transaction and had
        committed nothing."""
        return db.retry_on_conflict(
            lambda: super(Makola, self).dispatch_request(*arguments)
        )

    def url_for(self, endpoint: str, /, **values: Any) -> str:  # type: ignore[override]
        """Paths within this host only; links to other hosts are `store_url`, `portal_url`,
        `console_url`."""
        url = super().url_for(endpoint, **values)
        if not url.startswith("/"):
            raise ValueError(
                f"{endpoint} is not in this room: link to other hosts by store_url() and the like"
            )
        return url


def present() -> Request:
    """The present request itself. By Flask's name for it each look costs six times as much, and
    what every request comes through looks often."""
    found: Request = request._get_current_object()  # type: ignore[attr-defined]
    return found


def notes() -> _AppCtxGlobals:
    """The same of Flask's `g`."""
    found: _AppCtxGlobals = g._get_current_object()
    return found


def application() -> Flask:
    """The same of `current_app`."""
    found: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    return found


def place() -> Place:
    """Where the present request landed; nowhere for a malformed host."""
    found: Place | None = present().environ.get("makola.place")
    return found or _NO_PLACE


def address(label: str = "") -> str:
    """The public address of a host of ours, without a trailing slash: of a store, `portal`, `admin`
    or the bare one."""
    return config.current().address(label)
