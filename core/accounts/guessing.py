"""How often a log-in may be tried, so that guessing delays the guesser and nobody else.

Decides whether one more password may be looked at, before it is hashed, and at each door apart.
Counted in PostgreSQL, so that the limits hold when Valkey is down. E-mails and addresses are kept
as hashes only. Which devices are known, and judged by their own tries alone, is decided in
`devices`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import case, delete, func, null, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from core.accounts import devices
from core.accounts.devices import WINDOW_S, Place, hash_of
from core.base import clock
from core.base.db import Model, db, rows_changed, transaction
from core.base.preconditions import inside_use_case
from core.base.refusal import Refusal
from core.base.tenancy import as_platform

TRIES_OF_PAIR = 5
"""Wrong passwords from one address for one account."""
TRIES_OF_ADDRESS = 200
"""Wrong passwords from one address, whatever the account: many people share one."""
SLOW_FROM = 5
"""Wrong passwords for one account, from wherever, after which each new try has to wait first."""
LONGEST_WAIT_S = 10
"""The wait is one second, then two, four, eight, and never more than this."""
MOST_COUNTS = 50_000
"""Most rows of counts that are kept, so that invented e-mails cannot fill the disk."""
PRUNE_EVERY = 200
"""Tries of this process between two clearings of what is over."""

_tries = itertools.count(1)


class TooManyTries(Refusal):
    """This try is not looked at, and does not count. `sentence` says what to do, `wait_s` when to
    try again."""

    event = "login_refused"

    def __init__(self, wait_s: float) -> None:
        self.wait_s = max(1, math.ceil(wait_s))
        super().__init__(self._words())

    def _words(self) -> str:
        return (
            f"Too many wrong tries from your connection. Wait {self._minutes()} and try again, or"
            " log in on a phone or computer where you have logged in before."
        )

    def _minutes(self) -> str:
        minutes = math.ceil(self.wait_s / 60)
        return "1 minute" if minutes == 1 else f"{minutes} minutes"


class TooManyOfDevice(TooManyTries):
    """The known device itself has tried too often."""

    def _words(self) -> str:
        return f"Too many wrong tries. Wait {self._minutes()}, then try again."


class Slower(TooManyTries):
    """Others guess this account, so each new try waits first: after `wait_s` one more press is
    looked at."""

    event = "login_slowed"

    def _words(self) -> str:
        seconds = "1 second" if self.wait_s == 1 else f"{self.wait_s} seconds"
        return (
            "There were many wrong tries for this e-mail, so each new one has to wait. "
            f"Wait {seconds}, then type the password and press Log in again."
        )


class TryCount(Model):
    """Wrong tries under one key since the first of them."""

    __tablename__ = "login_counts"

    key: Mapped[str] = mapped_column(primary_key=True)
    since: Mapped[datetime] = mapped_column(index=True)
    tries: Mapped[int]
    may_at: Mapped[datetime | None]
    """Of an address and an account: from when on one try may be made although the account is
    slow."""


@dataclass(frozen=True)
class Slot:
    """One try that was counted and may now be made. `keys` are where; none for a known device."""

    keys: tuple[str, ...]
    user_id: int | None
    place: Place

    @property
    def by_known_device(self) -> bool:
        return not self.keys


@as_platform
def refuse_early(email: str, user_id: int | None, place: Place) -> bool:
    """Turn away who is refused anyway, by one look without a lock: most presses of a guesser end
    here.

    `take` decides. Raises what it would raise; nothing is counted. Returns whether this address has
    been wrong about this account before.
    """
    if devices.is_known(user_id or 0, place):
        return False
    key = _keys(email, place)["pair"]
    count = select(TryCount.since, TryCount.tries, TryCount.may_at)
    row = db.session.execute(count.where(TryCount.key == key)).first()
    if row is None:
        return False
    now = clock.now()
    since_s = (now - row.since).total_seconds()
    if since_s >= WINDOW_S:
        return False
    if row.tries >= TRIES_OF_PAIR:
        raise TooManyTries(WINDOW_S - since_s)
    if row.may_at is not None and row.may_at > now:
        raise Slower((row.may_at - now).total_seconds())
    return bool(row.tries)


@as_platform
def take(email: str, user_id: int | None, place: Place) -> Slot:
    """Count one try before its password is looked at: in one short transaction, under the locks of
    its counts.

    `user_id` is whom the e-mail belongs to; the same is done when that is nobody. Raises
    `TooManyTries` or `Slower`.
    """
    if next(_tries) % PRUNE_EVERY == 0:
        prune()
    with transaction():
        tried = devices.take(user_id or 0, place)
        if tried is not None and tried.tries > devices.TRIES:
            raise TooManyOfDevice(
                WINDOW_S - (clock.now() - tried.since).total_seconds()
            )
        if tried is not None:
            return Slot((), user_id, place)
        keys = _keys(email, place)
        counts = _locked(keys)
        wait_s = _judge(keys, counts)
        if wait_s is None:
            _add(keys)
    if wait_s is not None:
        raise Slower(wait_s)
    return Slot(tuple(keys.values()), user_id, place)


@inside_use_case
def give_back(slot: Slot, *, right: bool) -> None:
    """Undo the count of one try that was not wrong.

    With `right`, the password fitted: the tries of this address at this account go back to 0. What
    others did for the same account or from the same address stays.
    """
    if slot.by_known_device:
        devices.give_back(slot.user_id or 0, slot.place, right=right)
        return
    one_less = func.greatest(TryCount.tries - 1, 0)
    db.session.execute(
        update(TryCount).where(TryCount.key.in_(slot.keys)).values(tries=one_less)
    )
    if right:
        db.session.execute(
            update(TryCount)
            .where(TryCount.key == slot.keys[-1])
            .values(tries=0, may_at=None)
        )


@inside_use_case
def forget_devices(user_id: int) -> None:
    """No device of this person is known any more, at either door.

    For *change password* and *log out everywhere*.
    """
    devices.forget(user_id)


@as_platform
def prune() -> int:
    """Delete counts whose time is over, the oldest beyond `MOST_COUNTS`, and devices not used for
    long.

    Returns how many rows went. Rows in use are left for the next time.
    """
    over = clock.now() - timedelta(seconds=WINDOW_S)
    with transaction() as session:
        newest_first = select(TryCount.since).order_by(TryCount.since.desc())
        too_many = session.scalar(newest_first.offset(MOST_COUNTS).limit(1))
        old = select(TryCount.key).where(TryCount.since <= max(over, too_many or over))
        # whoever holds one is in the middle of a try
        free = old.with_for_update(skip_locked=True)
        gone = rows_changed(delete(TryCount).where(TryCount.key.in_(free)))
        return gone + devices.prune()


def _keys(email: str, place: Place) -> dict[str, str]:
    """The counts of one try. Everybody locks them in this order, so that nobody waits in a
    circle."""
    named = {
        "address": place.address,
        "account": email,
        "pair": f"{place.address} {email}",
    }
    return {
        kind: f"{place.door}:{kind}:{hash_of(text)[:32]}"
        for kind, text in named.items()
    }


def _locked(keys: Mapping[str, str]) -> dict[str, Any]:
    """Lock the rows of these keys, made or begun anew where needed, and read them by kind."""
    now = clock.now()
    is_over = TryCount.since <= now - timedelta(seconds=WINDOW_S)
    rows = db.session.execute(
        insert(TryCount)
        .values([{"key": key, "since": now, "tries": 0} for key in keys.values()])
        .on_conflict_do_update(
            index_elements=[TryCount.key],
            set_={
                "tries": case((is_over, 0), else_=TryCount.tries),
                "may_at": case((is_over, null()), else_=TryCount.may_at),
                "since": case((is_over, now), else_=TryCount.since),
            },
        )
        .returning(TryCount.key, TryCount.since, TryCount.tries, TryCount.may_at)
    )
    found = {row.key: row for row in rows}
    return {kind: found[key] for kind, key in keys.items()}


def _judge(keys: Mapping[str, str], counts: Mapping[str, Any]) -> float | None:
    """None when the try may be made, else the seconds to wait first. Raises `TooManyTries` when
    waiting so long is no help."""
    now = clock.now()
    for kind, most in (("address", TRIES_OF_ADDRESS), ("pair", TRIES_OF_PAIR)):
        count = counts[kind]
        if count.tries >= most:
            since_s = (now - count.since).total_seconds()
            raise TooManyTries(WINDOW_S - since_s)
    too_many = counts["account"].tries - SLOW_FROM
    if too_many < 0:
        return None
    may_at: datetime | None = counts["pair"].may_at
    if may_at is None:
        return _slow_down(keys["pair"], too_many, now)
    if may_at <= now:
        return None
    return (may_at - now).total_seconds()


def _slow_down(pair: str, too_many: int, now: datetime) -> float:
    """The next try of an address at a slow account must wait. Returns for how many seconds: twice
    as long for each try of the account beyond `SLOW_FROM`, up to `LONGEST_WAIT_S`."""
    wait_s = float(min(LONGEST_WAIT_S, 2 ** min(too_many, 8)))
    may_at = now + timedelta(seconds=wait_s)
    row = update(TryCount).where(TryCount.key == pair)
    db.session.execute(row.values(may_at=may_at))
    return wait_s


def _add(keys: Mapping[str, str]) -> None:
    more = update(TryCount).where(TryCount.key.in_(keys.values()))
    db.session.execute(more.values(tries=TryCount.tries + 1, may_at=None))
