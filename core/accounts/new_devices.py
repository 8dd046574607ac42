"""Log-ins from a device that their person was not seen on before: told to them, in every other
log-in of theirs and by a message.

Decides what is new, to whom it is shown and how often a message is sent. Opens and shuts nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import ColumnElement, ForeignKey, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from core.accounts import devices
from core.accounts.confirmations import Confirmation
from core.accounts.devices import KnownDevice, Place, hash_of
from core.accounts.users import User
from core.base import clock, config, messages
from core.base.db import Model, db, rows_changed, transaction
from core.base.messages import Kind
from core.base.preconditions import inside_use_case
from core.base.tenancy import as_platform

OF_PERSON = 20
"""Told at most; the oldest is forgotten first."""
MESSAGES_A_DAY = 3
"""To one person: who knows a password must not be able to send them hundreds."""
KEPT_S = 30 * 86_400
"""Nobody is told of a log-in that is older."""

log = structlog.get_logger("security")


class NewDevice(Model):
    """A log-in from a device that was new, until its person has said that they saw it."""

    __tablename__ = "new_devices"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    device_hash: Mapped[str] = mapped_column(primary_key=True)
    """Of the device's token, as in `devices`: that device itself is not asked."""
    door: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    device: Mapped[str]
    """The browser in words, or empty."""
    seen_from: Mapped[str]
    """The address that it came from."""


@dataclass(frozen=True)
class Message:
    """What is sent to a person, and where."""

    kind: Kind
    address: str
    text: str


def is_new(user: User, place: Place) -> bool:
    """Whether a log-in from here is news to its person. The very first of an account is not."""
    if devices.is_known(user.id, place):
        return False
    known = select(KnownDevice.user_id).where(KnownDevice.user_id == user.id).limit(1)
    return user.access_no > 0 or db.session.scalar(known) is not None


@inside_use_case
def note(user: User, place: Place, token: str, device: str) -> Message | None:
    """Tell the person of it. Returns what to send them, once the use case is over. `token` is that
    of the device now."""
    now = clock.now()
    own = {"user_id": user.id, "device_hash": hash_of(token), "door": place.door}
    fresh = {"at": now, "device": device, "seen_from": place.address}
    db.session.execute(
        insert(NewDevice)
        .values(**own, **fresh)
        .on_conflict_do_update(
            index_elements=["user_id", "device_hash", "door"], set_=fresh
        )
    )
    mine = NewDevice.user_id == user.id
    newest = select(NewDevice.device_hash).where(mine).order_by(NewDevice.at.desc())
    db.session.execute(
        delete(NewDevice).where(
            mine, NewDevice.device_hash.not_in(newest.limit(OF_PERSON))
        )
    )
    day = select(func.count()).where(mine, NewDevice.at > now - timedelta(days=1))
    if (db.session.scalar(day) or 0) > MESSAGES_A_DAY:
        return None
    return _message(user, place, device, now)


def send(message: Message) -> None:
    """Hand it on, with no use case open. One that cannot be sent is a line of the log: the pages
    say it too."""
    try:
        messages.send(message.kind, message.address, message.text)
    except messages.NotSent:
        log.warning("a new device could not be told of", kind=message.kind)


@as_platform
def told(user_id: int, device: str | None) -> list[NewDevice]:
    """What a person is told on the device with this token, the newest first."""
    rows = select(NewDevice).where(_others(user_id, device))
    newest = rows.order_by(NewDevice.at.desc()).limit(OF_PERSON)
    return list(db.session.scalars(newest))


@as_platform
def seen(user_id: int, device: str | None) -> None:
    """The person has seen what this device tells."""
    with transaction() as session:
        session.execute(delete(NewDevice).where(_others(user_id, device)))


@as_platform
def prune() -> int:
    """Delete what is too old to tell. Returns how many."""
    old = NewDevice.at <= clock.now() - timedelta(seconds=KEPT_S)
    with transaction():
        return rows_changed(delete(NewDevice).where(old))


@inside_use_case
def forget(user_id: int) -> None:
    """Nothing is told to this person any more."""
    db.session.execute(delete(NewDevice).where(NewDevice.user_id == user_id))


def _others(user_id: int, device: str | None) -> ColumnElement[bool]:
    """Of this person, and not the device itself: a thief would say that they saw it."""
    return (NewDevice.user_id == user_id) & (
        NewDevice.device_hash != hash_of(device or "")
    )


def _message(user: User, place: Place, device: str, now: datetime) -> Message | None:
    """To an address that is surely theirs: by SMS sooner than by e-mail."""
    confirmed = (
        select(Confirmation)
        .where(Confirmation.user_id == user.id, Confirmation.confirmed_at.is_not(None))
        .order_by(Confirmation.kind.desc())
        .limit(1)
    )
    row = db.session.scalar(confirmed)
    if row is None or not messages.can_send():
        return None
    label = "admin" if place.door == "console" else "portal"
    page = f"{config.current().address(label)}/account/sessions"
    text = (
        f"New log-in to Makola: {device or 'a device'}, {now.astimezone(clock.ACCRA):%d %b %H:%M}."
        f" Was it not you? Log it out and change your password: {page}"
    )
    return Message("phone" if row.kind == "phone" else "email", row.address, text)
