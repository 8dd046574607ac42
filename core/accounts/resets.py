"""One-time links with which a person sets a new password when the old one is lost.

Decides how long a link works and that it works once. Who may make one is decided by the console and
by whoever has the machine's shell; how the link reaches the person is up to them.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import Mapped, mapped_column

from core.accounts import people, security_events
from core.accounts.logins import Door
from core.accounts.users import User
from core.audit import Actor
from core.base import clock, config
from core.base.db import Model, db, transaction
from core.base.refusal import Refusal
from core.base.tenancy import as_platform


class ResetLink(Model):
    """At most one for each person: a newer takes the place of the older. Only a hash of its secret
    is kept."""

    __tablename__ = "reset_links"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    token_hash: Mapped[str] = mapped_column(unique=True)
    access_no: Mapped[int]
    """The person's number when it was made: using it, a new password, role or log-out everywhere
    ends it."""
    made_at: Mapped[datetime]
    expires_at: Mapped[datetime]


@dataclass(frozen=True)
class Made:
    """A new link, to be shown once."""

    url: str
    expires_at: datetime
    user: User


class Gone(Refusal):
    """The link was used, replaced, is too old or never was. `sentence` says what to do."""

    sentence = (
        "This link does not work any more: it works once, and for a short time. Ask for"
        " a new one."
    )


@as_platform
def make(user_id: int, actor: Actor) -> Made:
    """A new link for a person; an earlier one works no more. Raises `people.PersonRefused`."""
    token = secrets.token_urlsafe(32)
    settings = config.current()
    with transaction() as session:
        user = people.locked(user_id)
        until = clock.now() + timedelta(seconds=settings.reset_link_s)
        link = ResetLink(
            user_id=user.id, token_hash=_hash(token), access_no=user.access_no
        )
        link.made_at = clock.now()
        link.expires_at = until
        session.merge(link)
        security_events.acted(
            actor, "make_reset_link", f"user:{user.id}", {"email": user.email}
        )
    label = "admin" if door_of(user) == "console" else "portal"
    return Made(f"{settings.address(label)}/reset/{token}", until, user)


@as_platform
def person_of(token: str, door: Door) -> User:
    """Whose link this is, at their own door. Looking does not use it up. Raises `Gone`."""
    return _person(token, door)


@as_platform
def use(token: str, door: Door, password: str) -> User:
    """Set the password with a link, once, and end the person's access. Raises `Gone`,
    `passwords.BadPassword`."""
    with transaction() as session:
        try:
            people.locked(_person(token, door).id)
        except people.PersonRefused:
            raise Gone from None
        session.expire_all()
        # of two at once the second finds that the number has moved on
        user = _person(token, door)
        kind = Actor("owner" if door == "console" else "agent", user.name, user.id)
        people.change_in_open_use_case(user, password, kind, "use_reset_link")
        return user


def door_of(user: User) -> Door:
    """Where a person's link leads: people of the platform to the console, agents to the portal."""
    if user.platform_role == "none":
        return "portal"
    return "console"


def _person(token: str, door: Door) -> User:
    user = db.session.scalar(
        select(User)
        .join(
            ResetLink,
            (ResetLink.user_id == User.id) & (ResetLink.access_no == User.access_no),
        )
        .where(
            ResetLink.token_hash == _hash(token),
            ResetLink.expires_at > clock.now(),
            User.removed_at.is_(None),
        )
    )
    if user is None or door_of(user) != door:
        raise Gone
    return user


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
