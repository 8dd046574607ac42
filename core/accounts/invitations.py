"""Links by which people come to work in a store, as its owner invites them.

Decides how long a link works, that it works once, how many may be open, and who it lets in: whoever
has it, with a log-in of theirs or a new one. How it reaches them is up to the owner.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import CheckConstraint, ForeignKey, delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from core import audit
from core.accounts import confirmations, holding, people, security_events, users
from core.accounts.users import Membership, User
from core.audit import Actor
from core.base import clock, config, passwords, phones
from core.base.db import Model, db, rows_changed, transaction
from core.base.messages import Kind
from core.base.preconditions import inside_use_case
from core.base.refusal import Refusal
from core.base.tenancy import as_platform
from core.base.text_input import one_line
from core.stores import Store

MOST_PEOPLE = 30
"""Of a store, those invited counted."""


class Invitation(Model):
    """A link that nobody has used yet. Only a hash of its secret is kept."""

    __tablename__ = "invitations"
    __table_args__ = (
        CheckConstraint("role IN ('owner', 'cashier', 'viewer')", name="role"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    store_id: Mapped[int] = mapped_column(ForeignKey("stores.id"))
    token_hash: Mapped[str] = mapped_column(unique=True)
    role: Mapped[str]
    name: Mapped[str]
    address: Mapped[str]
    """A number in E.164 or an e-mail address, to send the link to; or empty."""
    made_by: Mapped[int] = mapped_column(ForeignKey("users.id"))
    made_at: Mapped[datetime]
    expires_at: Mapped[datetime]


_ITS_MAKER = holding.owns(Invitation.made_by, Invitation.store_id)
"""A link works while its maker is an owner of the store, whoever ended that."""


@dataclass(frozen=True)
class Made:
    """A new link, to be shown once."""

    url: str
    invitation: Invitation


@dataclass(frozen=True)
class Asked:
    """What a link leads to."""

    invitation: Invitation
    store: Store
    by: str
    """The name of who invites."""


class Problems(Refusal):
    """Fields that cannot be taken. `by_field`: the name of each, with its sentence."""

    def __init__(self, by_field: dict[str, str]) -> None:
        super().__init__("Please check what you typed.")
        self.by_field = by_field


class Taken(Problems):
    """Somebody has this log-in already."""


class Gone(Refusal):
    """The link was used, taken back, is too old or never was."""

    sentence = (
        "This invitation does not work any more: it works once, and for a short time. Ask the"
        " store’s owner for a new one."
    )


class Inside(Refusal):
    """Who works in the store already needs no link, and a link changes no role."""

    def __init__(self, role: str) -> None:
        super().__init__(
            f"You work in this store already, as its {role}. An owner of the store may change"
            " your role."
        )


@as_platform
def make(store_id: int, name: str, address: str, role: str, actor: Actor) -> Made:
    """A new link into a store. `address`: a phone number, an e-mail address, or empty. Raises
    `Problems`, `holding.NoOwner`."""
    name, address = _read(name, address, role)
    token = secrets.token_urlsafe(32)
    now, settings = clock.now(), config.current()
    with transaction() as session:
        holding.hold_for(store_id, actor)
        session.execute(delete(Invitation).where(Invitation.expires_at <= now))
        if _how_many(store_id) >= MOST_PEOPLE:
            raise Problems(
                {
                    "name": f"A store has at most {MOST_PEOPLE} people, those invited counted."
                    " Remove somebody, or take an invitation back."
                }
            )
        invitation = Invitation(store_id=store_id, role=role, name=name)
        invitation.token_hash, invitation.address = _hash(token), address
        invitation.made_by, invitation.made_at = actor.user_id or 0, now
        invitation.expires_at = now + timedelta(seconds=settings.invitation_s)
        session.add(invitation)
        detail = {"name": name, "role": role}
        security_events.acted(actor, "invite_member", f"store:{store_id}", detail)
    return Made(f"{settings.address('portal')}/join/{token}", invitation)


@as_platform
def open_of(store_id: int) -> list[Invitation]:
    """The links of a store that still work, the newest first."""
    rows = (
        select(Invitation)
        .join(Membership, _ITS_MAKER)
        .where(Invitation.store_id == store_id, Invitation.expires_at > clock.now())
        .order_by(Invitation.id.desc())
        .limit(MOST_PEOPLE)
    )
    return list(db.session.scalars(rows))


@as_platform
def withdraw(store_id: int, invitation_id: int, actor: Actor) -> bool:
    """Take a link back. False when there is none such in this store, or not any more. Raises
    `holding.NoOwner`."""
    with transaction() as session:
        holding.hold_for(store_id, actor)
        mine = (Invitation.id == invitation_id, Invitation.store_id == store_id)
        gone = session.execute(
            delete(Invitation).where(*mine).returning(Invitation.name)
        ).scalar_one_or_none()
        if gone is None:
            return False
        detail = {"name": gone}
        security_events.acted(actor, "withdraw_invitation", f"store:{store_id}", detail)
        return True


@as_platform
def asked(token: str) -> Asked:
    """What a link leads to. Looking does not use it up. Raises `Gone`."""
    row = db.session.execute(
        select(Invitation, Store, User.name)
        .join(Store, Store.id == Invitation.store_id)
        .join(User, User.id == Invitation.made_by)
        .join(Membership, _ITS_MAKER)
        .where(
            Invitation.token_hash == _hash(token), Invitation.expires_at > clock.now()
        )
    ).one_or_none()
    if row is None:
        raise Gone
    return Asked(*row)


@as_platform
def join(token: str, user_id: int) -> Store:
    """Somebody with a log-in comes to work in the store. Raises `Gone`, `Inside`,
    `people.PersonRefused`."""
    with transaction():
        user = people.locked(user_id)
        return _let_in(token, user)


@as_platform
def join_anew(token: str, name: str, log_in: str, password: str) -> tuple[User, Store]:
    """Somebody without a log-in gets one, and comes to work in the store. Raises `Gone`,
    `Problems`, `hashing.Busy`."""
    store = asked(token).store
    name, log_in = _checked(name, log_in, password, store)
    try:
        with transaction():
            user = users.add(log_in, name, password)
            actor = Actor("agent", user.name, user.id)
            kind: Kind = "email" if "@" in log_in else "phone"
            confirmations.give(user.id, kind, log_in)
            # nobody has shown that this address is theirs: see `unproven`
            audit.write(actor, "sign_up", f"user:{user.id}")
            return user, _let_in(token, user)
    except IntegrityError:
        raise Taken(
            {
                "log_in": "There is a log-in with this already. Log in with it, then open the"
                " invitation again."
            }
        ) from None


@as_platform
def prune() -> int:
    """Delete links that are too old. Returns how many."""
    old = delete(Invitation).where(Invitation.expires_at <= clock.now())
    with transaction():
        return rows_changed(old)


@inside_use_case
def _let_in(token: str, user: User) -> Store:
    """Use the link up."""
    found = asked(token)
    holding.hold(found.store.id)
    used = delete(Invitation).where(Invitation.token_hash == _hash(token))
    before = db.session.get(Membership, (user.id, found.store.id))
    if before is not None:
        raise Inside(before.role)
    # of two at once the second finds none to delete
    if rows_changed(used) != 1:
        raise Gone
    role = found.invitation.role
    db.session.add(Membership(user_id=user.id, store_id=found.store.id, role=role))
    actor = Actor("agent", user.name, user.id)
    detail = {"email": user.email, "role": role, "invited_by": found.by}
    security_events.acted(actor, "join_store", f"store:{found.store.id}", detail)
    return found.store


def _how_many(store_id: int) -> int:
    inside, invited = (
        select(func.count()).select_from(table).where(table.store_id == store_id)
        for table in (Membership, Invitation)
    )
    return (db.session.scalar(inside) or 0) + (db.session.scalar(invited) or 0)


def _read(name: str, address: str, role: str) -> tuple[str, str]:
    """Name and address as they are kept. Raises `Problems` with every field that is wrong."""
    problems: dict[str, str] = {}
    name = _taken(problems, "name", lambda: people.check_name(one_line(name)))
    if address.strip():
        address = _taken(problems, "address", lambda: log_in_of(address))
    if role not in people.STORE_ROLES:
        problems["role"] = "Choose owner, cashier or viewer."
    if problems:
        raise Problems(problems)
    return name, address.strip()


def _checked(name: str, log_in: str, password: str, store: Store) -> tuple[str, str]:
    """Name and log-in of a new person as they are kept. Raises `Problems`."""
    problems: dict[str, str] = {}
    name = _taken(problems, "name", lambda: people.check_name(one_line(name)))
    log_in = _taken(problems, "log_in", lambda: log_in_of(log_in))
    own = (name, log_in, log_in.partition("@")[0], store.name, store.slug)
    chosen = partial(passwords.check, password, shortest=passwords.SHORTEST, own=own)
    _taken(problems, "password", chosen)
    if problems:
        raise Problems(problems)
    return name, log_in


def _taken(problems: dict[str, str], field: str, made: Callable[[], str]) -> str:
    try:
        return made()
    except Refusal as refusal:
        problems[field] = refusal.sentence
        return ""


def log_in_of(typed: str) -> str:
    """An e-mail address or a phone number, as one logs in with it. Raises `Refusal`."""
    if "@" in typed:
        return people.check_email(typed)
    if not any(sign.isdecimal() for sign in typed):
        raise Refusal(
            "Type the whole e-mail address, like ama@example.com, or the phone number, like"
            " 024 123 4567."
        )
    return phones.parse(typed)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
