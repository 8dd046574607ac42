"""People and their log-ins: passwords, roles, memberships, server-side sessions.

Decides who may enter and for how long. What a role may do is decided by the rooms that offer it.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    case,
    delete,
    select,
    text,
    update,
)
from sqlalchemy.orm import Mapped, mapped_column

from core.accounts import guessing
from core.base import (
    browsers,
    clock,
    config,
    hashing,
    passwords,
    permits,  # noqa: F401 - permits hooks in
    signed,
    text_input,
)
from core.base.db import Model, db, rows_changed, transaction
from core.base.tenancy import as_platform
from core.stores import Store

Door = Literal["portal", "console"]

_SEEN_EVERY_S = 60


class User(Model):
    """A person. Who was removed keeps the row, because audit lines and timelines name it, and opens
    nothing."""

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint(
            "platform_role IN ('none', 'owner', 'finance', 'support')",
            name="platform_role",
        ),
        CheckConstraint("email = lower(email)", name="email_lower"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    password_hash: Mapped[str] = mapped_column(deferred=True, deferred_raiseload=True)
    """Written by us and read by nobody: see `_password_of`."""
    platform_role: Mapped[str] = mapped_column(default="none")
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    removed_at: Mapped[datetime | None]
    access_no: Mapped[int] = mapped_column(default=0)
    """What was given out under an earlier number opens nothing: see `end_logins_of`."""
    password_long: Mapped[bool] = mapped_column(default=False)
    """Whether the password kept to the rule of the owner's people when it was set."""


class Membership(Model):
    __tablename__ = "memberships"
    __table_args__ = (
        CheckConstraint("role IN ('owner', 'cashier', 'viewer')", name="role"),
    )

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    store_id: Mapped[int] = mapped_column(ForeignKey("stores.id"), primary_key=True)
    role: Mapped[str]


class LoginSession(Model):
    """One log-in on one device. Only a hash of its token is kept, so a copy of the table opens
    nothing."""

    __tablename__ = "sessions"

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    door: Mapped[str]
    store_id: Mapped[int | None] = mapped_column(ForeignKey("stores.id"))
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    seen_at: Mapped[datetime] = mapped_column(default=clock.now)
    device: Mapped[str] = mapped_column(default="")
    access_no: Mapped[int] = mapped_column(default=0)
    own_device: Mapped[bool] = mapped_column(default=False)
    """The person's own phone or computer, at the portal: it may be idle and live longer."""


class Login:
    """A person inside a door: what Flask-Login keeps as `current_user`."""

    is_authenticated = True
    is_active = True
    is_anonymous = False

    def __init__(
        self, token: str, user: User, door: Door, store_id: int | None, role: str | None
    ) -> None:
        self.token = token
        self.token_hash = _hash(token)
        self.user = user
        self.door = door
        self.store_id = store_id
        self.role = role

    def get_id(self) -> str:
        return self.token


def add(email: str, name: str, password: str, platform_role: str = "none") -> User:
    """A new user inside the open use case. Raises `passwords.BadPassword`."""
    user = User(
        email=plain_email(email), name=name.strip(), platform_role=platform_role
    )
    give_password(user, password)
    db.session.add(user)
    db.session.flush()
    return user


def plain_email(text: str) -> str:
    """An e-mail address in the one spelling in which it is kept and looked for."""
    return text_input.seen(text).strip().lower()


@as_platform
def by_email(email: str) -> User | None:
    """The person with this address, unless removed."""
    return db.session.scalar(
        select(User).where(User.email == plain_email(email), User.removed_at.is_(None))
    )


@as_platform
def verify(user: User, password: str) -> bool:
    """Whether this is the person's password. For log-ins use `logging_in.authenticate`, which
    limits tries."""
    kept = password_of(user)
    return any(hashing.fits(kept, form) for form in passwords.candidates(password))


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
def start_login(
    user: User,
    door: Door,
    store_id: int | None = None,
    *,
    user_agent: str = "",
    own_device: bool = False,
) -> str:
    """Begin a session, under the number `user` was read with. A new token each time, so none can be
    planted.

    `own_device` when nobody else uses this browser: the session then idles and lives longer.
    """
    token = secrets.token_urlsafe(32)
    row = LoginSession(
        token_hash=_hash(token), user_id=user.id, door=door, store_id=store_id
    )
    row.device, row.access_no, row.own_device = (
        browsers.words(user_agent),
        user.access_no,
        own_device,
    )
    with transaction() as session:
        session.add(row)
    return token


@as_platform
def login_of(token: str, door: Door) -> Login | None:
    """The log-in a token stands for at this door, or None when it ended, idled out or belongs to
    another door."""
    row = db.session.execute(
        select(LoginSession, User, Membership.role)
        .join(User, User.id == LoginSession.user_id)
        .outerjoin(
            Membership,
            (Membership.user_id == LoginSession.user_id)
            & (Membership.store_id == LoginSession.store_id),
        )
        .where(LoginSession.token_hash == _hash(token), LoginSession.door == door)
    ).first()
    if row is None:
        return None
    login, user, role = row
    now, (idle_s, longest_s) = clock.now(), _limits_s(login.own_device)
    if user.removed_at is not None or login.access_no != user.access_no:
        return None
    if (now - login.seen_at).total_seconds() > idle_s:
        # a person's idle time is not a machine's duration: it is never scaled
        return None
    if (now - login.created_at).total_seconds() > longest_s:
        return None
    if (door == "console" and user.platform_role == "none") or (
        login.store_id is not None and role is None
    ):
        return None
    found = Login(token, user, door, login.store_id, role)
    if (now - login.seen_at).total_seconds() > _SEEN_EVERY_S:
        with transaction() as session:
            # A statement, not a row: another tab may be logging out right now.
            session.execute(
                update(LoginSession)
                .where(LoginSession.token_hash == login.token_hash)
                .values(seen_at=now)
            )
    return found


@as_platform
def switch_store(token: str, store_id: int) -> None:
    """Make a portal session work in another store. `login_of` refuses it where the person is no
    member."""
    with transaction() as session:
        session.execute(
            update(LoginSession)
            .where(LoginSession.token_hash == _hash(token))
            .values(store_id=store_id)
        )


@as_platform
def end_login(token: str) -> None:
    """Log out on this device. Harmless when already ended."""
    end_session(_hash(token))


@as_platform
def end_session(token_hash: str) -> None:
    """The same for a session of `logins_of`."""
    with transaction() as session:
        session.execute(
            delete(LoginSession).where(LoginSession.token_hash == token_hash)
        )


@as_platform
def prune() -> int:
    """Delete sessions that ended by themselves. Returns how many."""
    with transaction():
        return rows_changed(delete(LoginSession).where(~_within("created_at", 1)))


@as_platform
def logins_of(user_id: int) -> list[LoginSession]:
    """Where a person is logged in now, at both doors, the last used first."""
    rows = db.session.scalars(
        select(LoginSession)
        .join(
            User,
            (User.id == LoginSession.user_id)
            & (User.access_no == LoginSession.access_no),
        )
        .where(LoginSession.user_id == user_id)
        .where(_within("seen_at", 0), _within("created_at", 1))
        .order_by(LoginSession.seen_at.desc())
        .limit(config.current().page_size)
    )
    return list(rows)


def _limits_s(own_device: bool) -> tuple[int, int]:
    """How long a session may be idle, and live at all, in seconds."""
    settings = config.current()
    if own_device:
        return settings.own_idle_s, settings.own_absolute_s
    return settings.session_idle_s, settings.session_absolute_s


def _within(moment: str, which: int) -> ColumnElement[bool]:
    since = [
        clock.now() - timedelta(seconds=_limits_s(own)[which]) for own in (True, False)
    ]
    column: ColumnElement[datetime] = getattr(LoginSession, moment)
    return column > case((LoginSession.own_device, since[0]), else_=since[1])


def end_logins_of(user: User, keep: str | None = None) -> str | None:
    """Inside the open use case: what the person was given before (sessions, devices, reset links)
    opens nothing.

    By number and not only by deleting, because a log-in under way may write its session after this.
    `keep` is the token of a session that goes on: it continues, no longer than before, under the
    new token that is returned.
    """
    raised = (
        update(User)
        .where(User.id == user.id)
        .values(access_no=User.access_no + 1)
        .returning(User.access_no)
    )
    number = db.session.execute(raised).scalar_one()
    token, mine = secrets.token_urlsafe(32), LoginSession.user_id == user.id
    going_on = (
        mine,
        LoginSession.token_hash == _hash(keep or ""),
        LoginSession.access_no == number - 1,
    )
    renewed = (
        update(LoginSession)
        .where(*going_on)
        .values(token_hash=_hash(token), access_no=number)
    )
    is_kept = rows_changed(renewed) == 1
    db.session.execute(
        delete(LoginSession).where(mine, LoginSession.access_no != number)
    )
    guessing.forget_devices(user.id)
    return token if is_kept else None


def void_password(user: User) -> None:
    """Leave the person without a password inside the open use case. A guess at it costs the usual
    work."""
    user.password_hash, user.password_long = (
        hashing.make(secrets.token_urlsafe(32)),
        False,
    )


def give_password(user: User, password: str, own: Iterable[str] = ()) -> None:
    """Set the hash inside the open use case. `own` are names of the person's stores. Raises
    `passwords.BadPassword`."""
    words = (user.name, user.email, user.email.partition("@")[0], *own)
    kept = passwords.check(
        password, shortest=passwords.least_of(user.platform_role), own=words
    )
    user.password_hash, user.password_long = (
        hashing.make(kept),
        len(kept) >= passwords.SHORTEST_OF_PLATFORM,
    )


def password_of(user: User | None) -> str:
    """The kept hash, by a function that hears this program alone: no role of ours may read the
    column.

    Asked about nobody it does the same work and gives a hash that no password fits.
    """
    said = signed.say("makola_password_of", user_id=user.id if user else 0)
    found: str | None = db.session.execute(
        text("SELECT makola_password_of(:said, :mac)"), said
    ).scalar_one()
    return found or hashing.NOBODYS


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
