"""Which browsers are known: those in which a person has logged in before, at that door.

Decides how long a device is known and counts its own wrong tries. What knowing it is good for is
decided in `guessing`.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ForeignKey, case, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from core.base import clock
from core.base.db import Model, db, rows_changed
from core.base.preconditions import inside_use_case

# People's and guessers' time is never scaled.
WINDOW_S = 900
"""Counts of wrong tries begin anew this long after the first of them."""
TRIES = 10
"""Wrong passwords from a known device; it is judged by its own tries alone."""
KEPT_S = 180 * 86_400
"""A device that was not used for so long is forgotten."""
OF_PERSON = 20
"""Known devices of one person at one door; the one used longest ago is forgotten first."""


class KnownDevice(Model):
    """A browser in which this person has logged in at this door. Only a hash of its token is
    kept."""

    __tablename__ = "known_devices"

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(
        ForeignKey("users.id"), primary_key=True, index=True
    )
    door: Mapped[str] = mapped_column(primary_key=True)
    seen_at: Mapped[datetime]
    since: Mapped[datetime]
    tries: Mapped[int]


@dataclass(frozen=True)
class Place:
    """Where a log-in is tried from: the address key, the door, and the token this browser was
    given, if any."""

    address: str
    door: str
    device: str | None = None


@inside_use_case
def remember(user_id: int, place: Place) -> str:
    """Know this browser from now on. Returns the token that its cookie must carry.

    A token that nobody was given here is never taken over, so that none can be planted.
    """
    now = clock.now()
    token = (
        place.device
        if place.device and _was_given(place)
        else secrets.token_urlsafe(32)
    )
    values = {"token_hash": hash_of(token), "user_id": user_id, "door": place.door}
    fresh = {"seen_at": now, "since": now, "tries": 0}
    db.session.execute(
        insert(KnownDevice)
        .values(**values, **fresh)
        .on_conflict_do_update(
            index_elements=["token_hash", "user_id", "door"], set_=fresh
        )
    )
    mine = (KnownDevice.user_id == user_id, KnownDevice.door == place.door)
    newest = (
        select(KnownDevice.token_hash)
        .where(*mine)
        .order_by(KnownDevice.seen_at.desc())
        .limit(OF_PERSON)
    )
    db.session.execute(
        delete(KnownDevice).where(*mine, KnownDevice.token_hash.not_in(newest))
    )
    return token


@inside_use_case
def forget(user_id: int) -> None:
    """No device of this person is known any more, at either door."""
    db.session.execute(delete(KnownDevice).where(KnownDevice.user_id == user_id))


def is_known(user_id: int, place: Place) -> bool:
    """Whether the place's token is one that this person was given at this door. Only looks."""
    if not place.device:
        return False
    found = select(KnownDevice.seen_at).where(
        KnownDevice.token_hash == hash_of(place.device),
        KnownDevice.user_id == user_id,
        KnownDevice.door == place.door,
    )
    seen_at = db.session.scalar(found)
    return seen_at is not None and seen_at > clock.now() - timedelta(seconds=KEPT_S)


@inside_use_case
def take(user_id: int, place: Place) -> Any:
    """Count a try of a known device, and return its `tries` and since when they count.

    None when the device is not known for this person at this door.
    """
    if not place.device:
        return None
    now = clock.now()
    is_over = KnownDevice.since <= now - timedelta(seconds=WINDOW_S)
    row = db.session.execute(
        _device(user_id, place)
        .values(
            tries=case((is_over, 1), else_=KnownDevice.tries + 1),
            since=case((is_over, now), else_=KnownDevice.since),
        )
        .returning(KnownDevice.tries, KnownDevice.since, KnownDevice.seen_at)
    ).first()
    is_known = row is not None and row.seen_at > now - timedelta(seconds=KEPT_S)
    return row if is_known else None


@inside_use_case
def give_back(user_id: int, place: Place, *, right: bool) -> None:
    """Undo the count of one try of a known device. With `right`, the password fitted: its count
    goes back to 0."""
    tries = 0 if right else func.greatest(KnownDevice.tries - 1, 0)
    db.session.execute(_device(user_id, place).values(tries=tries))


@inside_use_case
def prune() -> int:
    """Delete devices not used for long. Returns how many."""
    unused = KnownDevice.seen_at <= clock.now() - timedelta(seconds=KEPT_S)
    return rows_changed(delete(KnownDevice).where(unused))


def _device(user_id: int, place: Place) -> Any:
    return update(KnownDevice).where(
        KnownDevice.token_hash == hash_of(place.device or ""),
        KnownDevice.user_id == user_id,
        KnownDevice.door == place.door,
    )


def _was_given(place: Place) -> bool:
    given = select(KnownDevice.user_id).where(
        KnownDevice.token_hash == hash_of(place.device or ""),
        KnownDevice.door == place.door,
    )
    return db.session.scalar(given.limit(1)) is not None


def hash_of(text: str) -> str:
    """What is kept of a token, an e-mail or an address."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
