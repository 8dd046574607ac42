"""What a person had chosen when a press came too late: it waits for them, and nothing is ever done
by itself.

A press whose log-in is over does nothing. Its form waits in the session's cookie for the very
person and store its page was drawn for, and is shown again as it was; whoever else logs in here
never sees it. Only a form that says whom it was drawn for is kept, so no password ever is. Rooms
ask `g.kept`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, g, request, session
from flask_login import current_user
from itsdangerous import BadSignature, URLSafeSerializer
from werkzeug.datastructures import MultiDict

from core.base import clock, config
from core.base.text_input import own_path

FIELD = "drawn_for"
_KEY = "kept"
_KEPT_S = 3_600
_MOST = 3_200
"""Characters of a form that fit into a cookie, packed as Flask packs it. Two hundred ticks have
2,600."""
_UNKEPT = frozenset({"csrf_token", "back", "confirm", FIELD})


def install(app: Flask) -> None:
    app.before_request(hold)
    app.jinja_env.globals["drawn_for"] = drawn_for


def hold() -> None:
    g.kept = Kept()


def drawn_for() -> str:
    """For a form's hidden field: for whom, and for which of their stores, this page is drawn.
    Signed; opens nothing."""
    login = current_user._get_current_object()  # type: ignore[attr-defined]
    return str(_signer().dumps([login.user.id, login.store_id]))


def return_path() -> str:
    """Where a refused press came from: the place its form names, else the page it was made on, else
    the front."""
    came = urlsplit(request.referrer or "")
    if came.netloc == request.host:
        from_here = came.path
    else:
        from_here = ""
    if from_here and came.query:
        query = f"?{came.query}"
    else:
        query = ""
    return own_path(request.form.get("back")) or own_path(from_here + query) or "/"


class Kept:
    """The form that waits in this browser, if any; once taken, `path` is the address it was sent
    to."""

    path = ""

    def keep(self) -> bool:
        """Keep the form of this request, if it says for whom its page was drawn and is not too
        long."""
        whose = _read(request.form.get(FIELD))
        if whose is None:
            return False
        form = {
            name: values for name, values in request.form.lists() if name not in _UNKEPT
        }
        if len(str(form)) > _MOST:
            return False
        at = clock.now().timestamp()
        session[_KEY] = {
            "who": whose[0],
            "store": whose[1],
            "at": at,
            "path": request.path,
            "form": form,
        }
        return True

    def fits(self) -> bool:
        """Whether the page of this request was drawn for who is logged in now, in this store."""
        return _read(request.form.get(FIELD)) == [
            current_user.user.id,
            current_user.store_id,
        ]

    def of_person(self, user_id: int) -> dict[str, Any] | None:
        """What waits, when it is this person's: it alone may outlive a new log-in. Its `store` is
        where it was drawn."""
        found: dict[str, Any] | None = session.get(_KEY)
        if found is None or found["who"] != user_id:
            return None
        is_fresh = 0 <= clock.now().timestamp() - found["at"] < _KEPT_S
        return found if is_fresh else None

    def put_back(self, found: dict[str, Any] | None) -> None:
        """Put the kept form into a session that was just emptied."""
        if found is not None:
            session[_KEY] = found

    def take(self, path: str) -> MultiDict[str, str] | None:
        """The form sent to an address that is `path`, a pattern, shown once: to its person in its
        store, or to nobody."""
        found = session.get(_KEY)
        if found is None or not re.fullmatch(path, found["path"]):
            return None
        mine = self.of_person(current_user.user.id)
        session.pop(_KEY)
        if not mine or mine["store"] != current_user.store_id:
            return None
        self.path = mine["path"]
        return MultiDict(mine["form"])


def _signer() -> URLSafeSerializer:
    return _salted(tuple(config.current().signing_keys))


@lru_cache(maxsize=8)
def _salted(keys: tuple[str, ...]) -> URLSafeSerializer:
    return URLSafeSerializer(list(keys), salt="makola.drawn-for")


def _read(text: str | None) -> list[Any] | None:
    try:
        whose = _signer().loads(text or "")
    except BadSignature:
        return None
    if isinstance(whose, list) and len(whose) == 2:
        return whose
    return None
