"""Log-ins: whether an e-mail, or a phone number, and a password open a door.

Decides only that. How often they may be tried is decided in `guessing`, how long the session lasts
in `logins`.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from core.accounts import devices, guessing, new_devices, security_events, users
from core.accounts.devices import Place
from core.accounts.guessing import Slot
from core.accounts.users import User
from core.audit import Actor
from core.base import hashing, passwords
from core.base.db import transaction
from core.base.tenancy import as_platform

_LONGEST_EMAIL = 254
_LONGEST_TYPED = 2_000
"""Signs of a typed address that are looked at, most of them such as nobody sees."""


@as_platform
def authenticate(email: str, password: str, place: Place) -> User | None:
    """The person, when the password is right and may open this door. None otherwise.

    The same work is done, and the same counted, whether or not somebody has the e-mail. Raises
    `guessing.TooManyTries` and `guessing.Slower` before any hashing, and `hashing.Busy` at once
    when two log-ins are under way in this process.
    """
    email = _plain(email)
    user = users.by_email(email)
    try:
        again = guessing.refuse_early(email, user.id if user else None, place)
        with hashing.turn(again):
            return _authenticated(email, user, password, place)
    except guessing.TooManyTries as refusal:
        _note(refusal.event, email, user, place, wait_s=refusal.wait_s)
        raise
    except hashing.Busy:
        security_events.note("login_busy", place.address, door=place.door)
        raise


@as_platform
def remember(user: User, place: Place, *, device: str | None = None) -> str:
    """The person has logged in here: know this device from now on, and write it down.

    With `device`, the browser in words, they are told when it is new. Returns the token for the
    device's cookie.
    """
    message = None
    with transaction():
        is_new = device is not None and new_devices.is_new(user, place)
        token = devices.remember(user.id, place)
        if is_new:
            message = new_devices.note(user, place, token, device or "")
        actor = Actor(
            "owner" if place.door == "console" else "agent", user.name, user.id
        )
        security_events.note("logged_in", place.address, actor, door=place.door)
    if message is not None:
        new_devices.send(message)
    return token


def _authenticated(
    email: str,
    user: User | None,
    password: str,
    place: Place,
) -> User | None:
    slot = guessing.take(email, user.id if user else None, place)
    try:
        kept = users.password_of(user)
        fitting = _fitting(kept, password)
    except hashing.Busy:
        with transaction():
            guessing.give_back(slot, right=False)
        raise
    if user is not None and fitting is not None and _may_enter(user, place.door):
        return _let_in(user, kept, fitting, slot)
    _note("login_failed", email, user, place)
    return None


def _let_in(
    user: User,
    kept: str,
    password: str,
    slot: Slot,
) -> User | None:
    """Count the try as right and keep the renewed hash. None when the password was changed while
    this one was compared."""
    renewed = _renewed(kept, password)
    with transaction() as session:
        fresh = session.scalars(
            select(User).where(User.id == user.id).with_for_update()
        ).one()
        if users.password_of(fresh) != kept:
            return None
        guessing.give_back(slot, right=True)
        if renewed is not None:
            fresh.password_hash = renewed
        return fresh


def _renewed(kept: str, password: str) -> str | None:
    """The hash by today's rule when the old one was made by another; not when that would mean to
    wait."""
    try:
        if not hashing.is_old(kept):
            return None
        return hashing.make(passwords.normal(password))
    except hashing.Busy:
        return None


def _fitting(kept: str, password: str) -> str | None:
    """The password in the form that fits the hash."""
    for form in passwords.candidates(password):
        if hashing.fits(kept, form):
            return form
    return None


def _may_enter(user: User, door: str) -> bool:
    """The console is for people of the platform; to all others it reads as a wrong password."""
    return door != "console" or user.platform_role != "none"


def _plain(email: str) -> str:
    """The e-mail as it is stored. What PostgreSQL cannot store cannot be anybody's address."""
    if "\x00" in email:
        return ""
    return (
        users.login_name(email[:_LONGEST_TYPED])[:_LONGEST_EMAIL]
        .encode("utf-8", "replace")
        .decode()
    )


def _note(
    event: str, email: str, user: User | None, place: Place, **detail: Any
) -> None:
    subject = f"user:{user.id}" if user else ""
    # Told apart by the e-mail and not by the person, so that an unknown one costs the same lines as
    # a known one.
    security_events.note(
        event,
        place.address,
        subject=subject,
        apart=f"{place.door} {email}",
        door=place.door,
        email=security_events.masked(email),
        **detail,
    )
