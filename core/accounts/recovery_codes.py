"""Codes on paper for who has lost the phone that makes the codes of their second step.

Decides how they are made and read, and that each works once. How often one may be tried is decided
in `second_steps`.
"""

from __future__ import annotations

import hashlib
import secrets

from sqlalchemy import ForeignKey, delete, func, select
from sqlalchemy.orm import Mapped, mapped_column

from core.base.db import Model, db, rows_changed
from core.base.preconditions import inside_use_case

HOW_MANY = 10
_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LENGTH = 16
_READ_AS = str.maketrans("OIL", "011", "-\N{EN DASH}\N{EM DASH}")


class RecoveryCode(Model):
    """One code on paper that was not used yet. Only a hash of it is kept."""

    __tablename__ = "recovery_codes"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    code_hash: Mapped[str] = mapped_column(primary_key=True)


@inside_use_case
def use_up(user_id: int, typed: str) -> bool:
    """Whether this is one of the person's, which is none any more then."""
    mine = RecoveryCode.user_id == user_id
    used = RecoveryCode.code_hash == _hash(user_id, typed)
    return rows_changed(delete(RecoveryCode).where(mine, used)) == 1


@inside_use_case
def make(user_id: int) -> list[str]:
    """New ones, to be shown once; those of before are none any more."""
    forget(user_id)
    codes = []
    for _ in range(HOW_MANY):
        letters = "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))
        codes.append("-".join(letters[at : at + 4] for at in range(0, len(letters), 4)))
        row = RecoveryCode(user_id=user_id, code_hash=_hash(user_id, codes[-1]))
        db.session.add(row)
    return codes


def _hash(user_id: int, code: str) -> str:
    """However it is typed. Not keyed: it has 80 random bits, and stands on paper longer than a key
    lives."""
    plain = code.upper().translate(_READ_AS)
    said = f"makola.recovery/{user_id}/{plain}"
    return hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()


@inside_use_case
def forget(user_id: int) -> None:
    """None of the person's works any more."""
    db.session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))


def how_many(user_id: int) -> int:
    """How many were not used yet."""
    mine = select(func.count()).where(RecoveryCode.user_id == user_id)
    return db.session.scalar(mine) or 0
