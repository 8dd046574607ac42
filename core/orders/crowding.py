"""How many orders one caller may have that nobody has processed, and how many processed ones a
number may have.

Counted in each store by itself, inside the transaction that places the order. Beyond a caller's
limit one more order goes through each `open_wait_s`: behind one address there may be a whole town,
and nobody may be locked out. What names a caller is kept as a keyed hash, on orders that wait
alone: `advancing.move` forgets it.
"""

from __future__ import annotations

import hashlib
import hmac
import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    ScalarSelect,
    Select,
    Subquery,
    bindparam,
    func,
    literal_column,
    select,
)
from sqlalchemy.orm import InstrumentedAttribute

from core.base import clock, config, phones
from core.base.asks import Ask
from core.base.language import say
from core.base.locks import Lock
from core.base.tenancy import current_store_id
from core.orders import customers, refusals
from core.orders.model import Order
from core.orders.real import REAL

_HOUR = timedelta(hours=1)
_UNPROCESSED: tuple[ColumnElement[Any], ...] = (
    literal_column("'pending'"),
    literal_column("'awaiting_payment'"),
)


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


def turns(recipient_msisdn: str, caller: Caller) -> Ask:
    """The statement that waits for the turn of this number, device and address in the current
    store: one at a time, since what is counted, or blocked, must not race with another."""
    store_id = current_store_id()
    names = {
        Lock.NUMBER: recipient_msisdn,
        Lock.DEVICE: caller.device_key,
        Lock.ADDRESS: caller.address_key,
    }
    known = {lock: name for lock, name in names.items() if name is not None}
    taken = (
        f"pg_advisory_xact_lock({lock:d}, hashtext(%({lock.name})s)) AS {lock.name}"
        for lock in known
    )
    return Ask(
        f"SELECT {', '.join(taken)}",
        {lock.name: f"{store_id}/{name}" for lock, name in known.items()},
    )


def counted(store_id: int, recipient_msisdn: str, caller: Caller) -> dict[str, Any]:
    """What `counts` takes."""
    settings = config.current()
    now = clock.now()
    return {
        "store_id": store_id,
        "recipient": recipient_msisdn,
        "ending": recipient_msisdn[-customers.ENDING :],
        # for the index: nobody processes an older one
        "placed_after": now - _HOUR - clock.delta(settings.pending_expires_s),
        "processed_after": now - _HOUR,
        "device": caller.device_key,
        "address": caller.address_key,
        "device_most": settings.orders_open_per_device,
        "address_most": settings.orders_open_per_address,
    }


def refuse(found: Any, recipient_msisdn: str) -> None:
    """Raise `Blocked` for a number that the store takes no orders for, `TooManyOrders` for a
    number, `TooManyOpen` for a caller, that has had enough in the current store, by a row of
    `counts`.

    Of a number only processed orders count: anybody may type anybody's number, and must not lock
    its owner out. A caller with enough unprocessed ones waits until the last of them is old enough
    for one more.
    """
    if found.blocked is not None:
        raise refusals.Blocked(found.blocked)
    settings = config.current()
    most = settings.orders_per_recipient_hour
    if found.processed >= most:
        raise refusals.TooManyOrders(
            say(
                "%(most)s orders for %(number)s in the last hour is the most this store takes. Try"
                " again later, or ask the store.",
                most=most,
                number=phones.show(recipient_msisdn),
            )
        )
    open_ones = (
        (
            found.of_device,
            found.last_of_device,
            settings.orders_open_per_device,
            say("this phone or computer"),
        ),
        (
            found.of_address,
            found.last_of_address,
            settings.orders_open_per_address,
            say("your connection"),
        ),
    )
    waits = [
        (_wait_s(last), place)
        for many, last, limit, place in open_ones
        if many >= limit
    ]
    wait_s, place = max(waits, default=(0, ""))
    if wait_s:
        raise refusals.TooManyOpen(place, wait_s)


def counts() -> Select[Any]:
    """How many processed orders the number has, how many unprocessed ones the caller, and why the
    number is blocked, if so."""
    processed = (
        select(func.count())
        .select_from(Order)
        .where(
            Order.store_id == _given("store_id", Order.store_id),
            Order.recipient_msisdn == _given("recipient", Order.recipient_msisdn),
            Order.created_at > _given("placed_after", Order.created_at),
            Order.queued_at > _given("processed_after", Order.created_at),
            REAL,
        )
    )
    of_device = _newest(Order.placed_device, "device")
    of_address = _newest(Order.placed_address, "address")
    return select(
        processed.scalar_subquery().label("processed"),
        _how_many(of_device).label("of_device"),
        _last(of_device).label("last_of_device"),
        _how_many(of_address).label("of_address"),
        _last(of_address).label("last_of_address"),
        customers.why_blocked(
            _given("store_id", Order.store_id),
            _given("recipient", Order.recipient_msisdn),
        ).label("blocked"),
    )


def _newest(column: InstrumentedAttribute[str | None], name: str) -> Subquery:
    """The caller's newest unprocessed orders, no more than count. None for a caller that is not
    known: its key is NULL."""
    return (
        select(Order.created_at)
        .where(
            Order.store_id == _given("store_id", Order.store_id),
            column == _given(name, column),
            # in the words of the index, whatever plan is kept
            Order.state.in_(_UNPROCESSED),
        )
        .order_by(Order.id.desc())
        .limit(bindparam(f"{name}_most", type_=Integer))
        .subquery()
    )


def _how_many(newest: Subquery) -> ScalarSelect[int]:
    return select(func.count()).select_from(newest).scalar_subquery()


def _last(newest: Subquery) -> ScalarSelect[datetime]:
    return select(func.max(newest.c.created_at)).scalar_subquery()


def _given(name: str, column: InstrumentedAttribute[Any]) -> ColumnElement[Any]:
    return bindparam(name, type_=column.type)


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
