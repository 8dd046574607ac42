"""A store's prices as its agent sees and types them: what each bundle costs, what is asked for it,
what is left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from core.audit import Actor
from core.base import clock, money
from core.base.db import db, rows_changed, transaction
from core.base.preconditions import inside_use_case
from core.base.refusal import Refusal
from core.catalog import pricing
from core.catalog.bundles import Bundle, StoreBundle, all_bundles, hold, size_text


class NoSuchBundle(Refusal):
    """No bundle of that id."""

    sentence = "That bundle does not exist. Reload the page."


class BelowFloor(Refusal):
    """A price that cannot be saved. `sentence` names the bundle and the floor."""


@dataclass(frozen=True)
class PriceLine:
    """A bundle as its agent sees it. `agent_price_pesewas` is the cost to the agent and the
    floor."""

    bundle_id: int
    network: str
    mb: int
    size_text: str
    validity: str
    agent_price_pesewas: int
    price_pesewas: int | None
    hidden: bool
    active: bool
    trouble: str | None = None
    """Why no store sells it now: `unlisted`, or `cost` while a new agent price is being decided."""

    featured: bool = False

    @property
    def below_floor(self) -> bool:
        return (
            self.price_pesewas is not None
            and self.price_pesewas < self.agent_price_pesewas
        )


def price_table() -> list[PriceLine]:
    """Every bundle with the current store's price for it."""
    prices = {row.bundle_id: row for row in db.session.scalars(select(StoreBundle))}
    lines = []
    for bundle in all_bundles():
        own = prices.get(bundle.id)
        if own is None and not bundle.active:
            continue
        lines.append(
            PriceLine(
                bundle.id,
                bundle.network,
                bundle.mb,
                size_text(bundle.mb),
                bundle.validity,
                bundle.agent_price_pesewas,
                own.price_pesewas if own else None,
                own.hidden if own else True,
                bundle.active,
                _trouble(bundle),
                own is not None and own.featured,
            )
        )
    return lines


def save_price(
    bundle_id: int,
    price_pesewas: int,
    hidden: bool,
    actor: Actor,
) -> None:
    """Save one price of the current store. Raises `BelowFloor` or `NoSuchBundle`."""
    problems = save_prices({bundle_id: (price_pesewas, hidden)}, actor)
    if problems:
        if db.session.get(Bundle, bundle_id) is None:
            raise NoSuchBundle()
        raise BelowFloor(problems[bundle_id])


def save_prices(
    changes: Mapping[int, tuple[int, bool]],
    actor: Actor,
    shown: Mapping[int, tuple[int | None, bool]] | None = None,
) -> dict[int, str]:
    """Save several prices of the current store, all or none: bundle id -> (price in pesewas,
    hidden). `shown`: what a change was decided over, in the same form; it may be left out.

    Returns a sentence for each bundle that stands in the way; empty means saved. Raises
    `ShownOtherwise` where something else stands than was shown.
    """
    with transaction():
        bundles = hold(changes)
        problems = {
            bundle_id: problem
            for bundle_id, (price, _hidden) in changes.items()
            if (problem := _problem(bundles.get(bundle_id), price))
        }
        if problems:
            return problems
        before = pricing.rows_held()
        for bundle_id, (price, hidden) in changes.items():
            row = before.get(bundle_id)
            stands = (row.price_pesewas, row.hidden) if row else (None, True)
            if stands == (price, hidden):
                continue
            if shown and shown.get(bundle_id, stands) != stands:
                raise pricing.ShownOtherwise
            wanted = pricing.Wanted(price, hidden)
            pricing.write(row, bundles[bundle_id], wanted, actor, "typed")
        pricing.moved()
    return {}


@inside_use_case
def price_new_bundles(store_id: int, markup_bp: int) -> int:
    """Give a store a price for each active bundle it has none for. Returns how many."""
    rows = [
        {
            "store_id": store_id,
            "bundle_id": bundle.id,
            "hidden": False,
            "changed_at": clock.now(),
            "agent_price_pesewas": bundle.agent_price_pesewas,
            "price_pesewas": money.add_percent_rounding_up(
                bundle.agent_price_pesewas, markup_bp
            ),
        }
        for bundle in db.session.scalars(select(Bundle).where(Bundle.active))
    ]
    if not rows:
        return 0
    return rows_changed(
        insert(StoreBundle)
        .values(rows)
        .on_conflict_do_nothing(index_elements=["store_id", "bundle_id"])
    )


def _trouble(bundle: Bundle) -> str | None:
    if bundle.unlisted_since is not None:
        return "unlisted"
    return None if bundle.is_sold or not bundle.active else "cost"


def _problem(bundle: Bundle | None, price_pesewas: int) -> str | None:
    if bundle is None:
        return NoSuchBundle.sentence
    return pricing.problem(bundle, price_pesewas)
