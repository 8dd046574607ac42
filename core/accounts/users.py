"""People: their passwords, roles and memberships.

What a role may do is decided by the rooms that offer it. Sessions are in `logins`.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    select,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from core.base import (
    clock,
    hashing,
    passwords,
    permits,  # noqa: F401 - permits hooks in
    phones,
    signed,
    text_input,
)
from core.base.db import Model, db
from core.base.preconditions import inside_use_case
from core.base.tenancy import as_platform
from core.stores import Store


class User(Model):
    """A person. The row of a removed person stays, because audit lines and timelines name it; they
    cannot log in."""

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
    """What they log in with: an e-mail address, or a phone number in E.164. See `login_name`."""
    name: Mapped[str]
    password_hash: Mapped[str] = mapped_column(deferred=True, deferred_raiseload=True)
    """Argon2id. The application writes it and may not read it: see `password_of`."""
    platform_role: Mapped[str] = mapped_column(default="none")
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    removed_at: Mapped[datetime | None]
    access_no: Mapped[int] = mapped_column(default=0)
    """Sessions, known devices and reset links made under an earlier number are not valid any more:
    see `logins.end_logins_of`."""
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


@inside_use_case
def add(
    email: str,
    name: str,
    password: str,
    platform_role: str = "none",
) -> User:
    """A new user. Raises `passwords.BadPassword`."""
    user = User(email=login_name(email), name=name.strip(), platform_role=platform_role)
    give_password(user, password)
    db.session.add(user)
    db.session.flush()
    return user


def plain_email(text: str) -> str:
    """An e-mail address in the one spelling in which it is kept and looked for."""
    return text_input.seen(text).strip().lower()


def login_name(text: str) -> str:
    """What a person logs in with, in the one spelling in which it is kept and looked for: an e-mail
    address, or a phone number in E.164."""
    plain = plain_email(text)
    if "@" in plain:
        return plain
    try:
        return phones.parse(plain)
    except phones.BadNumber:
        return plain


@as_platform
def by_email(email: str) -> User | None:
    """The person who logs in with this e-mail address or phone number, unless removed."""
    return db.session.scalar(
        select(User).where(User.email == login_name(email), User.removed_at.is_(None))
    )


@as_platform
def by_id(user_id: int) -> User | None:
    """The person with this id, unless removed."""
    return db.session.scalar(
        select(User).where(User.id == user_id, User.removed_at.is_(None))
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


@inside_use_case
def void_password(user: User) -> None:
    """Replace the password by one that nobody knows. Comparing a guess with it takes as long as
    with any other."""
    user.password_hash = hashing.make(secrets.token_urlsafe(32))
    user.password_long = False


@inside_use_case
def give_password(user: User, password: str, own: Iterable[str] = ()) -> None:
    """Set the hash. `own` are names of the person's stores. Raises `passwords.BadPassword`."""
    words = (user.name, user.email, user.email.partition("@")[0], *own)
    kept = passwords.check(
        password, shortest=passwords.least_of(user.platform_role), own=words
    )
    user.password_hash = hashing.make(kept)
    user.password_long = len(kept) >= passwords.SHORTEST_OF_PLATFORM


def password_of(user: User | None) -> str:
    """The kept hash, read by a function of the database that answers signed calls only: no role of
    the application may read the column.

    For None the same work is done, and the result is a hash that no password fits.
    """
    said = signed.say("makola_password_of", user_id=user.id if user else 0)
    found: str | None = db.session.execute(
        text("SELECT makola_password_of(:said, :mac)"), said
    ).scalar_one()
    return found or hashing.NOBODYS
