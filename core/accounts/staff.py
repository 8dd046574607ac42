"""Who works in a store: its people, their roles there, and the end of their work in it.

Decides what an owner of the store may change about them. Another store's people and log-ins are
never touched: a person may work in several. Who comes in, and how, is decided in `invitations`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, exists, func, select

from core.accounts import holding, security_events
from core.accounts.invitations import Invitation
from core.accounts.people import STORE_ROLES
from core.accounts.second_steps import SecondStep
from core.accounts.sessions import LoginSession
from core.accounts.users import Membership, User
from core.audit import Actor
from core.base.db import db, transaction
from core.base.preconditions import inside_use_case
from core.base.refusal import Refusal
from core.base.tenancy import as_platform

MOST_SHOWN = 100


class StaffRefused(Refusal):
    """A change of a store's people that cannot be made. `sentence` says what to do."""


class NotHere(StaffRefused):
    """Nobody of this store."""

    sentence = "This person does not work here any more."


@dataclass(frozen=True)
class Member:
    """One person of a store."""

    user_id: int
    name: str
    log_in: str
    role: str
    seen_at: datetime | None
    """When they last did something in this store, if they are logged in."""
    has_second_step: bool


@as_platform
def of_store(store_id: int) -> list[Member]:
    """Its people: owners first, then by name."""
    seen_at = select(func.max(LoginSession.seen_at)).where(
        LoginSession.user_id == User.id, LoginSession.store_id == store_id
    )
    second = exists().where(
        SecondStep.user_id == User.id, SecondStep.confirmed_at.is_not(None)
    )
    rows = db.session.execute(
        select(
            User.id,
            User.name,
            User.email,
            Membership.role,
            seen_at.scalar_subquery(),
            second,
        )
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.store_id == store_id)
        .order_by(Membership.role != "owner", func.lower(User.name), User.id)
        .limit(MOST_SHOWN)
    )
    return [Member(*row) for row in rows]


@as_platform
def set_role(store_id: int, user_id: int, role: str, actor: Actor) -> bool:
    """Give somebody of the store another role there. False when they have it. Raises
    `StaffRefused`, `holding.NoOwner`."""
    with transaction():
        user, member = _locked(store_id, user_id, actor)
        if role not in STORE_ROLES:
            raise StaffRefused("Choose owner, cashier or viewer.")
        if member.role == role:
            return False
        _keep_an_owner(store_id, user_id)
        before, member.role = member.role, role
        _end_work(store_id, user_id)
        _told(actor, store_id, user, before, role)
        return True


@as_platform
def remove(store_id: int, user_id: int, actor: Actor) -> str:
    """Let somebody work in the store no longer; their log-ins there end at once. Returns their
    name. Raises `StaffRefused`, `holding.NoOwner`."""
    with transaction() as session:
        user, member = _locked(store_id, user_id, actor)
        _keep_an_owner(store_id, user_id)
        session.delete(member)
        _end_work(store_id, user_id)
        _told(actor, store_id, user, member.role, "none")
        return user.name


@inside_use_case
def _locked(store_id: int, user_id: int, actor: Actor) -> tuple[User, Membership]:
    """A member and their row, with the store's people held for one of its owners."""
    holding.hold_for(store_id, actor)
    member = db.session.get(Membership, (user_id, store_id), with_for_update=True)
    if member is None:
        raise NotHere
    return db.session.get_one(User, user_id), member


def _keep_an_owner(store_id: int, user_id: int) -> None:
    """Raises `StaffRefused` when nobody else is an owner of the store."""
    owners = select(Membership.user_id).where(
        Membership.store_id == store_id, Membership.role == "owner"
    )
    if db.session.scalars(owners.with_for_update()).all() == [user_id]:
        raise StaffRefused(
            "This is the only owner of the store. Make somebody else an owner first, then try"
            " again."
        )


def _end_work(store_id: int, user_id: int) -> None:
    """End a person's log-ins in this store, and the links that they made for it."""
    db.session.execute(
        delete(LoginSession).where(
            LoginSession.user_id == user_id, LoginSession.store_id == store_id
        )
    )
    db.session.execute(
        delete(Invitation).where(
            Invitation.made_by == user_id, Invitation.store_id == store_id
        )
    )


def _told(actor: Actor, store_id: int, user: User, before: str, now: str) -> None:
    detail = {"email": user.email, "from": before, "to": now}
    security_events.acted(actor, "set_member", f"store:{store_id}", detail)
