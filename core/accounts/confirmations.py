"""A person's phone number and e-mail address, and whether they have shown that these are theirs.

Decides how a code is made, how long it is good, how often one may be asked for and tried. How it
reaches the person is decided in `core.base.messages`.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta

from sqlalchemy import CheckConstraint, ForeignKey, Index, delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from core import audit
from core.accounts import security_events
from core.accounts.users import Membership, User
from core.audit import Actor, AuditLine
from core.base import clock, config, messages, text_input
from core.base.db import Model, db, transaction
from core.base.messages import Kind
from core.base.preconditions import inside_use_case
from core.base.refusal import Refusal
from core.base.tenancy import as_platform
from core.stores import Store

DIGITS = 6
_DAY = timedelta(days=1)
_TRIED = "That code was tried too often, so it is none any more. Ask for a new one."
_OVER = "There is no code to type any more. Ask for a new one."
_ELSEWHERE = "This {what} belongs to another log-in already. Log in with that one, or use another."
NAMES: dict[Kind, str] = {"phone": "phone number", "email": "e-mail address"}


class CodeRefused(Refusal):
    """A code, or an address to send one to, that was not taken. `sentence` says what to do."""


class Confirmation(Model):
    """One address of a person. `code_hash` is of the code that is on its way, if any."""

    __tablename__ = "confirmations"
    __table_args__ = (
        CheckConstraint("kind IN ('phone', 'email')", name="kind"),
        Index(
            "uq_confirmations_address",
            "kind",
            "address",
            unique=True,
            postgresql_where=text("confirmed_at IS NOT NULL"),
        ),
    )

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    address: Mapped[str]
    """A number in E.164, or an e-mail address as `users.plain_email` spells it."""
    code_hash: Mapped[str | None]
    sent_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(default=0)
    sends: Mapped[int] = mapped_column(default=0)
    """Codes asked for since `sends_since`, whatever the address was."""
    sends_since: Mapped[datetime | None]
    confirmed_at: Mapped[datetime | None]

    @property
    def is_sent(self) -> bool:
        """Whether a code is on its way that may be typed."""
        until = self.expires_at
        return self.code_hash is not None and until is not None and clock.now() < until


@as_platform
def of_person(user_id: int, kind: Kind) -> Confirmation | None:
    """A person's address of this kind, if they gave one."""
    return db.session.get(Confirmation, (user_id, kind))


@inside_use_case
def give(user_id: int, kind: Kind, address: str) -> None:
    """Keep an address of a new person, which is not confirmed."""
    db.session.add(Confirmation(user_id=user_id, kind=kind, address=address))


@inside_use_case
def forget(user_id: int) -> None:
    """Forget every address of a person."""
    db.session.execute(delete(Confirmation).where(Confirmation.user_id == user_id))


@as_platform
def send(user_id: int, kind: Kind, address: str, actor: Actor) -> None:
    """Send a code of six digits to an address, which is the person's own from now on. The code of
    before is none any more. Raises `CodeRefused`, `messages.NotSent`."""
    if not messages.can_send():
        raise messages.NotSent(
            "Codes cannot be sent here yet. Ask the owner of Makola to open your store."
        )
    code = f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
    with transaction():
        row = _locked(user_id, kind, address)
        _judge(row)
        _begin(row, address, code)
        security_events.acted(actor, f"send_code_{kind}", f"user:{user_id}", {})
    minutes = config.current().code_s // 60
    said = f"{code} is your Makola code. It is good for {minutes} minutes. Tell it to nobody."
    messages.send(kind, address, said)


@as_platform
def confirm(user_id: int, kind: Kind, typed: str, actor: Actor) -> None:
    """Take the code that was sent: once, and while it is good. A number becomes that of the
    person's stores that were never open. Raises `CodeRefused`."""
    digits = text_input.compact(typed[:100])
    try:
        with transaction():
            row = db.session.get(Confirmation, (user_id, kind), with_for_update=True)
            problem = _try(row, digits)
            if row is not None and problem is None:
                row.code_hash = None
                row.confirmed_at = clock.now()
                # here, where another's equal address is found out
                db.session.flush()
                security_events.acted(actor, f"confirm_{kind}", f"user:{user_id}", {})
                if kind == "phone":
                    _give_to_stores(user_id, row.address, actor)
    except IntegrityError:
        problem = _ELSEWHERE.format(what=NAMES[kind])
    if problem is not None:
        raise CodeRefused(problem)


def _give_to_stores(user_id: int, number: str, actor: Actor) -> None:
    """Let customers write and pay to what is confirmed, in the stores that a person signed up with
    and that were never open: what they typed then may be somebody else's."""
    opened = select(AuditLine.id).where(
        AuditLine.action == "store_open",
        AuditLine.subject == func.concat("store:", Store.id),
    )
    own = (
        select(Store)
        .join(Membership, Membership.store_id == Store.id)
        .where(Membership.user_id == user_id, Membership.role == "owner")
        .where(Store.asked_at.is_not(None), Store.status != "open", ~opened.exists())
        .order_by(Store.id)
        .with_for_update(of=Store)
    )
    for store in db.session.scalars(own).all():
        if (store.whatsapp, store.momo_number) == (number, number):
            continue
        store.whatsapp = store.momo_number = number
        store.version += 1
        audit.write(actor, "store_numbers", f"store:{store.id}", {"number": number})


def _locked(user_id: int, kind: Kind, address: str) -> Confirmation:
    """The row, made where there is none. The person's row is locked first: they may be removed at
    this moment."""
    person = select(User.id).where(User.id == user_id, User.removed_at.is_(None))
    db.session.execute(person.with_for_update(read=True)).one()
    made = insert(Confirmation).values(
        user_id=user_id, kind=kind, address=address, tries=0, sends=0
    )
    db.session.execute(made.on_conflict_do_nothing())
    return db.session.get_one(Confirmation, (user_id, kind), with_for_update=True)


def _judge(row: Confirmation) -> None:
    """Raises `CodeRefused` when no further code may be asked for."""
    settings, now = config.current(), clock.now()
    if row.confirmed_at is not None:
        raise CodeRefused(f"Your {NAMES[_kind(row)]} is confirmed already.")
    if row.sends_since is None or now - row.sends_since >= _DAY:
        row.sends, row.sends_since = 0, now
    if row.sends >= settings.codes_a_day:
        at = (row.sends_since + _DAY).astimezone(clock.ACCRA)
        raise CodeRefused(
            f"{settings.codes_a_day} codes were sent in a day. Ask again after {at:%H:%M}."
        )
    if row.sent_at is not None:
        wait_s = settings.code_gap_s - int((now - row.sent_at).total_seconds())
        if wait_s > 0:
            raise CodeRefused(
                f"A code was sent just now. Wait {wait_s} s before you ask for another."
            )


def _begin(row: Confirmation, address: str, code: str) -> None:
    now = clock.now()
    row.address, row.sent_at, row.tries = address, now, 0
    row.expires_at = now + timedelta(seconds=config.current().code_s)
    row.code_hash = _hash(row, code, config.current().secret_key)
    row.sends += 1


def _try(row: Confirmation | None, digits: str) -> str | None:
    """Count one try. None when it is the code, else what to say."""
    if row is not None and row.confirmed_at is not None:
        return f"Your {NAMES[_kind(row)]} is confirmed already."
    if row is None or row.code_hash is None or not row.is_sent:
        return _OVER
    if len(digits) != DIGITS or not digits.isdecimal():
        return f"Type the {DIGITS} digits of the code, like 012345."
    row.tries += 1
    keys = config.current().signing_keys
    if any(hmac.compare_digest(_hash(row, digits, key), row.code_hash) for key in keys):
        return None
    left = config.current().code_tries - row.tries
    if left <= 0:
        row.code_hash = None
        return _TRIED
    more = "1 more try" if left == 1 else f"{left} more tries"
    return f"That is not the code. Check it in the message: {more}."


def _hash(row: Confirmation, code: str, secret_key: str) -> str:
    """Keyed, since a million codes are tried in a second."""
    said = f"makola.code/{row.user_id}/{row.kind}/{row.address}/{code}"
    return hmac.new(secret_key.encode(), said.encode(), hashlib.sha256).hexdigest()


def _kind(row: Confirmation) -> Kind:
    return "phone" if row.kind == "phone" else "email"
