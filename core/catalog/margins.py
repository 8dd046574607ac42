"""Bundles that cost the agent something else since he last set their price: before and after, and
keeping the margin.

Of the current store. The margin kept is in cedis, not in percent: what the agent earns on each
order stays what it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, select

from core.audit import Actor
from core.base import round_trip
from core.base.db import db, transaction
from core.base.phones import NETWORKS
from core.catalog import pricing
from core.catalog.bundles import Bundle, StoreBundle, hold, shelf_order, size_text
from core.catalog.pricing import MOST_PRICE_PESEWAS

S = TypeVar("S", bound=Select[*tuple[Any, ...]])


@dataclass(frozen=True)
class PriceChange:
    """What a bundle cost the agent when he set its price, and what it costs him now. Amounts in
    pesewas."""

    bundle_id: int
    network: str
    size_text: str
    validity: str
    before_pesewas: int
    after_pesewas: int
    price_pesewas: int
    hidden: bool

    @property
    def name(self) -> str:
        return f"{NETWORKS[self.network].name} {self.size_text}"

    @property
    def kept_pesewas(self) -> int:
        """The price that leaves the agent what the present one left him before, and never less than
        nothing."""
        return max(
            self.price_pesewas + self.after_pesewas - self.before_pesewas,
            self.after_pesewas,
        )

    @property
    def keeps(self) -> bool:
        """Whether that is just what the agent earned before."""
        return (
            self.kept_pesewas - self.after_pesewas
            == self.price_pesewas - self.before_pesewas
        )

    @property
    def is_below(self) -> bool:
        """Whether the present price does not cover what the bundle costs now: it is off the
        shelf."""
        return self.price_pesewas < self.after_pesewas


@dataclass(frozen=True)
class Notices:
    """What an agent should know of his shelf: costs that changed, and what of it nobody sells now,
    by name."""

    changes: list[PriceChange]
    unlisted: list[str]
    """In no offer of the newest list."""
    undecided: list[str]
    """Its cost has risen and what agents pay for it is being decided."""


@dataclass(frozen=True)
class Kept:
    """What a press did, by name of bundle. `stale`: the cost has moved since the page was drawn, or
    was decided already."""

    saved: list[str]
    stale: list[str]


def price_changes() -> list[PriceChange]:
    """What waits for the agent's word, by network and size."""
    return notices().changes


def notices() -> Notices:
    """What the agent of the current store should know. One statement."""
    return _notices(db.session.execute(_noticed(select(Bundle, StoreBundle))))


def noticed_in(store_id: ColumnElement[int]) -> Select[*tuple[Any, ...]]:
    """What of a store's shelf its agent should know: the rows of `notices_by`."""
    own = [one.label(f"{_OWN}{one.key}") for one in StoreBundle.__table__.c]
    both = _noticed(select(*Bundle.__table__.c, *own))
    return both.where(StoreBundle.store_id == store_id)


def notices_by(rows: Iterable[Any]) -> Notices:
    """As `notices`, by the rows of `noticed_in`."""
    own = [one.key for one in StoreBundle.__table__.c]
    return _notices(
        (
            round_trip.made(Bundle, row),
            round_trip.made(StoreBundle, row, own, _OWN),
        )
        for row in rows
    )


_OWN = "own_"


def _noticed(query: S) -> S:
    return query.join_from(
        Bundle, StoreBundle, StoreBundle.bundle_id == Bundle.id
    ).where(
        Bundle.active,
        (StoreBundle.agent_price_pesewas != Bundle.agent_price_pesewas)
        | Bundle.unlisted_since.is_not(None)
        | (Bundle.agent_price_pesewas <= Bundle.cost_pesewas),
    )


def _notices(found: Iterable[tuple[Bundle, StoreBundle]]) -> Notices:
    pairs = sorted(found, key=lambda pair: shelf_order(pair[0]))
    missed = [
        (bundle, _change(bundle, own).name)
        for bundle, own in pairs
        if not own.hidden and not bundle.is_sold
    ]
    changes = [_change(bundle, own) for bundle, own in pairs]
    return Notices(
        [change for change in changes if change.before_pesewas != change.after_pesewas],
        [name for bundle, name in missed if bundle.unlisted_since is not None],
        [name for bundle, name in missed if bundle.unlisted_since is None],
    )


def keep_margins(seen: Mapping[int, int], actor: Actor) -> Kept:
    """Move the store's prices by as much as the cost moved: bundle id -> the new cost the page
    showed. The same press a second time changes nothing."""
    return _decide(seen, actor, move=True)


def leave_prices(seen: Mapping[int, int], actor: Actor) -> Kept:
    """The agent has seen the new costs and leaves his prices as they are; those that do not cover
    them stay off the shelf."""
    return _decide(seen, actor, move=False)


def _decide(seen: Mapping[int, int], actor: Actor, *, move: bool) -> Kept:
    kept = Kept([], [])
    with transaction() as session:
        bundles = hold(seen)
        query = (
            select(StoreBundle)
            .where(StoreBundle.bundle_id.in_(seen))
            .order_by(StoreBundle.id)
            .with_for_update()
        )
        for own in session.scalars(query):
            bundle = bundles[own.bundle_id]
            change = _change(bundle, own)
            if (
                change.after_pesewas != seen[bundle.id]
                or change.before_pesewas == change.after_pesewas
            ):
                kept.stale.append(change.name)
                continue
            if move and change.kept_pesewas > MOST_PRICE_PESEWAS:
                kept.stale.append(change.name)
                continue
            kept.saved.append(change.name)
            wanted = pricing.Wanted(
                change.kept_pesewas if move else change.price_pesewas, own.hidden
            )
            how: pricing.How = "kept_margin" if move else "left"
            pricing.write(own, bundle, wanted, actor, how)
        if kept.saved:
            pricing.moved()
    return kept


def _change(bundle: Bundle, own: StoreBundle) -> PriceChange:
    now_pesewas = bundle.agent_price_pesewas
    return PriceChange(
        bundle.id,
        bundle.network,
        size_text(bundle.mb),
        bundle.validity,
        now_pesewas if own.agent_price_pesewas is None else own.agent_price_pesewas,
        now_pesewas,
        own.price_pesewas,
        own.hidden,
    )
