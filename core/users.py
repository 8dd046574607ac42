"""People and their log-ins: passwords, roles, memberships, server-side sessions.

Decides who may enter and for how long. What a role may do is decided by the rooms that offer it.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import CheckConstraint, ForeignKey, delete, select, update
from sqlalchemy.orm import Mapped, mapped_column

from core import clock, config, guessing, hashing
from core.db import Model, db, transaction
from core.stores import Store

Door = Literal["portal", "console"]

SHORTEST_PASSWORD = 8
LONGEST_PASSWORD = 200
_SEEN_EVERY_S = 60


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
    password_hash: Mapped[str]
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
    return hashing.make(password)


def by_email(email: str) -> User | None:
    return db.session.scalar(select(User).where(User.email == email.strip().lower()))


def verify(user: User, password: str) -> bool:
    """Whether this is the person's password. For log-ins use `entering.authenticate`, which limits tries."""
    return hashing.fits(user.password_hash, password)


def memberships_of(user: User) -> list[tuple[Membership, Store]]:
    """The stores a person works in, by name."""
    rows = db.session.execute(
        select(Membership, Store)
        .join(Store, Store.id == Membership.store_id)
        .where(Membership.user_id == user.id)
        .order_by(Store.name)
    )
    return [(membership, store) for membership, store in rows]


def start_login(user: User, door: Door, store_id: int | None = None) -> str:
    """Begin a session on this device and return its token. A new token at each log-in, so none can be planted."""
    token = secrets.token_urlsafe(32)
    with transaction() as session:
        session.add(LoginSession(token_hash=_hash(token), user_id=user.id, door=door, store_id=store_id))
    return token


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


def switch_store(token: str, store_id: int) -> None:
    """Make a portal session work in another store. `login_of` refuses it where the person is no member."""
    with transaction() as session:
        session.execute(update(LoginSession).where(LoginSession.token_hash == _hash(token)).values(store_id=store_id))


def end_login(token: str) -> None:
    """Log out on this device. Harmless when already ended."""
    with transaction() as session:
        session.execute(delete(LoginSession).where(LoginSession.token_hash == _hash(token)))


def prune() -> int:
    """Delete sessions that ended by themselves. Returns how many."""
    with transaction() as session:
        old = clock.now() - timedelta(seconds=config.current().session_absolute_s)
        gone = session.execute(delete(LoginSession).where(LoginSession.created_at < old))
        return int(gone.rowcount)  # type: ignore[attr-defined]


def end_logins_of(user: User) -> None:
    """Log a person out everywhere and know none of their devices: inside the open use case that changed the password
    or the role."""
    db.session.execute(delete(LoginSession).where(LoginSession.user_id == user.id))
    guessing.forget_devices(user.id)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
