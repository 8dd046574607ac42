"""Orders that nobody could send now, by what `core.availability` answers and by the catalogue: what
people read of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core import catalog
from core.availability import Now
from core.base import clock
from core.base.language import say
from core.catalog import Bundle
from core.orders import asides, debts, pressing, refusals, sourcing
from core.orders.model import Order
from core.orders.placing import refuse_paused
from core.orders.refusals import OrderRefused
from core.stores import Store


@dataclass(frozen=True)
class Held:
    """What a page says of a new order that waits. Empty words are not said."""

    word: str = ""
    sentence: str = ""
    """Why *Process* would be refused now, whatever the wallet holds; `word` for a row, both or
    neither."""
    not_sent: str = ""
    """Why the last press was not carried out, while that, or another reason, still stands."""


def bundle_of(order: Order) -> Bundle | None:
    """The bundle of an order that waits, else None. Whoever has it hands it on to what is asked
    here."""
    if not order.is_waiting:
        return None
    return catalog.by_id(order.bundle_id)


def for_customer(
    order: Order, store: Store, now: Now, bundle: Bundle | None = None
) -> str:
    """For the customer of an order that nobody could send now: why, since when, and what to do;
    empty otherwise."""
    if order.is_test:
        return ""
    stop = now.holds_up(order.network, order.bundle_id)
    if stop is None:
        return _by_catalogue(order, store, bundle)
    if order.state in ("pending", "awaiting_payment"):
        return say(
            "%(why)s Please do not pay yet: this page says when you can. If you have paid already,"
            " nothing is lost, and %(store)s sends it when it goes on.",
            why=stop.to_customer,
            store=store.name,
        )
    if order.state != "queued" or (
        stop.reason == "float" and order.wait_reason != "float"
    ):
        return ""
    why = (
        say(
            "It has been waiting for new stock since %(time)s.",
            time=clock.shown(stop.since),
        )
        if stop.reason == "float"
        else stop.to_customer
    )
    return say("Accepted. %(why)s It is sent by itself when that is over.", why=why)


def may_pay(order: Order, now: Now, bundle: Bundle | None = None) -> bool:
    """Whether the customer of a pending order may be asked for money."""
    if order.is_test:
        return False
    stop = now.holds_up(order.network, order.bundle_id)
    return stop is None and _trouble(order, bundle) is None


def for_agent(order: Order, now: Now) -> Held:
    """As `on_page`, of one order."""
    return on_page([order], now).get(order.code, Held())


def on_page(orders: Iterable[Order], now: Now) -> dict[str, Held]:
    """What is to be said of these, by code: of those that are new and go not already, and only
    where there is something.

    It asks what the release asks. However many they are: a statement for their bundles, one for
    each paused network, and three for the wallet where a press was not carried out.
    """
    new = [order for order in orders if is_new(order)]
    left = pressing.free_pesewas() if any(order.release_refused for order in new) else 0
    return of_new(new, now, catalog.by_ids(order.bundle_id for order in new), left)


def is_new(order: Order) -> bool:
    """Whether it waits for a press, and goes not already."""
    return order.state == "pending" and order.release_at is None


def of_new(
    new: Sequence[Order], now: Now, bundles: Mapping[int, Bundle], free_pesewas: int
) -> dict[str, Held]:
    """`on_page` of orders that are new, by their bundles and what is free in the wallet."""
    paused = {
        network: _refusal(refuse_paused, network, now)
        for network in {order.network for order in new}
    }
    owes = _owes(new)
    found = {}
    for order in new:
        refusal = _refusal(asides.refuse, order)
        if not order.is_test:
            refusal = (
                refusal
                or paused[order.network]
                or _refusal(sourcing.refuse, order, bundles[order.bundle_id])
            )
        if refusal is None and not order.release_refused:
            continue
        word, sentence = (refusal.word, refusal.sentence) if refusal else ("", "")
        held = Held(word, sentence, _not_sent(order, sentence or owes, free_pesewas))
        if held != Held():
            found[order.code] = held
    return found


def _owes(new: Sequence[Order]) -> str:
    """What their store owes, asked only where a press was not carried out; empty where nothing."""
    for order in new:
        if order.release_refused:
            return debts.sentence_now(order.store_id)
    return ""


def _not_sent(order: Order, cannot: str, left_pesewas: int) -> str:
    """The present reason, not the one of then: that one is in the timeline, with its time."""
    if not order.release_refused:
        return ""
    if order.release_refused.endswith(refusals.PRESS_AGAIN):
        return order.release_refused
    short = pressing.short_of(order, left_pesewas)
    return cannot or (short.sentence if short else "")


def _refusal(ask: Callable[..., None], *of: Any) -> OrderRefused | None:
    try:
        ask(*of)
    except OrderRefused as refusal:
        return refusal
    return None


def _by_catalogue(order: Order, store: Store, bundle: Bundle | None) -> str:
    reason = _trouble(order, bundle)
    name = order.bundle_text
    if reason is None:
        return ""
    why = (
        say("%(bundle)s is not offered at the moment.", bundle=name)
        if reason == "unlisted"
        else say("The network’s price for %(bundle)s has risen.", bundle=name)
    )
    if order.state == "queued":
        return say(
            "Accepted. %(why)s %(store)s sends it when that is over, or gives your money back.",
            why=why,
            store=store.name,
        )
    return say(
        "%(why)s Please do not pay now: ask %(store)s first. If you have paid already, nothing is"
        " lost: %(store)s sends it when that is over, or gives your money back.",
        why=why,
        store=store.name,
    )


def _trouble(order: Order, bundle: Bundle | None) -> str | None:
    """Why the catalogue keeps an order from being sent. A risen cost that the customer's price
    still covers is no trouble of a pending one: its agent decides.
    """
    bundle = bundle or bundle_of(order)
    reason = sourcing.why_not(order, bundle) if bundle is not None else None
    if (
        reason == "cost"
        and bundle is not None
        and order.state == "pending"
        and bundle.is_sold
    ):
        return reason if bundle.agent_price_pesewas > order.price_pesewas else None
    return reason
