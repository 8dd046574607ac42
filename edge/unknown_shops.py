"""That there is no shop at an address, said without asking the database: a flood of made-up hosts
costs a look into a set.

Decides which requests that is said to. Which shops there are is `core.slugs`'s, the page is the
program's own, as it answered somebody before.
"""

from __future__ import annotations

from flask import Response, request

from core import slugs
from core.base import config
from edge import hosts, pages
from http_server import Ready
from http_server.pool import ready

ON_ANY_HOST = ("/static/", "/healthz", "/metrics", "/.well-known/")
"""What is answered before the edge, whatever the host."""
OF_ONE_ANSWER = frozenset({"X-Request-Id", "Date"})
SCHEMES = ("", "http", "https")
"""What a proxy says of how a request came. Strangers may say anything: that is not remembered."""


class UnknownShops:
    """The page of one process, as it goes out under each scheme and encoding."""

    def __init__(self) -> None:
        self._pages: dict[tuple[str, str], Ready] = {}

    def answer(self, host: str, scheme: str, encoding: str, path: str) -> Ready | None:
        """The page, when there is certainly no shop at this host; None: ask the program."""
        page = self._pages.get((scheme, encoding))
        if page is None or path.startswith(ON_ANY_HOST):
            return None
        try:
            place = hosts.place_of(host, config.current().base_domain)
        except hosts.BadHost:
            return None
        if place.room == hosts.NOWHERE:
            return page
        if place.slug is not None and slugs.is_missing(place.slug):
            return page
        return None

    def keep(self, response: Response) -> None:
        """Remember how the program said it. Called inside the request that it answered."""
        environ = request.environ
        key = (
            environ.get("HTTP_X_FORWARDED_PROTO", ""),
            response.headers.get("Content-Encoding", ""),
        )
        if (
            request.method != "GET"
            or response.status_code != 404
            or key[0] not in SCHEMES
            or "HTTP_HX_REQUEST" in environ
            # the page wears the theme that its visitor chose
            or pages.THEME_COOKIE in request.cookies
            or response.headers.getlist("Set-Cookie")
        ):
            return
        headers = [pair for pair in response.headers if pair[0] not in OF_ONE_ANSWER]
        self._pages[key] = ready("404 NOT FOUND", headers, response.get_data(), "GET")

    def forget(self) -> None:
        self._pages.clear()
