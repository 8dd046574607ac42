"""How many orders one caller may have that nobody has processed, and how many processed ones a
number may have.

Counted in each store by itself, inside the transaction that places the order. Beyond a caller's
limit one more order goes through each `open_wait_s`: behind one address there may be a whole town,
and nobody may be locked out. What names a caller is kept as a keyed hash, on *pending* orders
alone: `advancing.move` forgets it.
"""

from __future__ import annotations

import hashlib
import hmac
import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Select, Subquery, false, func, select
from sqlalchemy.orm import InstrumentedAttribute

from core.base import clock, config, phones
from core.base.db import db
from core.base.locks import Lock
from core.base.tenancy import current_store_id
from core.orders import refusals
from core.orders.model import Order

"""First keys of the advisory locks, so that no hash can be the key of another lock; taken in this
order."""
_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Caller:
    """Who places an order: the id of the device, as signed by us, and `addresses.key`. Empty:
    unknown, not counted."""

    device: str = ""
    address: str = ""

    @property
    def device_key(self) -> str | None:
        return _keyed("device", self.device)

    @property
    def address_key(self) -> str | None:
        return _keyed("address", self.address)


NOBODY = Caller()
"""An order that nobody placed over the web."""


def take_turns(recipient_msisdn: str, caller: Caller) -> None:
    """One at a time for each number, device and address of a store: what is counted must not race
    with new orders."""
    store_id = current_store_id()
    locks = [
        (Lock.NUMBER, recipient_msisdn),
        (Lock.DEVICE, caller.device_key),
        (Lock.ADDRESS, caller.address_key),
    ]
    db.session.execute(
        select(
            *(
                func.pg_advisory_xact_lock(lock, func.hashtext(f"{store_id}/{name}"))
                for lock, name in locks
                if name is not None
            )
        )
    )


def refuse(recipient_msisdn: str, caller: Caller = NOBODY) -> None:
    """Raise `TooManyOrders` for a number, `TooManyOpen` for a caller, that has had enough in the
    current store.

    Of a number only processed orders count: anybody may type anybody's number, and must not lock
    its owner out. A caller with enough unprocessed ones waits until the last of them is old enough
    for one more. One statement.
    """
    settings = config.current()
    limits = (
        (
            Order.placed_device,
            caller.device_key,
            settings.orders_open_per_device,
            "this phone or computer",
        ),
        (
            Order.placed_address,
            caller.address_key,
            settings.orders_open_per_address,
            "your connection",
        ),
    )
    counts = [_processed(recipient_msisdn)]
    for column, key, limit, _place in limits:
        newest = _newest(column, key, limit)
        counts += [
            select(func.count()).select_from(newest),
            select(func.max(newest.c.created_at)),
        ]
    processed, *open_ones = db.session.execute(
        select(*(count.scalar_subquery() for count in counts))
    ).one()
    most = settings.orders_per_recipient_hour
    if processed >= most:
        raise refusals.TooManyOrders(
            f"{most} orders for {phones.show(recipient_msisdn)} in the last hour is the most this"
            " store takes. Try again later, or ask the store."
        )
    waits = [
        (_wait_s(last), place)
        for (_column, _key, limit, place), many, last in zip(
            limits, open_ones[::2], open_ones[1::2], strict=True
        )
        if many >= limit
    ]
    wait_s, place = max(waits, default=(0, ""))
    if wait_s:
        raise refusals.TooManyOpen(place, wait_s)


def _processed(recipient_msisdn: str) -> Select[int]:
    now = clock.now()
    placed_after = now - _HOUR - clock.delta(config.current().pending_expires_s)
    return (
        select(func.count())
        .select_from(Order)
        .where(
            Order.store_id == current_store_id(),
            Order.recipient_msisdn == recipient_msisdn,
            # for the index: nobody processes an older one
            Order.created_at > placed_after,
            Order.queued_at > now - _HOUR,
        )
    )


def _newest(
    column: InstrumentedAttribute[str | None],
    key: str | None,
    limit: int,
) -> Subquery:
    """The caller's newest unprocessed orders, no more than count. None for a caller that is not
    known."""
    return (
        select(Order.created_at)
        .where(
            Order.store_id == current_store_id(),
            false() if key is None else column == key,
            Order.state == "pending",
        )
        .order_by(Order.id.desc())
        .limit(limit)
        .subquery()
    )


def _wait_s(last: datetime) -> int:
    """Whole seconds until one more may follow, never more than `open_wait_s`: a person's time, so
    unscaled."""
    most_s = config.current().open_wait_s
    since_s = (clock.now() - last).total_seconds()
    return (
        0 if since_s >= most_s else min(most_s, math.ceil(most_s - since_s))
    )  # the clock may have been set back


def _keyed(kind: str, name: str) -> str | None:
    if not name:
        return None
    key = config.current().secret_key.encode()
    return hmac.new(key, f"makola.{kind}/{name}".encode(), hashlib.sha256).hexdigest()[
        :32
    ]
