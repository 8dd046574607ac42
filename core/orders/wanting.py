"""What must be known before an order is taken, read in one exchange: the store, what can be bought,
the bundle with its price, the orders that count against the caller, an equal one of a moment ago.

Decides only how it is asked. What is refused is decided in `placing` and `crowding`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Select,
    Text,
    bindparam,
    select,
)

from core import availability, catalog, stores
from core.base import clock, config, round_trip
from core.base.asks import Ask
from core.base.tenancy import current_store_id
from core.catalog import Bundle, ShelfLine, StoreBundle, SupplierOffer
from core.orders import crowding, pay_codes
from core.orders.crowding import Caller
from core.orders.model import Order
from core.orders.real import REAL
from core.stores import Store

_NO_REPEAT = ("cancelled", "expired", "refunded")
"""States of an order whose customer may well want the same again."""


@dataclass(frozen=True)
class Wanted:
    """One look. Nothing of it belongs to a session: it is to be read, not changed."""

    store: Store | None
    now: availability.Now
    line: ShelfLine | None
    """The bundle on the current store's shelf; None when it is not sold now."""
    source: Any
    """Of that bundle: `agent_price_pesewas`, `cost_pesewas`, `product_name` and `capacity`."""
    counts: Any
    """A row that `crowding.refuse` judges."""
    repeat: Order | None
    """The newest equal order of the last minutes."""
    existing: Order | None = None
    """The order of this key, when one is being placed."""
    pay_code: str | None = None
    """A code that no order of the store has."""


def look(bundle_id: int, recipient_msisdn: str) -> Wanted:
    """What is known now, for a page."""
    return _look(current_store_id(), bundle_id, recipient_msisdn)


def wanted_at(slug: str, bundle_id: int, recipient_msisdn: str) -> Wanted | None:
    """The same at the shop of this subdomain, None where there is none: for a page that has yet to
    find out whose it is."""

    def read(store_id: int) -> Wanted | None:
        wanted = _look(store_id, bundle_id, recipient_msisdn)
        # a database that was restored may have another shop under this id
        is_there = wanted.store is not None and wanted.store.slug == slug
        return wanted if is_there else None

    return stores.read_at(slug, read)


def _look(store_id: int, bundle_id: int, recipient_msisdn: str) -> Wanted:
    asks = _asks(_values(store_id, bundle_id, recipient_msisdn, crowding.NOBODY))
    return _wanted(round_trip.read(store_id, asks))


def look_and_hold(
    bundle_id: int, recipient_msisdn: str, idempotency_key: str, caller: Caller
) -> Wanted:
    """The same in the open use case, after the store is kept from changing and this caller's turn
    has come: what is counted then cannot race with new orders."""
    values = _values(current_store_id(), bundle_id, recipient_msisdn, caller)
    values |= {"key": idempotency_key, "tried": pay_codes.some(pay_codes.TRIED_FIRST)}
    hold, own, free = (ask.given(**values) for ask in _to_place())
    turns = crowding.turns(recipient_msisdn, caller)
    _store, *look = _asks(values)  # it is held instead
    # the rows are read after the locks are there
    held, _turns, existing, codes, *rest = round_trip.within(
        [hold, turns, own, free, *look]
    )
    return _wanted([held, *rest], existing, codes)


def _wanted(
    found: Sequence[Sequence[Any]],
    existing: Sequence[Any] = (),
    codes: Sequence[Any] = (),
) -> Wanted:
    stores_, now, lines, counts, repeats = found
    line = lines[0] if lines else None
    return Wanted(
        round_trip.made(Store, stores_[0]) if stores_ else None,
        availability.of_row(now[0]),
        catalog.shelf_line_of(*line[: catalog.OF_SHELF]) if line else None,
        line,
        counts[0],
        round_trip.made(Order, repeats[0]) if repeats else None,
        round_trip.made(Order, existing[0]) if existing else None,
        codes[0].code if codes else None,
    )


def _values(
    store_id: int, bundle_id: int, recipient_msisdn: str, caller: Caller
) -> dict[str, Any]:
    window = clock.delta(config.current().repeat_window_s)
    return {
        "store_id": store_id,
        "bundle_id": bundle_id,
        "repeated_after": clock.now() - window,
        **crowding.counted(store_id, recipient_msisdn, caller),
    }


def _asks(values: dict[str, Any]) -> list[Ask]:
    return [ask.given(**values) for ask in _to_look()]


def to_sell() -> Select[Any]:
    """Lines of the shelf, each with what a new order copies of it beside its price."""
    return (
        catalog.sellable()
        .add_columns(
            Bundle.agent_price_pesewas,
            Bundle.cost_pesewas,
            SupplierOffer.product_name,
            SupplierOffer.capacity,
        )
        .join(SupplierOffer, SupplierOffer.id == Bundle.offer_id)
    )


@cache
def _to_look() -> list[Ask]:
    of_bundle = Bundle.id == _given("bundle_id", Bundle.id)
    line = to_sell().where(StoreBundle.store_id == _store_id(), of_bundle)
    same = (
        select(column).where(of_bundle).scalar_subquery()
        for column in (Bundle.network, Bundle.mb)
    )
    network, mb = same
    repeat = (
        select(*Order.__table__.c)
        .where(
            Order.store_id == _store_id(),
            Order.recipient_msisdn == _given("recipient", Order.recipient_msisdn),
            Order.network == network,
            Order.mb == mb,
            REAL,
            Order.created_at > _given("repeated_after", Order.created_at),
            *(Order.state != state for state in _NO_REPEAT),
        )
        .order_by(Order.id.desc())
        .limit(1)
    )
    return [
        round_trip.ask(stores.of_columns()),
        Ask(availability.ASK, {}),
        round_trip.ask(line),
        round_trip.ask(crowding.counts()),
        round_trip.ask(repeat),
    ]


@cache
def _to_place() -> list[Ask]:
    """The store, held; the order of this key; a free pay code."""
    own = select(*Order.__table__.c).where(
        Order.store_id == _store_id(),
        Order.idempotency_key == _given("key", Order.idempotency_key),
    )
    tried: ColumnElement[Any] = bindparam("tried", type_=ARRAY(Text))
    return [
        round_trip.ask(stores.of_columns().with_for_update(read=True)),
        round_trip.ask(own),
        round_trip.ask(pay_codes.free_of(tried, _store_id())),
    ]


def _store_id() -> ColumnElement[int]:
    return bindparam("store_id", type_=Store.id.type)


def _given(name: str, column: Any) -> ColumnElement[Any]:
    return bindparam(name, type_=column.type)
