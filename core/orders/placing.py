"""Taking an order: every check a customer's wish must pass, and the one row it becomes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import IntegrityError

from core import availability, catalog, online, opening_hours
from core.audit import CUSTOMER, Actor
from core.base import clock, phones, round_trip
from core.base.db import transaction
from core.base.language import later, say
from core.base.tenancy import current_store_id
from core.catalog import ShelfLine
from core.orders import crowding, pay_codes, refusals, timeline, wanting
from core.orders.codes import new_code, new_order_ref
from core.orders.crowding import NOBODY, Caller
from core.orders.events import OrderEvent
from core.orders.model import Order
from core.orders.wanting import Wanted


@dataclass(frozen=True)
class Review:
    """What the customer confirms: the line, an equal order of minutes ago, and the network the
    number looks like."""

    line: ShelfLine
    earlier: Order | None
    mismatch_network: str | None
    now: availability.Now
    pays_online: bool = False
    """Whether it may be paid online."""
    by_prompt: bool = False
    """Whether that may also be by a prompt on a phone."""


@dataclass(frozen=True)
class Placed:
    """The order of this idempotency key; `created` is False when it already existed."""

    order: Order
    created: bool


def check(
    bundle_id: int, recipient_msisdn: str, wanted: Wanted | None = None
) -> Review:
    """Everything `place` would check before writing, for the review page. `wanted`: what was read
    of it already. Raises `refusals.OrderRefused`."""
    wanted = wanted or wanting.look(bundle_id, recipient_msisdn)
    line = _sellable(wanted, bundle_id)
    _refuse_out_of_hours(wanted)
    crowding.refuse(wanted.counts, recipient_msisdn)
    hint = phones.network_of(recipient_msisdn)
    pays_online = _pays_online(wanted)
    return Review(
        line,
        wanted.repeat,
        hint if hint != line.network else None,
        wanted.now,
        pays_online,
        pays_online and online.prompts.are_on(),
    )


@dataclass(frozen=True)
class Wish:
    """What `place` is asked for."""

    bundle_id: int
    recipient_msisdn: str
    idempotency_key: str
    price_seen_pesewas: int | None = None
    repeat_confirmed: bool = False
    source: str = "store"
    customer_name: str = ""
    actor: Actor = CUSTOMER
    caller: Caller = NOBODY
    online: bool = False
    by_prompt: bool = False


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
    online: bool = False,
    by_prompt: bool = False,
) -> Placed:
    """Save an order as *pending* in the current store; one that is to be paid `online` as
    *awaiting_payment*, with its first attempt. `by_prompt`: without one, since its customer says
    first which phone is to be asked (`taking.prompts`).

    The same `idempotency_key` returns the order it made the first time, before any other check, so
    a double click or a reload is one order. `price_seen_pesewas` is the price on the review page,
    `caller` whose unprocessed orders are counted. Raises `refusals.OrderRefused`.
    """
    wish = Wish(
        bundle_id,
        recipient_msisdn,
        idempotency_key,
        price_seen_pesewas,
        repeat_confirmed,
        source,
        customer_name,
        actor,
        caller,
        online,
        by_prompt,
    )
    try:
        return _place(wish)
    except IntegrityError:
        # Two at once with one key, or with one pay code, of 100,000: the other one won the unique
        # index. Now its order is found, or another code is chosen.
        return _place(wish)


def _place(wish: Wish) -> Placed:
    with transaction():
        wanted = wanting.look_and_hold(
            wish.bundle_id, wish.recipient_msisdn, wish.idempotency_key, wish.caller
        )
        if wanted.existing is not None:
            return Placed(wanted.existing, created=False)
        line = _sellable(wanted, wish.bundle_id)
        if wish.source == "store":
            _refuse_out_of_hours(wanted)
        if wish.price_seen_pesewas not in (None, line.price_pesewas):
            raise refusals.PriceChanged(line.price_pesewas)
        crowding.refuse(wanted.counts, wish.recipient_msisdn)
        if wanted.repeat is not None and not wish.repeat_confirmed:
            raise refusals.RepeatAsked(wanted.repeat)
        row = new_row(wanted.source, line, wish)
        if wish.online:
            return Placed(_added_to_pay(row, wish, wanted), created=True)
        code = wanted.pay_code or pay_codes.one_of_many(current_store_id())
        return Placed(added(row | {"pay_code": code}, wish.actor), created=True)


def _added_to_pay(row: dict[str, Any], wish: Wish, wanted: Wanted) -> Order:
    """An order that waits to be paid online, with its first attempt, if that is a page."""
    if not _pays_online(wanted):
        raise refusals.NotPaidOnline
    waits = {"state": "awaiting_payment", "paid_online": True}
    order = added(row | waits, wish.actor)
    if not wish.by_prompt or not online.prompts.are_on():
        online.ask(order)
    return order


def _pays_online(wanted: Wanted) -> bool:
    """Whether what is wanted may be paid online: switched on for the platform and the store, and
    the price leaves the agent price after the gateway's fee. No statement where the store has it
    off."""
    store, line = wanted.store, wanted.line
    if store is None or line is None or not store.pay_online:
        return False
    floor = online.floor_of(wanted.source.agent_price_pesewas)
    is_covered = line.price_pesewas >= floor
    return is_covered and online.is_configured() and online.is_on(store.id)


def added(values: dict[str, Any], actor: Actor) -> Order:
    """The row and the first line of its timeline."""
    first = timeline.line(
        values["store_id"],
        actor,
        "placed",
        f"{actor.name} placed the order." if actor.kind == "agent" else "Order placed.",
        customer_text=later("Ordered"),
    )
    (row,), _line = round_trip.within(
        [
            round_trip.adding(Order, values),
            # the order of the statement before
            round_trip.adding(OrderEvent, first, order_id="currval('orders_id_seq')"),
        ]
    )
    return round_trip.made(Order, row)


def new_row(source: Any, line: ShelfLine, wish: Wish) -> dict[str, Any]:
    """The columns of a new order of the current store. `source`: see `Wanted`."""
    store_id = current_store_id()
    now = clock.now()
    return {
        "store_id": store_id,
        "code": new_code(),
        "order_ref": new_order_ref(),
        "idempotency_key": wish.idempotency_key,
        "source": wish.source,
        "customer_name": wish.customer_name.strip()[:60],
        "recipient_msisdn": wish.recipient_msisdn,
        "network": line.network,
        "mb": line.mb,
        "validity": line.validity,
        "bundle_id": line.bundle_id,
        "product_name": source.product_name,
        "capacity": source.capacity,
        "price_pesewas": line.price_pesewas,
        "agent_price_pesewas": source.agent_price_pesewas,
        "cost_pesewas": source.cost_pesewas,
        "state": "pending",
        "version": 1,
        "attempt": 0,
        "resends": 0,
        "lookups_gone": 0,
        "ever_unknown": False,
        "created_at": now,
        "pending_since": now,
        "placed_device": wish.caller.device_key,
        "placed_address": wish.caller.address_key,
    }


def _refuse_out_of_hours(wanted: Wanted) -> None:
    """For what customers order themselves: at the counter somebody is there."""
    if wanted.store is not None and opening_hours.is_shut(wanted.store):
        raise refusals.StoreClosed(opening_hours.away(wanted.store))


def _sellable(wanted: Wanted, bundle_id: int) -> ShelfLine:
    store = wanted.store
    now = wanted.now
    if store is None or not store.is_open:
        raise refusals.StoreClosed(
            (store and store.closed_note)
            or say("This store is closed at the moment. Try again later.")
        )
    if now.everything is not None:
        raise refusals.of_stop(now.everything)
    line = wanted.line
    if line is None:
        raise refusals.BundleUnavailable
    refuse_paused(line.network, now)
    stop = now.why_not(line.network, bundle_id)
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
