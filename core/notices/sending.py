"""What one device is to be told now, and what came of it.

A device is told of what is new since it was last told, in one notice whatever there is, some
seconds after it happened, so that fifty orders in a minute are one notice. A notice names no
number, no person and no amount. A job that dies between sending and noting that it sent sends
again; the device then shows the second in place of the first.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from sqlalchemy import bindparam, exists, func, or_, select, update
from sqlalchemy.orm import aliased

from core.accounts.users import Membership, User
from core.audit import SYSTEM
from core.base import clock, tenancy
from core.base.db import db, transaction
from core.base.preconditions import needs_across_stores
from core.notices import devices, reading
from core.notices.devices import PushDevice
from core.notices.kinds import KINDS, NEW, PAID
from core.orders import Order, tabs
from core.orders.real import REAL
from core.outbox import OutboxRow
from core.stores import Store

WAIT_S = 10
"""News waits so long for more of it. A transaction that lasts longer than this may be left out."""
GAP_S = 60
"""Between two notices to one device."""
LOOK_S = 600
"""What has no moment of its own in an order, as a low wallet, is looked for so often."""
OFF_S = 3_600
"""While the platform sends nothing."""
OLDEST = timedelta(days=1)
LADDER_S = (60, 300, 900, 3_600)
"""A push service that takes nothing is tried again after these; then this notice is given up, and
the device too when it was refused."""
ASKED = 500
"""Devices that are made due in one go."""


@dataclass(frozen=True)
class Shown:
    """What a device shows. `topic` is one for all that takes the place of each other."""

    title: str
    body: str
    href: str
    topic: str
    is_urgent: bool


@dataclass(frozen=True)
class Ready:
    """A device, what it is to be told (None: nothing), up to which moment, and when to look
    again."""

    device: PushDevice
    shown: Shown | None
    until: datetime
    due_at: datetime


def ready(device_id: int) -> Ready | None:
    """What to tell a device of the current store. None when there is no such device any more: one
    whose person left the store, or logged out everywhere, is dropped here."""
    device = db.session.get(PushDevice, device_id)
    if device is None:
        return None
    if not _may_be_told(device):
        with transaction() as session:
            device = session.get(PushDevice, device_id, with_for_update=True)
            # somebody who may be told has switched it on meanwhile
            if device is None or not _may_be_told(device):
                if device is not None:
                    devices.drop(device, SYSTEM)
                return None
    now = clock.now()
    if not devices.is_on():
        return Ready(device, None, now, clock.after(OFF_S))
    until = now - clock.delta(WAIT_S)
    since = max(device.notified_until, now - OLDEST)
    counts = reading.counted(since, until, device.kinds)
    shown = _shown(counts, device) if counts else None
    return Ready(device, shown, until, clock.after(LOOK_S))


def told(one: Ready, *, was_sent: bool) -> datetime:
    """Nothing up to its moment is told again. Returns when to look again."""
    values = {"notified_until": one.until, "tries": 0}
    _note(one, values | ({"sent_at": clock.now()} if was_sent else {}))
    return one.due_at


def not_taken(
    one: Ready, after_s: float | None, *, is_refused: bool
) -> datetime | None:
    """The push service did not take it. Returns when to try again; None when the device is given
    up, because it was refused to the end."""
    tries = one.device.tries
    if tries < len(LADDER_S):
        _note(one, {"tries": tries + 1})
        return clock.after(max(LADDER_S[tries], min(after_s or 0, LADDER_S[-1])))
    if is_refused:
        gone(one)
        return None
    _note(one, {"notified_until": one.until, "tries": 0})
    return clock.after(LADDER_S[-1])


def gone(one: Ready) -> None:
    """The browser is not there any more."""
    with transaction() as session:
        device = session.get(PushDevice, one.device.id, with_for_update=True)
        if device is not None:
            devices.drop(device, SYSTEM)


@needs_across_stores
def hasten() -> int:
    """Make the rows of those devices due in whose stores something happened that they were not told
    of. Returns how many."""
    if not devices.is_on():
        return 0
    now = clock.now()
    query = (
        update(OutboxRow)
        .where(OutboxRow.id.in_(_HASTY))
        .values(due_at=now)
        .execution_options(synchronize_session=False)
    )
    values = {
        "now": now,
        "until": now - clock.delta(WAIT_S),
        "oldest": now - OLDEST,
        "sent_before": now - clock.delta(GAP_S),
    }
    with transaction() as session:
        return int(session.execute(query, values).rowcount)  # type: ignore[attr-defined]


_AT = Order.created_at.type
_UNTIL = bindparam("until", type_=_AT)


def _happened() -> object:
    """In a device's store, after it was told and until now: each by an index of its own."""
    since = func.greatest(PushDevice.notified_until, bindparam("oldest", type_=_AT))
    looks = (
        (Order.created_at,),
        (Order.told_first_at,),
        (tabs.FAILED_AT, tabs.UNDELIVERED),
    )
    return or_(
        *(
            exists(
                select(Order.id).where(
                    Order.store_id == PushDevice.store_id,
                    REAL,
                    at > since,
                    at <= _UNTIL,
                    *more,
                )
            )
            for at, *more in looks
        )
    )


_ROW = aliased(OutboxRow)
_HASTY = (
    select(_ROW.id)
    .join(PushDevice, PushDevice.id == _ROW.subject_id)
    .where(
        _ROW.kind == "notify_device",
        _ROW.done_at.is_(None),
        _ROW.due_at > bindparam("now", type_=_AT),
        PushDevice.tries == 0,
        or_(
            PushDevice.sent_at.is_(None),
            PushDevice.sent_at <= bindparam("sent_before", type_=_AT),
        ),
        _happened(),  # type: ignore[arg-type]
    )
    .limit(ASKED)
)


def _may_be_told(device: PushDevice) -> bool:
    """Whether its person still belongs to the store, and what they were given before stands."""
    return bool(
        db.session.scalar(
            select(
                exists(
                    select(Membership.user_id)
                    .join(User, User.id == Membership.user_id)
                    .where(
                        Membership.user_id == device.user_id,
                        Membership.store_id == device.store_id,
                        User.removed_at.is_(None),
                        User.access_no == device.access_no,
                    )
                )
            )
        )
    )


def _shown(counts: dict[str, int], device: PushDevice) -> Shown:
    told = [KINDS[kind] for kind in KINDS if kind in counts]
    words = [
        kind.words(counts[kind.key])
        + (" or more" if counts[kind.key] >= reading.MOST else "")
        for kind in told
    ]
    store = db.session.get_one(Store, device.store_id)
    rest = [*words[1:], *_waiting(counts)]
    body = f"{'; '.join(rest)}. {store.name}" if rest else store.name
    return Shown(
        title=words[0],
        body=body,
        href=_href(told[0].href if len(told) == 1 else "/news", store, device.user_id),
        topic=f"news-{store.id}",
        is_urgent=any(kind.is_urgent for kind in told),
    )


def _href(page: str, store: Store, user_id: int) -> str:
    """A page of the portal shows the store that is chosen there: for who works in several, the link
    names the store."""
    theirs = select(func.count()).where(Membership.user_id == user_id)
    if (db.session.scalar(theirs) or 0) < 2:
        return page
    return f"/stores/{store.slug}?{urlencode({'next': page})}"


def _waiting(counts: dict[str, int]) -> list[str]:
    """A notice takes the place of the one before, so it says what waits in all."""
    if not {NEW, PAID} & set(counts):
        return []
    waits = tabs.tab_counts()[NEW]
    return [f"{waits} wait{'s' if waits == 1 else ''} for you"] if waits else []


def _note(one: Ready, values: dict[str, object]) -> None:
    theirs = update(PushDevice).where(
        PushDevice.id == one.device.id,
        PushDevice.store_id == tenancy.current_store_id(),
    )
    with transaction() as session:
        session.execute(theirs.values(**values))
