"""A store's prices: what customers see, what the agent earns, and the floor below which nothing is
sold."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    ScalarSelect,
    Select,
    Text,
    cast,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from core import audit
from core.audit import Actor
from core.base import clock, money
from core.base.db import db, rows_changed, transaction
from core.base.phones import NETWORKS
from core.base.preconditions import inside_use_case
from core.base.refusal import Refusal
from core.base.tenancy import current_store_id
from core.catalog.bundles import (
    Bundle,
    StoreBundle,
    all_bundles,
    hold,
    shelf_order,
    size_text,
)
from core.stores import Store

MOST_PRICE_PESEWAS = 1_000_000
"""GHS 10,000 for one bundle; more is a typing mistake."""


class NoSuchBundle(Refusal):
    """No bundle of that id."""

    sentence = "That bundle does not exist. Reload the page."


class BelowFloor(Refusal):
    """A price that cannot be saved. `sentence` names the bundle and the floor."""


@dataclass(frozen=True)
class ShelfLine:
    """A bundle as the customers of the current store see it."""

    bundle_id: int
    network: str
    mb: int
    size_text: str
    validity: str
    price_pesewas: int


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

    @property
    def below_floor(self) -> bool:
        return (
            self.price_pesewas is not None
            and self.price_pesewas < self.agent_price_pesewas
        )


def shelf() -> list[ShelfLine]:
    """What the current store sells now: active, not hidden, priced at or above the floor. By
    network, then size."""
    return shelf_of_rows(db.session.execute(sellable()))


def shelf_of_rows(rows: Iterable[Sequence[Any]]) -> list[ShelfLine]:
    """The shelf, by rows of `sellable_as_json` or its like."""
    return sorted((shelf_line_of(*row) for row in rows), key=shelf_order)


def sellable_as_json(store_id: ColumnElement[int]) -> ScalarSelect[str]:
    """What a store sells, as one text in a larger statement; `shelf_of_json` reads it."""
    rows = sellable().where(StoreBundle.store_id == store_id).subquery()
    each = func.json_build_array(*rows.c)
    return select(
        cast(func.coalesce(func.json_agg(each), text("'[]'")), Text)
    ).scalar_subquery()


@lru_cache(maxsize=500)
def shelf_of_json(said: str) -> tuple[ShelfLine, ...]:
    """The shelf, by the text of `sellable_as_json`. Most shelves are asked for again unchanged."""
    return tuple(shelf_of_rows(json.loads(said)))


def shelf_line(bundle_id: int) -> ShelfLine | None:
    """One bundle of the shelf, or None when the store does not sell it now."""
    row = db.session.execute(sellable().where(Bundle.id == bundle_id)).first()
    return shelf_line_of(*row) if row else None


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
    changes: Mapping[int, tuple[int, bool]], actor: Actor
) -> dict[int, str]:
    """Save several prices of the current store, all or none: bundle id -> (price in pesewas,
    hidden).

    Returns a sentence for each bundle that stands in the way; empty means saved.
    """
    with transaction() as session:
        bundles = hold(changes)
        problems = {
            bundle_id: problem
            for bundle_id, (price, _hidden) in changes.items()
            if (problem := _problem(bundles.get(bundle_id), price))
        }
        if problems:
            return problems
        before = {
            row.bundle_id: row
            for row in session.scalars(select(StoreBundle).with_for_update())
        }
        for bundle_id, (price, hidden) in changes.items():
            row = before.get(bundle_id)
            if row is not None and (row.price_pesewas, row.hidden) == (price, hidden):
                continue
            old_pesewas = row.price_pesewas if row else None
            floor_pesewas = bundles[bundle_id].agent_price_pesewas
            if row is None:
                row = StoreBundle(bundle_id=bundle_id)
                session.add(row)
            row.price_pesewas = price
            row.agent_price_pesewas = floor_pesewas
            row.hidden = hidden
            row.changed_at = clock.now()
            audit.write(
                actor,
                "save_price",
                f"store:{current_store_id()}/bundle:{bundle_id}",
                {
                    "price_pesewas": price,
                    "hidden": hidden,
                    "before_pesewas": old_pesewas,
                },
            )
        session.execute(
            update(Store)
            .where(Store.id == current_store_id())
            .values(version=Store.version + 1)
        )
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


def sellable() -> Select[int, str, int, str, int]:
    """What stores sell now, each line of each store that may be seen."""
    return (
        select(
            Bundle.id,
            Bundle.network,
            Bundle.mb,
            Bundle.validity,
            StoreBundle.price_pesewas,
        )
        .join(StoreBundle, StoreBundle.bundle_id == Bundle.id)
        .where(
            Bundle.active,
            Bundle.unlisted_since.is_(None),
            Bundle.agent_price_pesewas > Bundle.cost_pesewas,
            ~StoreBundle.hidden,
            StoreBundle.price_pesewas >= Bundle.agent_price_pesewas,
        )
    )


def _trouble(bundle: Bundle) -> str | None:
    if bundle.unlisted_since is not None:
        return "unlisted"
    return None if bundle.is_sold or not bundle.active else "cost"


def shelf_line_of(
    bundle_id: int, network: str, mb: int, validity: str, price_pesewas: int
) -> ShelfLine:
    """A line of the shelf, by a row of `sellable`."""
    return ShelfLine(
        bundle_id,
        network,
        mb,
        size_text(mb),
        validity,
        price_pesewas,
    )


def _problem(bundle: Bundle | None, price_pesewas: int) -> str | None:
    if bundle is None:
        return NoSuchBundle.sentence
    name = f"{NETWORKS[bundle.network].name} {size_text(bundle.mb)}"
    if price_pesewas < bundle.agent_price_pesewas:
        return (
            f"{name} costs you {money.cedis(bundle.agent_price_pesewas)}. Type that or more; "
            f"{money.cedis(price_pesewas)} would lose money."
        )
    if price_pesewas > MOST_PRICE_PESEWAS:
        return (
            f"{money.cedis(price_pesewas)} for {name} is too high. Type"
            f" {money.cedis(MOST_PRICE_PESEWAS)} or less."
        )
    return None
