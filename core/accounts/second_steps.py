"""The second step of a log-in: a code of six digits that a person's phone makes (TOTP, RFC 6238),
and ten codes on paper for when the phone is lost.

Decides what a right code is, that each works once, and how often one may be tried. Where a code is
asked for is decided in the edge.
"""

from __future__ import annotations

import hmac
import math
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ForeignKey, Select, delete, select
from sqlalchemy.orm import Mapped, mapped_column

from core.accounts import logins, recovery_codes, security_events
from core.accounts.users import User
from core.audit import Actor
from core.base import clock, sealed, text_input
from core.base.db import Model, db, transaction
from core.base.preconditions import inside_use_case
from core.base.refusal import Refusal
from core.base.tenancy import as_platform

ISSUER = "Makola"
STEP_S = 30
DIGITS = 6
DRIFT = 1
"""Steps that a phone's clock may be early or late."""
TRIES = 10
"""Wrong codes of a person in `WINDOW_S`, of both kinds and from wherever. Who tries them knows the
password, so a limit for each address would be none."""
WINDOW_S = 900


class SecondStep(Model):
    """A person's. It counts once it is confirmed by a first code."""

    __tablename__ = "second_steps"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    secret: Mapped[str]
    """Sealed: see `core.base.sealed`."""
    made_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    last_step: Mapped[int] = mapped_column(default=0)
    """The newest step whose code was taken: that one and all before it are over."""
    tries: Mapped[int] = mapped_column(default=0)
    tries_since: Mapped[datetime]


class CodeRefused(Refusal):
    """A code that was not taken. `wait_s`: when to try again, if it was not looked at."""

    def __init__(self, sentence: str, wait_s: int = 0) -> None:
        super().__init__(sentence)
        self.wait_s = wait_s


@dataclass(frozen=True)
class Standing:
    """What a person's page says. `secret` and `uri` while it is being set up."""

    is_on: bool = False
    since: datetime | None = None
    codes_left: int = 0
    secret: str = ""
    uri: str = ""


@as_platform
def is_on(user_id: int) -> bool:
    """Whether a code is asked for at this person's log-in."""
    return db.session.scalar(_confirmed(user_id)) is not None


@as_platform
def of_people(user_ids: list[int]) -> set[int]:
    """Which of these people have one that counts."""
    rows = select(SecondStep.user_id).where(
        SecondStep.user_id.in_(user_ids), SecondStep.confirmed_at.is_not(None)
    )
    return set(db.session.scalars(rows))


@as_platform
def standing(user: User) -> Standing:
    """How it stands with a person's second step."""
    row = db.session.get(SecondStep, user.id)
    if row is None:
        return Standing()
    if row.confirmed_at is None:
        return _being_set_up(user, row)
    return Standing(True, row.confirmed_at, recovery_codes.how_many(user.id))


@as_platform
def begin(user_id: int, actor: Actor) -> None:
    """Make a secret, which counts for nothing until its first code comes. One that counts stays."""
    import pyotp

    with transaction() as session:
        _hold(user_id)
        row = session.get(SecondStep, user_id)
        if row is not None and row.confirmed_at is not None:
            return
        if row is None:
            row = SecondStep(user_id=user_id, last_step=0, tries=0)
            row.tries_since = clock.now()
            session.add(row)
        row.secret = sealed.seal(pyotp.random_base32(), _purpose(user_id))
        row.made_at = clock.now()
        security_events.acted(actor, "begin_second_step", f"user:{user_id}", {})


@as_platform
def confirm(
    user_id: int, typed: str, actor: Actor, keep: str
) -> tuple[list[str], str | None]:
    """The first code: from now on one is asked for. All other log-ins of the person end, which
    began without.

    Returns the codes for paper, to be shown once, and the new token of the session with the token
    `keep`. Raises `CodeRefused`.
    """
    codes: list[str] = []
    token = None
    with transaction() as session:
        user = _hold(user_id)
        row = session.get(SecondStep, user_id)
        if row is None or row.confirmed_at is not None:
            problem: CodeRefused | None = CodeRefused(
                "There is nothing to confirm any more. Look at the page again."
            )
        else:
            problem = _refuse_many(row) or _try(row, text_input.compact(typed[:100]))
        if row is not None and problem is None:
            row.confirmed_at = clock.now()
            codes = recovery_codes.make(user_id)
            token = logins.end_logins_of(user, keep)
            security_events.acted(actor, "set_second_step", f"user:{user_id}", {})
    if problem is not None:
        raise problem
    return codes, token


@as_platform
def check(user_id: int, typed: str, address: str) -> bool:
    """Take a code of the phone, or one from paper, once. Returns whether it was one from paper.
    Raises `CodeRefused`. `address`: who tries, for the log."""
    digits = text_input.compact(typed[:100])
    was_paper = False
    with transaction() as session:
        _hold(user_id)
        row = session.get(SecondStep, user_id)
        if row is None or row.confirmed_at is None:
            problem: CodeRefused | None = CodeRefused("No code is asked for any more.")
        elif (problem := _refuse_many(row)) is None:
            was_paper = len(digits) > DIGITS and recovery_codes.use_up(user_id, digits)
            problem = None if was_paper else _try(row, digits)
    if problem is not None:
        event = "code_refused" if problem.wait_s else "code_failed"
        security_events.note(event, address, subject=f"user:{user_id}")
        raise problem
    if was_paper:
        security_events.note("recovery_used", address, subject=f"user:{user_id}")
    return was_paper


@as_platform
def renew_codes(user_id: int, actor: Actor) -> list[str]:
    """Ten new codes for paper, to be shown once; those of before open nothing. None without a
    second step."""
    with transaction():
        _hold(user_id)
        if db.session.scalar(_confirmed(user_id)) is None:
            return []
        security_events.acted(actor, "renew_recovery_codes", f"user:{user_id}", {})
        return recovery_codes.make(user_id)


@as_platform
def turn_off(user_id: int, actor: Actor) -> bool:
    """Ask for no code any more: by the person, or by the owner when phone and paper are lost. False
    when none was asked for."""
    with transaction():
        _hold(user_id)
        was_on = db.session.scalar(_confirmed(user_id)) is not None
        forget(user_id)
        if was_on:
            security_events.acted(actor, "end_second_step", f"user:{user_id}", {})
        return was_on


@inside_use_case
def forget(user_id: int) -> None:
    """Nothing of a second step stays."""
    recovery_codes.forget(user_id)
    db.session.execute(delete(SecondStep).where(SecondStep.user_id == user_id))


def _hold(user_id: int) -> User:
    """One try at a time. Read anew: what was read before the lock may be over."""
    person = select(User).where(User.id == user_id).with_for_update(key_share=True)
    user = db.session.scalars(person).one()
    db.session.expire_all()
    return user


def _confirmed(user_id: int) -> Select[int]:
    return select(SecondStep.user_id).where(
        SecondStep.user_id == user_id, SecondStep.confirmed_at.is_not(None)
    )


def _being_set_up(user: User, row: SecondStep) -> Standing:
    import pyotp

    try:
        secret = sealed.unseal(row.secret, _purpose(user.id))
    except sealed.Unreadable:
        return Standing()
    uri = pyotp.TOTP(secret).provisioning_uri(name=user.email, issuer_name=ISSUER)
    return Standing(secret=secret, uri=uri)


def _refuse_many(row: SecondStep) -> CodeRefused | None:
    """What to say to who tried too often."""
    now = clock.now()
    since_s = (now - row.tries_since).total_seconds()
    if since_s >= WINDOW_S:
        row.tries, row.tries_since = 0, now
    if row.tries < TRIES:
        return None
    wait_s = max(1, math.ceil(WINDOW_S - since_s))
    minutes = math.ceil(wait_s / 60)
    wait = "1 minute" if minutes == 1 else f"{minutes} minutes"
    return CodeRefused(f"Too many wrong codes. Wait {wait}, then try again.", wait_s)


def _try(row: SecondStep, digits: str) -> CodeRefused | None:
    """Count one try of a code of the phone. None when it is right, else what to say."""
    import pyotp

    if row.tries == 0:
        row.tries_since = clock.now()
    row.tries += 1
    try:
        made = pyotp.TOTP(sealed.unseal(row.secret, _purpose(row.user_id)))
    except sealed.Unreadable:
        return CodeRefused(
            "Codes of your phone cannot be checked any more. Use a code from paper, or ask the"
            " owner of Makola."
        )
    typed = digits.encode("utf-8", "replace")
    now_step = int(clock.now().timestamp()) // STEP_S
    for step in range(now_step - DRIFT, now_step + DRIFT + 1):
        if not hmac.compare_digest(made.generate_otp(step).encode(), typed):
            continue
        if step <= row.last_step:
            return CodeRefused(
                "This code was used already. Wait for the next one on your phone."
            )
        row.last_step, row.tries = step, row.tries - 1
        row.secret = sealed.seal(made.secret, _purpose(row.user_id))
        return None
    if len(digits) == DIGITS:
        return CodeRefused(
            "That is not the code. Type the one that your phone shows now; its clock must be right."
        )
    return CodeRefused(
        f"Type the {DIGITS} digits that your phone shows, or a whole code from paper."
    )


def _purpose(user_id: int) -> str:
    return f"the second step of {user_id}"
