"""Acts on people: adding and removing them, their passwords, their roles, the stores they work in.

Each is one transaction with its line in the audit, and ends the person's sessions, known devices
and reset links where what they may do, or their password, changes. Who may act is decided by the
rooms and by whoever has the machine's shell.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlalchemy import delete, or_, select
from sqlalchemy.exc import IntegrityError

from core.accounts import forgetting, logins, security_events, unproven, users
from core.accounts.users import Membership, User
from core.audit import Actor
from core.base import clock
from core.base.db import db, transaction
from core.base.preconditions import inside_use_case
from core.base.refusal import Refusal
from core.base.tenancy import as_platform
from core.stores import Store

COMMAND_LINE = Actor("system", "Command line")
ROLES = ("none", "owner", "finance", "support")
"""Of the platform: `users.platform_role`."""
STORE_ROLES = ("owner", "cashier", "viewer")
LONGEST_NAME = 60
_THERE = "{} is there already. Change the password or the role instead."


class PersonRefused(Refusal):
    """An act on a person that cannot be done. `sentence` says why and how to fix it."""


@dataclass(frozen=True)
class Person:
    """A person and where they work: (store, role there), by the store's name."""

    user: User
    works_in: list[tuple[Store, str]]


@dataclass(frozen=True)
class Role:
    """What became of `set_role`."""

    changed: bool
    password_voided: bool = False
    """The old password was too short for the new role, or a stranger may have set it, so it opens
    nothing: make a reset link."""


@as_platform
def find(email: str) -> User:
    """The person with this address. Raises `PersonRefused`."""
    if (user := users.by_email(email) if email.isprintable() else None) is None:
        raise PersonRefused(
            f"Nobody here has the address {email.strip()!r}. Check it, or add the person first."
        )
    return user


@as_platform
def page(*, after: str = "", typed: str = "", limit: int) -> list[Person]:
    """People by e-mail, those behind `after`; with `typed` only whose e-mail or name has it.
    Removed ones are left out."""
    rows = (
        select(User)
        .where(User.removed_at.is_(None), User.email > after)
        .order_by(User.email)
        .limit(limit)
    )
    if typed:
        rows = rows.where(
            or_(
                User.email.icontains(typed, autoescape=True),
                User.name.icontains(typed, autoescape=True),
            )
        )
    found = {user.id: Person(user, []) for user in db.session.scalars(rows)}
    members = (
        select(Membership, Store)
        .join(Store, Store.id == Membership.store_id)
        .where(Membership.user_id.in_(found))
        .order_by(Store.name)
    )
    for membership, store in db.session.execute(members):
        found[membership.user_id].works_in.append((store, membership.role))
    return list(found.values())


@as_platform
def add(*, email: str, name: str, password: str, role: str, actor: Actor) -> User:
    """A new person, or one who was removed and comes back under the same number. Raises
    `PersonRefused`, `BadPassword`."""
    email = check_email(email)
    name = check_name(name)
    _one_of(role, ROLES)
    try:
        with transaction() as session:
            user = session.scalar(
                select(User).where(User.email == email).with_for_update()
            )
            if user is None:
                user = users.add(email, name, password, role)
            elif user.removed_at is None:
                raise PersonRefused(_THERE.format(email))
            else:
                user.name = name
                user.platform_role = role
                user.removed_at = None
                _set_password(user, password)
            _audit(actor, "add_user", user, {"role": role})
            return user
    except IntegrityError:  # somebody else added the same address just now
        raise PersonRefused(_THERE.format(email)) from None


@as_platform
def set_password(
    user_id: int, password: str, actor: Actor, *, action: str, keep: str | None = None
) -> str | None:
    """Set a person's password and end their access; the session with the token `keep` goes on under
    a new token.

    Returns that token. Raises `PersonRefused`, `passwords.BadPassword`.
    """
    with transaction():
        user = locked(user_id)
        token = _set_password(user, password, keep)
        _audit(actor, action, user)
        return token


@inside_use_case
def change_in_open_use_case(
    user: User, password: str, actor: Actor, action: str
) -> None:
    """The same for a locked row, for a reset link."""
    _set_password(user, password)
    _audit(actor, action, user)


@as_platform
def set_role(user_id: int, role: str, actor: Actor) -> Role:
    """Give a person another role of the platform. Raises `PersonRefused` for the last owner.

    A password that was never held to the rule of the owner's people does not go with one of their
    roles.
    """
    _one_of(role, ROLES)
    with transaction():
        owners = _owners()
        user = locked(user_id)
        before = user.platform_role
        if before == role:
            return Role(changed=False)
        if before == "owner":
            _refuse_last(owners, user)
        user.platform_role = role
        is_stranger = role != "none" and unproven.void(user)
        is_short = role != "none" and not user.password_long
        if is_short and not is_stranger:
            users.void_password(user)
        logins.end_logins_of(user)
        _audit(actor, "set_user_role", user, {"from": before, "to": role})
        return Role(changed=True, password_voided=is_short or is_stranger)


@as_platform
def remove(user_id: int, actor: Actor) -> list[str]:
    """Take everything from a person: roles, stores, password, sessions. The row stays, since
    history names it.

    Returns the slugs of the stores they worked in. Raises `PersonRefused` for the last owner.
    """
    with transaction() as session:
        owners = _owners()
        user = locked(user_id)
        if user.platform_role == "owner":
            _refuse_last(owners, user)
        left = [store.slug for _membership, store in users.memberships_of(user)]
        session.execute(delete(Membership).where(Membership.user_id == user.id))
        user.platform_role = "none"
        user.removed_at = clock.now()
        users.void_password(user)
        forgetting.forget(user.id)
        logins.end_logins_of(user)
        _audit(actor, "remove_user", user, {"stores": ", ".join(left)})
        return left


@as_platform
def set_membership(store: Store, user_id: int, role: str | None, actor: Actor) -> bool:
    """Let a person work in a store as `role`, or no longer when None. False when it was so already.
    The password of who `unproven.is_unproven` opens nothing then. Raises `PersonRefused`."""
    if role is not None:
        _one_of(role, STORE_ROLES)
    with transaction() as session:
        user = locked(user_id)
        membership = session.get(Membership, (user.id, store.id))
        before = membership.role if membership is not None else None
        if before == role:
            return False
        if membership is None:
            session.add(Membership(user_id=user.id, store_id=store.id, role=role))
        elif role is None:
            session.delete(membership)
        else:
            membership.role = role
        if role is not None:
            unproven.void(user)
        logins.end_logins_of(user)
        detail = {"email": user.email, "from": before or "none", "to": role or "none"}
        security_events.acted(actor, "set_member", f"store:{store.id}", detail)
        return True


@as_platform
def log_out_everywhere(
    user_id: int, actor: Actor, *, keep: str | None = None
) -> str | None:
    """End every session, known device and reset link of a person, as `logins.end_logins_of`."""
    with transaction():
        user = locked(user_id)
        token = logins.end_logins_of(user, keep)
        _audit(actor, "log_out_elsewhere" if keep else "log_out_everywhere", user)
        return token


@inside_use_case
def locked(user_id: int) -> User:
    """A person's row, locked. Raises `PersonRefused` when they were removed meanwhile."""
    user = db.session.scalars(
        select(User).where(User.id == user_id).with_for_update()
    ).one_or_none()
    if user is None or user.removed_at is not None:
        raise PersonRefused("This person was removed. Add them again first.")
    return user


def _owners() -> list[int]:
    """Ids of the owners, each row locked, so that of two who leave at once one is the last."""
    rows = (
        select(User.id)
        .where(User.platform_role == "owner", User.removed_at.is_(None))
        .order_by(User.id)
    )
    return list(db.session.scalars(rows.with_for_update()))


def _refuse_last(owners: list[int], user: User) -> None:
    if owners == [user.id]:
        raise PersonRefused(
            f"{user.email} is the only owner. Make somebody else an owner first, then try again."
        )


def _set_password(user: User, password: str, keep: str | None = None) -> str | None:
    names: list[str] = []
    for _membership, store in users.memberships_of(user):
        names += [store.name, store.slug, store.whatsapp or "", store.momo_number or ""]
    users.give_password(user, password, names)
    return logins.end_logins_of(user, keep)


def _audit(
    actor: Actor, action: str, user: User, detail: dict[str, str] | None = None
) -> None:
    security_events.acted(
        actor, action, f"user:{user.id}", {"email": user.email, **(detail or {})}
    )


def check_email(typed: str) -> str:
    """The address as it is kept. Raises `PersonRefused`."""
    email = users.plain_email(typed)
    if len(email) > 254 or not re.fullmatch(r"[!-?A-~]+@[!-?A-~]+", email):
        raise PersonRefused("Type the whole e-mail address, like ama@example.com.")
    return email


def check_name(typed: str) -> str:
    """A person's name as it is kept. Raises `PersonRefused`."""
    name = " ".join(typed.split())
    if not name.isprintable() or not 1 <= len(name) <= LONGEST_NAME:
        raise PersonRefused(
            f"Give a name of 1 to {LONGEST_NAME} characters, as people read it on timelines."
        )
    return name


def _one_of(role: str, roles: tuple[str, ...]) -> None:
    if role not in roles:
        raise PersonRefused(
            f"{role!r} is no role here. Use one of: {', '.join(roles)}."
        )
