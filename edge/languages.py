"""The language of a request, by its address: `/tw/…` on a shop's host is the same page in Twi.

Decides that alone; how templates get their texts is decided in `templates`. The language is taken
off the address before anything else reads it, so routes, limits and figures know one address for a
page; what a page links to begins with `root`. No cookie and no header of the browser has a say: a
stored page is one page.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, urlencode
from wsgiref.types import StartResponse, WSGIApplication

from flask import has_request_context

from core.base import config, language
from edge import hosts

PREFIXES = {root: code for code, root in language.ROOTS.items() if root}
"""What is taken off an address, and the language that it means."""

KEPT = ("bundle", "code")
"""Of a page's query, what it shows: the same page in another language is asked for with it."""


def install(app: hosts.Makola) -> None:
    env = app.jinja_env
    env.globals.update(other_languages=others, language_roots=language.ROOTS)
    env.filters["stored"] = language.stored
    app.context_processor(lambda: {"language": language.current(), "root": root()})
    app.wrap(ByAddress)


class ByAddress:
    """WSGI layer that takes the language off the address of a shop's page, as if the shop were
    mounted there."""

    def __init__(self, inner: WSGIApplication) -> None:
        self._inner = inner

    def __call__(
        self, environ: dict[str, Any], start_response: StartResponse
    ) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        prefix = prefix_of(path)
        if not prefix or not _is_shop(environ.get("HTTP_HOST")):
            return self._inner(environ, start_response)
        mounted = {
            **environ,
            "SCRIPT_NAME": environ.get("SCRIPT_NAME", "") + prefix,
            "PATH_INFO": path[len(prefix) :],
        }
        with language.spoken(PREFIXES[prefix]):
            return self._inner(mounted, start_response)


def prefix_of(path: str) -> str:
    """What of PREFIXES a path begins with, as a whole segment; empty for an English one."""
    head = "/" + path[1:4].partition("/")[0]
    return head if head in PREFIXES else ""


def root() -> str:
    """What own links begin with, so that they stay in the language of this page."""
    return hosts.present().root_path if has_request_context() else ""


def others() -> list[tuple[str, str, str]]:
    """(tag, name, address) of this very page in each other language. Empty for an answer to a form:
    following it would lose what was typed."""
    request = hosts.present()
    if request.method != "GET":
        return []
    kept = [(name, request.args[name]) for name in KEPT if name in request.args]
    # with one slash at its head, whatever was asked for: two would begin the address of a host
    path = quote(request.path)
    if kept:
        path += "?" + urlencode(kept)
    return [
        (code, name, language.ROOTS[code] + path)
        for code, name in language.NAMES.items()
        if code != language.current()
    ]


def _is_shop(host: str | None) -> bool:
    try:
        place = hosts.place_of(host, config.current().base_domain)
    except hosts.BadHost:
        return False
    return place.room == hosts.STORE
