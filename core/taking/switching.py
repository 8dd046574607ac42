"""Whether a store's customers may pay online: what it needs for that, and its own switch.

Off until its agent switches it on. What goes missing later switches nothing off by itself: what
cannot be paid online just now is not offered so (`orders.placing`).
"""

from __future__ import annotations

from dataclasses import dataclass

from core import catalog, online, requirements
from core.audit import Actor
from core.base.refusal import Refusal
from core.requirements import Facts, Item


class NotReady(Refusal):
    """The store needs more before its customers may pay online. `sentence` says what first."""


@dataclass(frozen=True)
class Covered:
    """How many bundles of a shelf leave the agent price after the gateway's fee, of how many."""

    bundles: int
    of: int


def items(facts: Facts, covered: Covered, *, is_offered: bool) -> tuple[Item, ...]:
    """Everything a store needs to be paid online. `is_offered`: the platform takes payments."""
    found = [_platform(is_offered), _approval(facts), _prices(covered)]
    if facts.wants_terms:
        found.append(_terms(facts))
    return tuple(found)


def needed(store_id: int) -> tuple[Item, ...]:
    """What the current store needs to be paid online, as it stands."""
    is_offered = online.is_configured() and online.platform_is_on()
    facts = requirements.facts_of(store_id)
    return items(facts, covered(), is_offered=is_offered)


def covered() -> Covered:
    """How the current store's prices stand to the gateway's fee."""
    shelf = catalog.shelf()
    bundles = catalog.by_ids(line.bundle_id for line in shelf)
    fit = [
        line
        for line in shelf
        if line.price_pesewas
        >= online.floor_of(bundles[line.bundle_id].agent_price_pesewas)
    ]
    return Covered(len(fit), len(shelf))


def switch(store_id: int, on: bool, actor: Actor) -> None:
    """The agent's own switch. Writes an audit line. Raises `NotReady`."""
    if on:
        for item in needed(store_id):
            if item.state != "done":
                raise NotReady(f"Customers cannot pay online yet. {item.sentence}.")
    online.switch_store(store_id, on, actor)


def _platform(is_offered: bool) -> Item:
    if is_offered:
        return Item("platform", "done", "pay_online", "Makola takes online payments")
    said = "Makola does not take online payments now: nothing is for you to do"
    return Item("platform", "waiting", "pay_online", said)


def _approval(facts: Facts) -> Item:
    if facts.approval == "approved":
        said = "The owner of Makola approved the store"
        return Item("approval", "done", "pay_online", said)
    said = "The owner of Makola has not approved the store yet"
    return Item("approval", "waiting", "pay_online", said)


def _prices(covered: Covered) -> Item:
    if covered.bundles:
        said = f"{covered.bundles} of {covered.of} prices cover the fee"
        return Item("prices", "done", "pay_online", said, "/prices")
    said = "No price of yours covers the fee: raise one"
    return Item("prices", "missing", "pay_online", said, "/prices")


def _terms(facts: Facts) -> Item:
    if facts.has_terms:
        return Item("terms", "done", "pay_online", "You agreed to the terms")
    said = "Read the terms and agree to them"
    return Item("terms", "missing", "pay_online", said, "/terms")
