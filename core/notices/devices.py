"""Which devices are told of a store's notices, and of what: each a browser in which one of the
store's people switched them on.

Decides which addresses a notice may go to at all: those of the push services that the settings
name, over TLS. What stands here of a device comes from a browser, so it is checked; what a device
is told is `sending`'s.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from datetime import datetime
from urllib.parse import urlsplit

from sqlalchemy import ARRAY, ForeignKey, Index, Text, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from core import audit, outbox
from core.audit import Actor
from core.base import clock, config, tenancy
from core.base.db import Model, db, transaction
from core.base.locks import Lock
from core.base.preconditions import inside_use_case
from core.base.refusal import Refusal
from core.base.tenancy import StoreScoped
from core.notices.kinds import KINDS

MOST = 5
"""Devices of one person in one store."""
LONGEST_ENDPOINT = 1_000
_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")
"""A name as it stands in DNS. Another one is no name to look up, and `*.` would let it pass."""
_LONGEST_HOST = 253
_POINT_BYTES = 65
_AUTH_BYTES = 16


class BadDevice(Refusal):
    """What a browser sent is no address for notices, or one too many."""

    sentence = (
        "This browser’s address for notices cannot be used. Switch notices off in the browser’s"
        " settings for this page, then on again."
    )


class NoSuchDevice(Refusal):
    """No device of this id among one's own in this store."""

    sentence = "There is no such device of yours."


class PushDevice(Model, StoreScoped):
    __tablename__ = "push_devices"
    __table_args__ = (
        Index("uq_push_devices_endpoint", "store_id", "endpoint", unique=True),
        Index("ix_push_devices_person", "store_id", "user_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    access_no: Mapped[int]
    """Of the log-in that switched it on: see `logins.end_logins_of`."""
    endpoint: Mapped[str]
    p256dh: Mapped[str]
    auth: Mapped[str]
    """Address, public key and secret of the browser (RFC 8030, 8291); keys in base64url."""
    name: Mapped[str]
    kinds: Mapped[list[str]] = mapped_column(ARRAY(Text))
    made_at: Mapped[datetime] = mapped_column(default=clock.now)
    notified_until: Mapped[datetime]
    """What happened up to this moment was told, or was none."""
    sent_at: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(default=0)
    """Times in a row that the push service did not take a notice."""

    @property
    def mark(self) -> str:
        """By which a browser knows itself in a list of devices."""
        return hashlib.sha256(self.endpoint.encode()).hexdigest()[:16]


def is_on() -> bool:
    """Whether the platform sends notices to devices at all."""
    return bool(config.current().push_key)


def of_person(user_id: int) -> list[PushDevice]:
    """One person's devices in the current store, the oldest first."""
    query = select(PushDevice).where(PushDevice.user_id == user_id)
    return list(db.session.scalars(query.order_by(PushDevice.id).limit(MOST)))


def switch_on(
    actor: Actor, access_no: int, endpoint: str, p256dh: str, auth: str, name: str
) -> PushDevice:
    """Tell this browser of everything from now on. Said twice, or by another person of the store in
    the same browser, it is one device. Raises `BadDevice`."""
    _refuse(endpoint, p256dh, auth)
    user_id = _person(actor)
    with transaction() as session:
        _turn(user_id)
        of_others = select(func.count()).where(
            PushDevice.user_id == user_id, PushDevice.endpoint != endpoint
        )
        if (session.scalar(of_others) or 0) >= MOST:
            raise BadDevice(
                f"{MOST} devices of yours are told already. Remove one, then switch this one on."
            )
        device_id = _put(
            user_id=user_id,
            access_no=access_no,
            endpoint=endpoint,
            p256dh=p256dh,
            auth=auth,
            name=name[:60] or "A browser",
        )
        device = session.get_one(PushDevice, device_id)
        _see_to_it(device)
        _write(actor, "switch_notices_on", device)
        return device


def choose(device_id: int, kinds: Iterable[str], actor: Actor) -> PushDevice:
    """Tell one of the person's devices of these kinds and no others. Raises `NoSuchDevice`."""
    wanted = set(kinds)
    with transaction():
        device = _own(device_id, actor)
        device.kinds = [kind for kind in KINDS if kind in wanted]
        _write(actor, "choose_notices", device)
        return device


def remove(device_id: int, actor: Actor) -> None:
    """Tell one of the person's devices nothing any more. Raises `NoSuchDevice`."""
    with transaction():
        drop(_own(device_id, actor), actor)


@inside_use_case
def drop(device: PushDevice, actor: Actor) -> None:
    """The device is told nothing any more, and nothing of it is kept."""
    _write(actor, "switch_notices_off", device)
    db.session.execute(delete(PushDevice).where(PushDevice.id == device.id))


def may_be_called(endpoint: str) -> bool:
    """Whether a notice may be handed to this address: a push service of the settings, over TLS, at
    its own port."""
    try:
        parts = urlsplit(endpoint)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return False
    is_plain = re.fullmatch(r"https://[!-~]+", endpoint) and not re.search(
        r"[\\@#]", endpoint
    )
    if not is_plain or port not in (None, 443) or len(endpoint) > LONGEST_ENDPOINT:
        return False
    if not _HOST.fullmatch(host) or len(host) > _LONGEST_HOST:
        return False
    return any(
        host.endswith(name[1:]) if name.startswith("*.") else host == name
        for name in config.current().push_host_names
    )


def _refuse(endpoint: str, p256dh: str, auth: str) -> None:
    if not is_on():
        raise BadDevice("Makola sends no notices to devices yet.")
    point = _bytes(p256dh)
    if (
        not may_be_called(endpoint)
        or len(point) != _POINT_BYTES
        or point[:1] != b"\x04"
        or len(_bytes(auth)) != _AUTH_BYTES
    ):
        raise BadDevice


def _bytes(text: str) -> bytes:
    """Of base64url with or without padding; nothing of what is neither."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,120}={0,2}", text):
        return b""
    plain = text.rstrip("=")
    try:
        return base64.urlsafe_b64decode(plain + "=" * (-len(plain) % 4))
    except binascii.Error:
        return b""


def _person(actor: Actor) -> int:
    assert actor.user_id is not None
    return actor.user_id


@inside_use_case
def _turn(user_id: int) -> None:
    """Two who switch on at once, of one person, are counted one after the other."""
    name = f"{tenancy.current_store_id()}/{user_id}"
    turn = func.pg_advisory_xact_lock(Lock.NOTICES, func.hashtext(name))
    db.session.execute(select(turn))


@inside_use_case
def _put(**given: object) -> int:
    made = insert(PushDevice).values(
        store_id=tenancy.current_store_id(),
        kinds=list(KINDS),
        made_at=clock.now(),
        notified_until=clock.now(),
        tries=0,
        **given,
    )
    kept = ("user_id", "access_no", "p256dh", "auth", "name", "tries")
    put = made.on_conflict_do_update(
        index_elements=["store_id", "endpoint"],
        set_={name: made.excluded[name] for name in kept},
    )
    return int(db.session.scalar(put.returning(PushDevice.id)) or 0)


@inside_use_case
def _see_to_it(device: PushDevice) -> None:
    """Its row of the outbox, which lives as long as the device."""
    there = select(outbox.OutboxRow.id).where(
        outbox.OutboxRow.kind == "notify_device",
        outbox.OutboxRow.subject_id == device.id,
        outbox.OutboxRow.done_at.is_(None),
    )
    if db.session.scalar(there) is None:
        outbox.add(
            "notify_device",
            device.id,
            store_id=device.store_id,
            due_at=clock.after(1),
        )


@inside_use_case
def _own(device_id: int, actor: Actor) -> PushDevice:
    device = db.session.scalar(
        select(PushDevice)
        .where(PushDevice.id == device_id, PushDevice.user_id == _person(actor))
        .with_for_update()
    )
    if device is None:
        raise NoSuchDevice
    return device


def _write(actor: Actor, action: str, device: PushDevice) -> None:
    """The line of the audit says which device, never its address."""
    detail = {"store": device.store_id, "kinds": list(device.kinds)}
    audit.write(actor, action, f"device:{device.id}", detail)
