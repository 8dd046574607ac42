"""Which orders this device made: a signed, host-only cookie of their codes, and an id to count its
open ones by.

Decides who sees the whole number of an order and who may cancel it. It is a list, not a log-in:
losing it hides digits and nothing more.
"""

from __future__ import annotations

import secrets
from functools import lru_cache

from flask import g, request, session
from itsdangerous import BadSignature, URLSafeSerializer
from werkzeug.wrappers import Response

from core.base import addresses, config
from core.orders import Caller

COOKIE = "__Host-device"
MOST_CODES = 20
KEEP_S = 180 * 86_400
_LONGEST = 2_048
_MOST_READ = 4
_ID_MARK = "~"
"""An id stands among the codes, so that a cookie of either kind can be read by yesterday's code."""


def codes(store_id: int) -> list[str]:
    """Codes of the orders this device made in this store, newest first; empty for anything not
    signed by us."""
    return [word for word in _words(store_id) if not word.startswith(_ID_MARK)][
        :MOST_CODES
    ]


def id_of(store_id: int) -> str:
    """This device's id in this store; empty for a browser that has none, or keeps no cookies."""
    return next((word for word in _words(store_id) if word.startswith(_ID_MARK)), "")


def caller(store_id: int) -> Caller:
    """Who asks: this device, which gets an id now when it has none, and its address."""
    return Caller(_own_id(store_id), addresses.key(request.remote_addr))


def bind_session(store_id: int) -> None:
    """Remember in the session, which holds what forms are checked by, whose forms these are.

    Another's begins anew: whoever planted it knows what its forms are checked by.
    """
    own = _own_id(store_id)
    if session.get("device") != own:
        session.clear()
        session["device"] = own


def owns_session(store_id: int) -> bool:
    """Whether session and device are one browser's, where a form's token is all that speaks for it.

    Browsers that say nothing about where a form came from know no `__Host-` either: a sibling store
    could plant a session there and send its token, but not the id of a device that it has never
    seen.
    """
    return not g.get("by_token_alone") or session.get("device", "") == id_of(store_id)


def greet(response: Response, store_id: int) -> None:
    """Give a device that has no id one, before it orders."""
    if not id_of(store_id):
        _keep(response, store_id, codes(store_id))


def remember(response: Response, store_id: int, code: str) -> None:
    """Put `code` at the head of this device's list."""
    _keep(
        response,
        store_id,
        [code, *(c for c in codes(store_id) if c != code)][:MOST_CODES],
    )


def _keep(
    response: Response,
    store_id: int,
    kept: list[str],
) -> None:
    response.set_cookie(
        COOKIE,
        _signer(store_id, tuple(config.current().signing_keys)).dumps(
            [_own_id(store_id), *kept]
        ),
        max_age=KEEP_S,
        path="/",
        secure=True,
        httponly=True,
        samesite="Lax",
    )


def _own_id(store_id: int) -> str:
    """The id it has, else one made for this request, which `greet` and `remember` give it to
    keep."""
    made: str = id_of(store_id) or g.setdefault(
        "new_device_id", _ID_MARK + secrets.token_urlsafe(12)
    )
    return made


def _words(store_id: int) -> list[str]:
    """What this request's cookie says, read once."""
    words: dict[int, list[str]] = g.setdefault("device_words", {})
    if store_id not in words:
        words[store_id] = _read(store_id)
    return words[store_id]


def _read(store_id: int) -> list[str]:
    """What the first cookie of this name says that we signed.

    There may be more than one: where `__Host-` means nothing, a sibling store can plant one that
    comes first.
    """
    keys = tuple(config.current().signing_keys)
    for signed in request.cookies.getlist(COOKIE)[:_MOST_READ]:
        words = _said_by(signed, store_id, keys) if len(signed) <= _LONGEST else None
        if words is not None:
            return list(words)
    return []


@lru_cache(maxsize=1_024)
def _said_by(
    signed: str, store_id: int, keys: tuple[str, ...]
) -> tuple[str, ...] | None:
    """What a cookie says, None for one that we did not sign. A visit sends the same one again and
    again."""
    try:
        value = _signer(store_id, keys).loads(signed)
    except BadSignature:
        return None
    if not isinstance(value, list):
        return None
    return tuple(word for word in value if isinstance(word, str))


def _signer(store_id: int, keys: tuple[str, ...]) -> URLSafeSerializer:
    """Salted with the store, so that a cookie carried to another store's host says nothing
    there."""
    return URLSafeSerializer(list(keys), salt=f"makola.device.{store_id}")
