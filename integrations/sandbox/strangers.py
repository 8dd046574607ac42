"""Somebody between us and the supplier answers in its place: a firewall, a proxy, a network's
log-in page.

Decides what each of them says; the supplier itself never saw the request.
"""

from __future__ import annotations

from collections.abc import Callable

from werkzeug.wrappers import Response

from integrations.sandbox import wire


def _page(title: str, words: str) -> str:
    head = f"<head><title>{title}</title></head>"
    return f"<html>{head}<body><h1>{title}</h1><p>{words}</p></body></html>"


ANSWERS: dict[str, Callable[[], Response]] = {
    "html_403": lambda: wire.plain(
        403, _page("Just a moment...", "Checking your browser before accessing.")
    ),
    "json_403": lambda: wire.as_json(
        403, {"success": False, "errors": [{"code": 1020, "message": "Access denied"}]}
    ),
    "empty_401": lambda: Response(status=401),
    "html_407": lambda: wire.plain(
        407, _page("Proxy Authentication Required", "Sign in to the proxy.")
    ),
    "html_451": lambda: wire.plain(
        451, _page("Unavailable For Legal Reasons", "This site is blocked.")
    ),
    "html_200": lambda: wire.plain(
        200, _page("Welcome", "Accept the terms to use this network.")
    ),
}
