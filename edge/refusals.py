"""Which refusals of the edge are security events, and who was refused.

Decides that alone; what is kept of an event is decided in `core.accounts.security_events`.
"""

from __future__ import annotations

from flask import request
from flask_limiter import RateLimitExceeded
from flask_login import current_user
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import Forbidden, HTTPException

from core.accounts import security_events
from core.audit import Actor
from core.base import addresses
from edge import hosts
from edge.origins import ForeignOrigin

_WITH_LOGIN = (hosts.PORTAL, hosts.CONSOLE)


def note(error: HTTPException) -> None:
    """Write down a refusal by origin, token, role or limit; others are mistakes and no events."""
    event = _event(error)
    if event is None:
        return
    place = hosts.place()
    rule = request.url_rule.rule if request.url_rule else ""
    security_events.note(
        event,
        addresses.key(request.remote_addr),
        _actor(),
        apart=f"{place} {rule}",
        room=place.room,
        store=place.slug,
        asked=f"{request.method} {rule}".strip(),
    )


def _event(error: HTTPException) -> str | None:
    if isinstance(error, RateLimitExceeded):
        return "limit_refused"
    if isinstance(error, CSRFError):
        return "forgery_refused"
    if isinstance(error, ForeignOrigin):
        return "origin_refused"
    if isinstance(error, Forbidden) and _actor().user_id:
        return "role_refused"
    return None


def _actor() -> Actor:
    """Whose session the request carries, right or wrong: a forged form carries its victim's."""
    if hosts.place().room not in _WITH_LOGIN:
        return security_events.STRANGER
    try:
        who = current_user
        if who.is_authenticated:
            return Actor.of_login(who)
        return security_events.STRANGER
    except SQLAlchemyError:
        return security_events.STRANGER
