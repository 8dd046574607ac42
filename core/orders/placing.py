"""Taking an order: every check a customer's wish must pass, and the one row it becomes."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from core import availability, catalog, stores
from core.audit import CUSTOMER, Actor
from core.base import clock, config, phones
from core.base.db import db, transaction
from core.base.language import later, say
from core.base.tenancy import current_store_id
from core.catalog import Bundle, ShelfLine, SupplierOffer
from core.orders import crowding, pay_codes, refusals
from core.orders.codes import new_code, new_order_ref
from core.orders.crowding import NOBODY, Caller
from core.orders.model import Order
from core.orders.timeline import log
from core.stores import Store


@dataclass(frozen=True)
class Review:
    """What the customer confirms: the line, an equal order of minutes ago, and the network the
    number looks like."""

    line: ShelfLine
    earlier: Order | None
    mismatch_network: str | None
    now: availability.Now


@dataclass(frozen=True)
class Placed:
    """The order of this idempotency key; `created` is False when it already existed."""

    order: Order
    created: bool


def check(bundle_id: int, recipient_msisdn: str, store: Store | None = None) -> Review:
    """Everything `place` would check before writing, for the review page. Who has read the current
    store already gives it. Raises `refusals.OrderRefused`."""
    now = availability.now()
    line = _sellable(bundle_id, store or stores.by_id(current_store_id()), now)
    crowding.refuse(recipient_msisdn)
    hint = phones.network_of(recipient_msisdn)
    return Review(
        line,
        _repeat_of(line, recipient_msisdn),
        hint if hint != line.network else None,
        now,
    )


@dataclass(frozen=True)
class _Wish:
    """What `place` is asked for."""

    bundle_id: int
    recipient_msisdn: str
    idempotency_key: str
    price_seen_pesewas: int | None
    repeat_confirmed: bool
    source: str
    customer_name: str
    actor: Actor
    caller: Caller


def place(
    *,
    bundle_id: int,
    recipient_msisdn: str,
    idempotency_key: str,
    price_seen_pesewas: int | None = None,
    repeat_confirmed: bool = False,
    source: str = "store",
    customer_name: str = "",
    actor: Actor = CUSTOMER,
    caller: Caller = NOBODY,
) -> Placed:
    """Save an order as *pending* in the current store.

    The same `idempotency_key` returns the order it made the first time, before any other check, so
    a double click or a reload is one order. `price_seen_pesewas` is the price on the review page,
    `caller` whose unprocessed orders are counted. Raises `refusals.OrderRefused`.
    """
    existing = _by_key(idempotency_key)
    if existing is not None:
        return Placed(existing, created=False)
    wish = _Wish(
        bundle_id,
        recipient_msisdn,
        idempotency_key,
        price_seen_pesewas,
        repeat_confirmed,
        source,
        customer_name,
        actor,
        caller,
    )
    try:
        return _place(wish)
    except IntegrityError:
        # Two requests with one key at once: the other one won the unique index.
        existing = _by_key(idempotency_key)
        if existing is not None:
            return Placed(existing, created=False)
    # Two orders at once chose one pay code, of 100,000: this one chooses anew.
    return _place(wish)


def _place(wish: _Wish) -> Placed:
    with transaction() as session:
        store = session.scalars(
            select(Store)
            .where(Store.id == current_store_id())
            .with_for_update(read=True)
        ).one()
        crowding.take_turns(wish.recipient_msisdn, wish.caller)
        existing = _by_key(wish.idempotency_key)
        if existing is not None:
            return Placed(existing, created=False)
        line = _sellable(wish.bundle_id, store, availability.now())
        if wish.price_seen_pesewas not in (None, line.price_pesewas):
            raise refusals.PriceChanged(line.price_pesewas)
        crowding.refuse(wish.recipient_msisdn, wish.caller)
        earlier = _repeat_of(line, wish.recipient_msisdn)
        if earlier is not None and not wish.repeat_confirmed:
            raise refusals.RepeatAsked(earlier)
        order = _new_order(line, wish, store.id)
        session.add(order)
        session.flush()
        log(
            order, wish.actor, "placed", "Order placed.", customer_text=later("Ordered")
        )
        return Placed(order, created=True)


def _new_order(line: ShelfLine, wish: _Wish, store_id: int) -> Order:
    bundle, offer = db.session.execute(
        select(Bundle, SupplierOffer)
        .join(SupplierOffer, SupplierOffer.id == Bundle.offer_id)
        .where(Bundle.id == line.bundle_id)
    ).one()
    if not bundle.is_sold or bundle.agent_price_pesewas > line.price_pesewas:
        raise refusals.BundleUnavailable  # a catalogue sync came between the two reads
    return Order(
        code=new_code(),
        order_ref=new_order_ref(),
        pay_code=pay_codes.free_one(store_id),
        idempotency_key=wish.idempotency_key,
        source=wish.source,
        customer_name=wish.customer_name.strip()[:60],
        recipient_msisdn=wish.recipient_msisdn,
        network=bundle.network,
        mb=bundle.mb,
        validity=bundle.validity,
        bundle_id=bundle.id,
        product_name=offer.product_name,
        capacity=offer.capacity,
        price_pesewas=line.price_pesewas,
        agent_price_pesewas=bundle.agent_price_pesewas,
        cost_pesewas=bundle.cost_pesewas,
        state="pending",
        version=1,
        attempt=0,
        resends=0,
        lookups_gone=0,
        ever_unknown=False,
        created_at=clock.now(),
        pending_since=clock.now(),
        placed_device=wish.caller.device_key,
        placed_address=wish.caller.address_key,
    )


def _sellable(bundle_id: int, store: Store | None, now: availability.Now) -> ShelfLine:
    if store is None or not store.is_open:
        raise refusals.StoreClosed(
            (store and store.closed_note)
            or say("This store is closed at the moment. Try again later.")
        )
    if now.everything is not None:
        raise refusals.of_stop(now.everything)
    line = catalog.shelf_line(bundle_id)
    if line is None:
        raise refusals.BundleUnavailable
    refuse_paused(line.network, now)
    stop = now.why_not(line.network, line.bundle_id)
    if stop is not None:
        raise refusals.of_stop(
            stop, f"{phones.NETWORKS[line.network].name} {line.size_text}"
        )
    return line


def refuse_paused(network: str, now: availability.Now) -> None:
    """Raise `NetworkPaused`, with what this store sells instead, when an operator paused this
    network."""
    pause = now.networks.get(network)
    if pause is None:
        return
    sold = {
        line.network
        for line in catalog.shelf()
        if now.why_not(line.network, line.bundle_id) is None
    }
    open_ones = [item.name for key, item in phones.NETWORKS.items() if key in sold]
    rest = f" {working(open_ones)}" if open_ones else ""
    stop = availability.Stop("paused", pause.since, network)
    raise refusals.NetworkPaused(stop.to_customer + rest)


def working(networks: list[str]) -> str:
    """The networks that still sell, as a sentence: "Telecel and AT work."."""
    if len(networks) == 1:
        return say("%(network)s works.", network=networks[0])
    first, last = ", ".join(networks[:-1]), networks[-1]
    return say("%(networks)s and %(last)s work.", networks=first, last=last)


def _repeat_of(line: ShelfLine, recipient_msisdn: str) -> Order | None:
    return db.session.scalar(
        select(Order)
        .where(
            Order.recipient_msisdn == recipient_msisdn,
            Order.network == line.network,
            Order.mb == line.mb,
            Order.created_at
            > clock.now() - clock.delta(config.current().repeat_window_s),
            Order.state.not_in(("cancelled", "expired", "refunded")),
        )
        .order_by(Order.id.desc())
        .limit(1)
    )


def _by_key(idempotency_key: str) -> Order | None:
    return db.session.scalar(
        select(Order).where(Order.idempotency_key == idempotency_key)
    )
