"""Which page an unsafe request came from: one table, asked for every room.

Decides whether what a browser says about itself lets a request pass, refuses it, or leaves it to
the form's own token. The token is decided in `security`.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from flask import g
from werkzeug.datastructures import Headers
from werkzeug.exceptions import Forbidden

from core.base.language import later
from edge import hosts

UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})
PASSES, REFUSED, BY_TOKEN = "passes", "refused", "by token"
OF_OUR_OWN = frozenset({"same-origin", "none"})
"""What `Sec-Fetch-Site` says when a page of this very host asked, or the person did, by a bookmark
or by typing."""

SENTENCE = later(
    "This request did not come from a page of this address, so nothing was done."
)


class ForeignOrigin(Forbidden):
    """An unsafe request that no page of this very host made."""


def judge(headers: Mapping[str, str] | Headers, own_url: str) -> str:
    """What a request's own words are worth: PASSES, REFUSED or BY_TOKEN. `own_url` is the host it
    was sent to.

    The first header that is there decides, in this order: `Sec-Fetch-Site`, `Origin`, `Referer`.
    `Origin: null` says nothing: a browser sends it for its own pages too where a proxy adds
    `Referrer-Policy: no-referrer`. Nor does an empty `Origin` or `Referer`, to which some filters
    on the way cut it.
    """
    site, origin, referer = (
        headers.get(name) for name in ("Sec-Fetch-Site", "Origin", "Referer")
    )
    own = _parts(own_url, with_path=False)
    names_origin = bool(origin) and origin != "null"
    if own is None or (names_origin and _parts(origin or "", with_path=False) != own):
        return REFUSED
    if site is not None:
        return PASSES if site in OF_OUR_OWN else REFUSED
    if names_origin:
        return PASSES
    if referer:
        return PASSES if _parts(referer, with_path=True) == own else REFUSED
    return BY_TOKEN


def refuse_foreign() -> None:
    """403 for an unsafe request that no page of this very host made. Webhooks are exempt.

    Where only a token can tell, `g.by_token_alone` is set. The console asks for more: engines that
    send no header of the three know no `__Host-` either, so a sibling's page could plant the cookie
    that its token fits.
    """
    request, place = hosts.present(), hosts.place()
    if request.method not in UNSAFE or place.room == hosts.HOOKS:
        return
    verdict = judge(request.headers, request.host_url)
    g.by_token_alone = verdict == BY_TOKEN
    if verdict == REFUSED or (
        g.by_token_alone and place.room not in (hosts.STORE, hosts.PORTAL)
    ):
        raise ForeignOrigin(SENTENCE)


def _parts(text: str, *, with_path: bool) -> tuple[str, str, int] | None:
    """Scheme, host and port; None when it names no origin, which equals nothing that a request can
    have."""
    try:
        parts = urlsplit(text.strip().lower())
        port = (
            parts.port
            if parts.port is not None
            else {"http": 80, "https": 443}.get(parts.scheme)
        )
    except ValueError:
        return None
    if not parts.hostname or port is None or parts.username is not None:
        return None
    if not with_path and parts.path.strip("/"):
        return None
    return parts.scheme, parts.hostname.rstrip("."), port
