"""Signing up: a person and their store, made at once by somebody whom nobody knows yet.

Decides what must be typed and what is made of it: a log-in, an address, and a store that is closed,
with prices by rule. Whether the store may be opened is decided in `onboarding`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from core import audit, onboarding, slug_choice, stores, subdomains
from core.accounts import confirmations, people, users
from core.accounts.users import User
from core.audit import Actor
from core.base import clock, config, passwords, phones, tenancy
from core.base.db import db, transaction
from core.base.refusal import Refusal
from core.base.text_input import one_line
from core.stores import Store

LONGEST_TYPED = 300
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Typed:
    """The form as it was typed, each field on one line; the password is never shown again."""

    name: str = ""
    phone: str = ""
    email: str = ""
    password: str = ""
    store_name: str = ""
    slug: str = ""
    terms: bool = False


@dataclass(frozen=True)
class Wanted:
    """What may be made. `email` is empty for who logs in with the phone number."""

    name: str
    phone: str
    email: str
    password: str
    store_name: str
    slug: str

    @property
    def log_in(self) -> str:
        return self.email or self.phone


@dataclass(frozen=True)
class Made:
    user: User
    store: Store


class Problems(Refusal):
    """Fields that cannot be taken. `by_field`: the name of each, with its sentence."""

    def __init__(self, by_field: dict[str, str]) -> None:
        super().__init__("Please check what you typed.")
        self.by_field = by_field


class Taken(Problems):
    """Somebody has this log-in, or this address, already."""


class Full(Refusal):
    """Nobody may sign up now."""

    sentence = (
        "Nobody can sign up just now. Try again tomorrow, or ask the owner of Makola."
    )


def read(typed: Typed) -> Wanted:
    """What was typed, as it may be made. Raises `Problems` with every field that is wrong. Whether
    the address is somebody's is asked when all else is right: that tells, and is counted."""
    problems: dict[str, str] = {}

    def taken(field: str, made: Callable[[], str]) -> str:
        try:
            return made()
        except Refusal as refusal:
            problems[field] = refusal.sentence
            return ""

    name = taken("name", lambda: people.check_name(typed.name))
    phone = taken("phone", lambda: _phone(typed.phone))
    email = taken("email", lambda: _email(typed.email))
    store_name = taken("store_name", lambda: stores.check_name(typed.store_name))
    own = (typed.name, typed.phone, phone, email, email.partition("@")[0])
    password = taken(
        "password",
        lambda: passwords.check(
            typed.password,
            shortest=passwords.SHORTEST,
            own=(*own, typed.store_name, typed.slug),
        ),
    )
    if config.current().terms_url and not typed.terms:
        problems["terms"] = "Read the terms and tick that you agree to them."
    slug = "" if problems else taken("slug", lambda: _slug(typed))
    if problems:
        raise Problems(problems)
    return Wanted(name, phone, email, password, store_name, slug)


def slug_of(typed: str, store_name: str) -> str:
    """The address that was typed, or one of the store's name, when it may be had. Raises
    `BadStore`."""
    slug = typed or subdomains.of_name(store_name)
    if not slug:
        raise subdomains.BadStore("Type an address for your store, like ama-data.")
    return slug_choice.check(slug)


def sign_up(wanted: Wanted) -> Made:
    """A person, and their store: closed, with its accounts and prices, in one transaction. Raises
    `Full`, `Taken`, `hashing.Busy`."""
    settings, now = config.current(), clock.now()
    try:
        # a store that is being made has no walls yet within which it could be made
        with tenancy.across_stores(), transaction():
            _refuse_too_many()
            user = users.add(wanted.log_in, wanted.name, wanted.password)
            actor = Actor("agent", user.name, user.id)
            confirmations.give(user.id, "phone", wanted.phone)
            if wanted.email:
                confirmations.give(user.id, "email", wanted.email)
            audit.write(actor, "sign_up", f"user:{user.id}")
            slug_choice.hold()
            slug_choice.check(wanted.slug)
            store = onboarding.make_store(
                user,
                actor,
                slug=wanted.slug,
                name=wanted.store_name,
                colour=stores.DEFAULT_COLOUR,
                whatsapp=wanted.phone,
                momo_number=wanted.phone,
                momo_name=wanted.name,
                status="closed",
                approval="approved" if settings.approve_by_itself else "waiting",
                asked_at=now,
                terms_at=now if settings.terms_url else None,
            )
            return Made(user, store)
    except subdomains.BadStore as refusal:
        raise Taken({"slug": refusal.sentence}) from None
    except IntegrityError as error:
        if "uq_users" in str(error.orig):
            raise _log_in_taken(wanted) from None
        said = f"The address {wanted.slug} was taken just now. Choose another."
        raise Taken({"slug": said}) from None


def made_by(typed: Typed) -> Made | None:
    """What the same form made, a moment ago or long since: the person with its log-in, who has a
    store at its address. Whether they have typed it is theirs to prove, by the password."""
    user = users.by_email(typed.email or typed.phone)
    if user is None:
        return None
    slug = typed.slug or subdomains.of_name(typed.store_name)
    for membership, store in users.memberships_of(user):
        if store.slug == slug and membership.role == "owner":
            return Made(user, store)
    return None


def _refuse_too_many() -> None:
    """Raises `Full` once as many stores were made so in a day as the setting allows and the owner
    has said neither yes nor no to them: forms that somebody sends by the hundred are answered with
    a no, and the next may sign up. Of two at the same moment both may be let in."""
    most = config.current().sign_ups_a_day
    unanswered = select(func.count()).where(
        Store.asked_at > clock.now() - _DAY,
        Store.approval != "refused",
        Store.approved_at.is_(None),
    )
    if not most or (db.session.scalar(unanswered) or 0) >= most:
        raise Full


def _log_in_taken(wanted: Wanted) -> Taken:
    field = "email" if wanted.email else "phone"
    what = "e-mail address" if wanted.email else "phone number"
    return Taken(
        {
            field: f"There is a log-in with this {what} already. Log in with it, or use"
            " another."
        }
    )


def _slug(typed: Typed) -> str:
    return slug_of(typed.slug, typed.store_name)


def _phone(typed: str) -> str:
    if not one_line(typed):
        raise phones.BadNumber("Type your phone number, %(example)s.")
    return phones.parse(typed)


def _email(typed: str) -> str:
    return people.check_email(typed) if typed.strip() else ""
