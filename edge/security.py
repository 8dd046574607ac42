"""Headers, cookies, and who may change things: exact origin, then the cross-site token.

Decides what every answer carries and refuses unsafe requests that our own page on this very host
did not make: sibling stores are the same site to a browser, so `SameSite` alone does not part them.
Log-ins are decided in `bind`.
"""

from __future__ import annotations

import base64
import hashlib
import mmap
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication

from flask import Flask, Response, abort, g, request
from flask_wtf.csrf import CSRFError, CSRFProtect
from markupsafe import Markup
from werkzeug.middleware.proxy_fix import ProxyFix

from core.base import config
from core.base.config import Config
from core.base.language import later
from edge import bodies, hosts, origins, sessions, tokens
from edge.logs import log
from http_server import Refusal

CHECKS_ITS_OWN_TOKEN = (hosts.STORE, "/orders")
"""The store page is the same for everyone and so carries no token: its first post only shows the
review page, and the confirmed post is checked in the view, which can show the review again with a
fresh token."""

STRICT_TRANSPORT = ("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
FIXED = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}

csrf = CSRFProtect()


def install(app: Flask, config: Config) -> None:
    app.config.update(
        SECRET_KEY=config.secret_key,
        SECRET_KEY_FALLBACKS=config.signing_keys[:-1],
        # Flask-WTF knows no fallbacks, but the signer below it takes a list.
        WTF_CSRF_SECRET_KEY=config.signing_keys,
        MAX_CONTENT_LENGTH=config.form_bytes,
        MAX_FORM_MEMORY_SIZE=config.form_bytes,
        SESSION_COOKIE_NAME="__Host-makola",
        SESSION_COOKIE_SECURE=True,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_PATH="/",
        SESSION_COOKIE_DOMAIN=None,
        WTF_CSRF_CHECK_DEFAULT=False,  # checked below, after host and origin
        # as in `tokens`, however long the log-in
        WTF_CSRF_TIME_LIMIT=config.session_absolute_s,
        # for a log-in on one's own device
        PERMANENT_SESSION_LIFETIME=config.own_absolute_s,
        SESSION_REFRESH_EACH_REQUEST=False,
        # The exact Origin is checked below, and not every browser sends a Referer.
        WTF_CSRF_SSL_STRICT=False,
    )
    app.session_interface = sessions.Sessions()
    csrf.init_app(app)
    # ours in place of Flask-WTF's, which is the same on every page
    app.jinja_env.globals["csrf_token"] = tokens.token
    app.context_processor(lambda: {"csrf_token": tokens.token})
    app.before_request(refuse_bad_address)
    app.before_request(origins.refuse_foreign)
    app.before_request(bodies.require_whole)
    app.before_request(refuse_forgery)
    app.after_request(add_headers)


def trust_proxies(app: hosts.Makola, config: Config) -> None:
    """Read X-Forwarded-For and -Proto from exactly as many proxies of ours as there are, -Host only
    when told to."""
    hops = config.proxy_hops
    if hops:
        x_host = hops if config.proxy_host else 0
        app.wrap(lambda inner: ProxyFix(inner, x_for=hops, x_proto=hops, x_host=x_host))
        app.wrap(Unquoted)
    else:
        app.before_request(UnknownProxy().tell_once)


class Unquoted:
    """WSGI layer that takes quotes out of what proxies say, before `ProxyFix` reads it."""

    HEADERS = (
        "HTTP_X_FORWARDED_FOR",
        "HTTP_X_FORWARDED_PROTO",
        "HTTP_X_FORWARDED_HOST",
    )

    def __init__(self, inner: WSGIApplication) -> None:
        self._inner = inner

    def __call__(
        self, environ: dict[str, Any], start_response: StartResponse
    ) -> Iterable[bytes]:
        for name in self.HEADERS:
            if name in environ:
                environ[name] = environ[name].translate(hosts.UNQUOTED)
        return self._inner(environ, start_response)


class UnknownProxy:
    """Logs once that a proxy which the settings do not name is in front of us: all customers
    then have one address."""

    def __init__(self) -> None:
        # shared by the web processes that are forked from here: once for all of them
        self._told = mmap.mmap(-1, 1)

    def tell_once(self) -> None:
        if self._told[0] == 0 and "X-Forwarded-For" in request.headers:
            self._told[0] = 1
            log.error(
                "X-Forwarded-For arrives and MAKOLA_PROXY_HOPS is 0: behind a proxy all customers"
                " count as one address. Set it to the number of your proxies. Without a proxy,"
                " somebody made this header up.",
                remote_addr=request.remote_addr,
            )


def install_strict_transport(app: hosts.Makola, config: Config) -> None:
    """HTTPS for a year also on answers that Flask never sees; `add_headers` sets it on all others.
    Never over plain HTTP."""
    is_public = config.public_scheme == "https"

    def layer(inner: WSGIApplication) -> WSGIApplication:
        def strict(
            environ: dict[str, Any], start_response: Callable[..., Any]
        ) -> Iterable[bytes]:
            is_secure = is_public or environ.get("wsgi.url_scheme") == "https"

            def start(
                status: str,
                headers: list[tuple[str, str]],
                *error: Any,
            ) -> Any:
                is_told = any(name == STRICT_TRANSPORT[0] for name, _value in headers)
                if not is_told and is_secure:
                    headers.append(STRICT_TRANSPORT)
                return start_response(status, headers, *error)

            return inner(environ, start)

        return strict

    app.wrap(layer)


def refuse_bad_address() -> None:
    """400 for a malformed host, for two hosts that differ, and for bytes no address of ours has."""
    request = hosts.present()
    if "makola.place" not in request.environ:
        abort(400, "The address of this request is malformed.")
    if config.current().proxy_host:
        forwarded = []
    else:
        forwarded = request.headers.getlist("X-Forwarded-Host")
    target = request.environ.get("RAW_URI") or "/"
    try:
        hosts.refuse_other_host(request.host, target, forwarded)
    except Refusal as refusal:
        abort(refusal.status, refusal.sentence)
    if "\x00" in request.path or b"%00" in request.query_string:
        abort(
            400,
            later("The address of this page has characters that no page of ours uses."),
        )


def refuse_forgery() -> None:
    """400 for an unsafe request to a known page without a valid token."""
    request = hosts.present()
    if (
        request.method not in origins.UNSAFE
        or request.url_rule is None
        or hosts.place().room == hosts.HOOKS
    ):
        return
    # the second is what Flask-WTF's forms ask
    g.form_token_fits = g.csrf_valid = tokens.fits()
    if (
        not g.form_token_fits
        and (hosts.place().room, request.url_rule.rule) != CHECKS_ITS_OWN_TOKEN
    ):
        raise CSRFError


def inline_style(css: str) -> Markup:
    """A `<style>` element for this response, its hash added to the response's policy. `css` must
    hold no `<`."""
    element, digest = _styled(css)
    g.setdefault("style_hashes", []).append(digest)
    return element


@lru_cache(maxsize=512)
def _styled(css: str) -> tuple[Markup, str]:
    """The element of a style sheet and what allows it; most pages of a store show the same one."""
    if "<" in css:
        raise ValueError("a style sheet with '<' in it could end its own element")
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    element = Markup(f"<style>{css}</style>")  # noqa: S704 - no '<', checked above
    return element, f"'sha256-{digest}'"


def add_headers(response: Response) -> Response:
    """Every answer of the application: policy, fixed headers, caching."""
    room, notes = hosts.place().room, hosts.notes()
    headers = response.headers
    if response.status_code == 204:
        # nothing of it is shown, and whoever polls pays for each byte
        del headers["Content-Type"]
        headers.setdefault("Cache-Control", "no-store")
        return response
    headers["Content-Security-Policy"] = policy(
        notes.get("style_hashes", []),
        room,
        has_own_frame=notes.get("has_own_frame", False),
        may_be_framed=notes.get("may_be_framed", False),
    )
    for pair in FIXED.items():
        headers.add(*pair)  # no page of ours says any of them itself
    if hosts.present().is_secure or config.current().public_scheme == "https":
        headers[STRICT_TRANSPORT[0]] = STRICT_TRANSPORT[1]
    if room in (hosts.PORTAL, hosts.CONSOLE) or (
        response.status_code >= 400 and not notes.get("back_may_show_it")
    ):
        headers["Cache-Control"] = "no-store"
    elif "Cache-Control" not in headers:
        headers["Cache-Control"] = "private, no-cache"
    if notes.get("asked_fragment"):
        response.vary.add("HX-Request")
    return response


def policy(
    style_hashes: list[str],
    room: str,
    *,
    has_own_frame: bool = False,
    may_be_framed: bool = False,
) -> str:
    """The content security policy of a room with these style hashes. No `unsafe-*`, no nonce: a
    page may be cached. A page may be framed by a page of its own host alone, one that can do
    nothing."""
    frames = " frame-src 'self';" if has_own_frame else ""
    ancestors = "'self'" if may_be_framed else "'none'"
    workers = "'self'" if room in (hosts.STORE, hosts.PORTAL) else "'none'"
    style = " ".join(["'self'", *dict.fromkeys(style_hashes)])
    return (
        f"default-src 'none'; script-src 'self'; style-src {style}; img-src 'self' data:;"
        f" connect-src 'self';{frames} manifest-src 'self'; worker-src {workers};"
        f" form-action 'self'; base-uri 'none'; frame-ancestors {ancestors}"
    )
