"""Which session a request has when its browser sends several cookies of that name.

Browsers that know `__Host-` never do. Older ones take it for a name: somebody at a sibling's
address can plant one there with a longer path, which is sent first. One that we did not sign counts
for nothing. Of several that we did sign, a log-in goes before none, and in a form the one decides
that its token fits. Two log-ins that live are refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask, Request, request, session
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from itsdangerous import BadData, URLSafeTimedSerializer
from werkzeug.exceptions import BadRequest

_MOST_READ = 4
_OTHERS = "makola.sessions"
LOGIN = "_user_id"
"""Where Flask-Login keeps the token of a log-in."""


class TwoLogIns(BadRequest):
    """This browser sends the log-ins of two people, and neither can be chosen."""


class Sessions(SecureCookieSessionInterface):
    """Flask's own sessions, but not merely the first cookie of the name."""

    _signer: URLSafeTimedSerializer | None = None
    """Made once: the keys of a process do not change."""

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        if self._signer is None:
            self._signer = super().get_signing_serializer(app)
        return self._signer

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        signer = self.get_signing_serializer(app)
        if signer is None:
            return None
        longest = int(app.permanent_session_lifetime.total_seconds())
        found = []
        for told in request.cookies.getlist(self.get_cookie_name(app))[:_MOST_READ]:
            try:
                found.append(self.session_class(signer.loads(told, max_age=longest)))
            except BadData:
                continue
        found = [one for one in found if LOGIN in one] or found
        request.environ[_OTHERS] = [dict(one) for one in found]
        if found:
            return found[0]
        return self.session_class()


def all_of_them() -> list[dict[str, Any]]:
    """Every session that this request could have. Usually one, or none."""
    several: list[dict[str, Any]] = request.environ.get(_OTHERS, [])
    return several


def take(fits: Callable[[dict[str, Any]], bool]) -> None:
    """When this browser sent several sessions, continue with the first that `fits`; else nothing
    changes."""
    several = all_of_them()
    chosen = next(filter(fits, several), None) if len(several) > 1 else None
    if chosen is not None and chosen != dict(session):
        session.clear()
        session.update(chosen)
        # chosen for this request, not given to the browser to keep
        session.modified = False


def take_live(is_live: Callable[[str], bool]) -> None:
    """When this browser sent several log-ins, continue with the one that is still valid. Raises
    `TwoLogIns` when two are."""
    with_log_in = [one for one in all_of_them() if LOGIN in one]
    tokens = list(dict.fromkeys(one[LOGIN] for one in with_log_in))
    if len(tokens) < 2:
        return
    live = [token for token in tokens if is_live(token)]
    if len(live) > 1:
        raise TwoLogIns
    take(lambda one: one[LOGIN] in live)
