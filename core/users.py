"""People and their log-ins: passwords, roles, memberships, server-side sessions.

Decides who may enter and for how long. What a role may do is decided by the rooms that offer it.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Literal

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import CheckConstraint, ForeignKey, delete, func, select, text, update
from sqlalchemy.orm import Mapped, mapped_column

from core import clock, config, permits, signed  # noqa: F401 - permits hooks into the session
from core.db import Model, db, transaction
from core.stores import Store
from core.tenancy import as_platform

Door = Literal["portal", "console"]

ATTEMPTS_PER_ACCOUNT = 5
ATTEMPTS_PER_ADDRESS = 20
ATTEMPTS_WINDOW_S = 900
SHORTEST_PASSWORD = 8
LONGEST_PASSWORD = 200
_SEEN_EVERY_S = 60

_hasher = PasswordHasher()
_dummy_hash = _hasher.hash("nobody has this password")


class TooManyAttempts(Exception):
    """Too many log-in attempts for this account or from this address. `sentence` says when to try again."""

    sentence = "Too many attempts. Wait 15 minutes, then try again."


class BadPassword(ValueError):
    """A new password that cannot be used. `sentence` says how to fix it."""

    sentence = f"Use a password of {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters."


class User(Model):
    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint("platform_role IN ('none', 'owner', 'finance', 'support')", name="platform_role"),
        CheckConstraint("email = lower(email)", name="email_lower"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    password_hash: Mapped[str] = mapped_column(deferred=True, deferred_raiseload=True)
    """Written by us and read by nobody: see `_password_of`."""
    platform_role: Mapped[str] = mapped_column(default="none")
    created_at: Mapped[datetime] = mapped_column(default=clock.now)


class Membership(Model):
    __tablename__ = "memberships"
    __table_args__ = (CheckConstraint("role IN ('owner', 'cashier', 'viewer')", name="role"),)

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    store_id: Mapped[int] = mapped_column(ForeignKey("stores.id"), primary_key=True)
    role: Mapped[str]


class LoginSession(Model):
    """One log-in on one device. Only a hash of its token is kept, so a copy of the table opens nothing."""

    __tablename__ = "sessions"

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    door: Mapped[str]
    store_id: Mapped[int | None] = mapped_column(ForeignKey("stores.id"))
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    seen_at: Mapped[datetime] = mapped_column(default=clock.now)


class LoginAttempt(Model):
    """Failed attempts, counted here and not in Valkey so that the limit holds when Valkey is down."""

    __tablename__ = "login_attempts"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(index=True)
    at: Mapped[datetime] = mapped_column(default=clock.now)


class Login:
    """A person inside a door: what Flask-Login keeps as `current_user`."""

    is_authenticated = True
    is_active = True
    is_anonymous = False

    def __init__(self, token: str, user: User, door: str, store_id: int | None, role: str | None) -> None:
        self.token = token
        self.user = user
        self.door = door
        self.store_id = store_id
        self.role = role

    def get_id(self) -> str:
        return self.token


def add(email: str, name: str, password: str, platform_role: str = "none") -> User:
    """A new user inside the open use case. Raises `BadPassword`."""
    user = User(
        email=email.strip().lower(),
        name=name.strip(),
        password_hash=hash_password(password),
        platform_role=platform_role,
    )
    db.session.add(user)
    db.session.flush()
    return user


def hash_password(password: str) -> str:
    """Argon2id of a password. Raises `BadPassword` when it is too short or too long."""
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise BadPassword
    return _hasher.hash(password)


@as_platform
def by_email(email: str) -> User | None:
    return db.session.scalar(select(User).where(User.email == email.strip().lower()))


@as_platform
def authenticate(email: str, password: str, address: str) -> User | None:
    """The user, when the password is right. None otherwise, after the same work whether or not the user exists.

    `address` is the client's. Raises `TooManyAttempts` after 5 failures for the account or 20 from the address
    within 15 minutes, before any hashing.
    """
    # What PostgreSQL cannot store cannot be anybody's address.
    email = "" if "\x00" in email else email.strip().lower()[:254].encode("utf-8", "replace").decode()
    keys = {f"account:{email}": ATTEMPTS_PER_ACCOUNT, f"address:{address[:64]}": ATTEMPTS_PER_ADDRESS}
    since = clock.now() - clock.delta(ATTEMPTS_WINDOW_S)
    for key, limit in keys.items():
        count = db.session.scalar(
            select(func.count()).select_from(LoginAttempt).where(LoginAttempt.key == key, LoginAttempt.at > since)
        )
        if (count or 0) >= limit:
            raise TooManyAttempts
    user = by_email(email)
    kept = _password_of(user) if user else _dummy_hash
    right = _verify(kept, password[: LONGEST_PASSWORD + 1])
    with transaction() as session:
        if user is None or not right:
            session.add_all(LoginAttempt(key=key) for key in keys)
            session.execute(delete(LoginAttempt).where(LoginAttempt.at < since))
            return None
        session.execute(delete(LoginAttempt).where(LoginAttempt.key == f"account:{email}"))
        fresh = session.scalars(select(User).where(User.id == user.id)).one()
        if _hasher.check_needs_rehash(kept):
            fresh.password_hash = _hasher.hash(password)
        return fresh


@as_platform
def verify(user: User, password: str) -> bool:
    """Whether this is the person's password. For log-ins use `authenticate`, which limits attempts."""
    return _verify(_password_of(user), password)


@as_platform
def memberships_of(user: User) -> list[tuple[Membership, Store]]:
    """The stores a person works in, by name."""
    rows = db.session.execute(
        select(Membership, Store)
        .join(Store, Store.id == Membership.store_id)
        .where(Membership.user_id == user.id)
        .order_by(Store.name)
    )
    return [(membership, store) for membership, store in rows]


@as_platform
def start_login(user: User, door: Door, store_id: int | None = None) -> str:
    """Begin a session on this device and return its token. A new token at each log-in, so none can be planted."""
    token = secrets.token_urlsafe(32)
    with transaction() as session:
        session.add(LoginSession(token_hash=_hash(token), user_id=user.id, door=door, store_id=store_id))
    return token


@as_platform
def login_of(token: str, door: Door) -> Login | None:
    """The log-in a token stands for at this door, or None when it ended, idled out or belongs to another door."""
    row = db.session.execute(
        select(LoginSession, User, Membership.role)
        .join(User, User.id == LoginSession.user_id)
        .outerjoin(
            Membership, (Membership.user_id == LoginSession.user_id) & (Membership.store_id == LoginSession.store_id)
        )
        .where(LoginSession.token_hash == _hash(token), LoginSession.door == door)
    ).first()
    if row is None:
        return None
    login, user, role = row
    now, settings = clock.now(), config.current()
    if (now - login.seen_at).total_seconds() > settings.session_idle_s:
        return None  # a person's idle time is not a machine's duration: it is never scaled
    if (now - login.created_at).total_seconds() > settings.session_absolute_s:
        return None
    if (door == "console" and user.platform_role == "none") or (login.store_id is not None and role is None):
        return None
    found = Login(token, user, door, login.store_id, role)
    if (now - login.seen_at).total_seconds() > _SEEN_EVERY_S:
        with transaction() as session:
            # A statement, not a row: another tab may be logging out right now.
            session.execute(update(LoginSession).where(LoginSession.token_hash == login.token_hash).values(seen_at=now))
    return found


@as_platform
def switch_store(token: str, store_id: int) -> None:
    """Make a portal session work in another store. `login_of` refuses it where the person is no member."""
    with transaction() as session:
        session.execute(update(LoginSession).where(LoginSession.token_hash == _hash(token)).values(store_id=store_id))


@as_platform
def end_login(token: str) -> None:
    """Log out on this device. Harmless when already ended."""
    with transaction() as session:
        session.execute(delete(LoginSession).where(LoginSession.token_hash == _hash(token)))


@as_platform
def prune() -> int:
    """Delete sessions that ended by themselves. Returns how many."""
    with transaction() as session:
        old = clock.now() - timedelta(seconds=config.current().session_absolute_s)
        gone = session.execute(delete(LoginSession).where(LoginSession.created_at < old))
        return int(gone.rowcount)  # type: ignore[attr-defined]


def end_logins_of(user: User) -> None:
    """Log a person out everywhere: inside the open use case that changed the password or the role."""
    db.session.execute(delete(LoginSession).where(LoginSession.user_id == user.id))


def _password_of(user: User) -> str:
    """The kept hash, by a function that hears this program alone: no role of ours may read the column."""
    said = signed.say("makola_password_of", user_id=user.id)
    return str(db.session.execute(text("SELECT makola_password_of(:said, :mac)"), said).scalar_one())


def _verify(password_hash: str, password: str) -> bool:
    try:
        return _hasher.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
