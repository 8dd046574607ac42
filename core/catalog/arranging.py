"""The order in which a store shows its bundles: those it recommends first, then as its agent has
put them, then by size.

Of the current store. A press names the place it wants, so pressed twice it is done once.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from sqlalchemy import Select, select

from core import audit
from core.audit import Actor
from core.base.db import db, transaction
from core.base.phones import NETWORKS
from core.base.refusal import Refusal
from core.base.tenancy import current_store_id
from core.catalog import pricing
from core.catalog.bundles import Bundle, StoreBundle, size_text
from core.catalog.shelves import shop_order

Row = tuple[Bundle, StoreBundle]

MOST_FEATURED = 3
"""Of a network: where all is recommended, nothing is."""


class NotArranged(Refusal):
    """A bundle that cannot be put there. `sentence` says why."""


@dataclass(frozen=True)
class Placed:
    """A bundle in the order of the shop. `at` and `of`: its place among those it may change places
    with, from 1, and how many these are."""

    bundle_id: int
    network: str
    mb: int
    validity: str
    price_pesewas: int
    featured: bool
    at: int
    of: int

    @property
    def size_text(self) -> str:
        return size_text(self.mb)

    @property
    def name(self) -> str:
        return f"{NETWORKS[self.network].name} {self.size_text}"


def arrangement() -> list[Placed]:
    """What the store shows, in the order its customers see."""
    placed = []
    for _group_key, group in groupby(_rows(_shown()), key=_group):
        rows = list(group)
        for at, (bundle, own) in enumerate(rows, 1):
            placed.append(
                Placed(
                    bundle.id,
                    bundle.network,
                    bundle.mb,
                    bundle.validity,
                    own.price_pesewas,
                    own.featured,
                    at,
                    len(rows),
                )
            )
    return placed


def by_hand() -> set[str]:
    """The networks whose bundles the agent has put in an order of their own."""
    query = (
        select(Bundle.network)
        .join(StoreBundle, StoreBundle.bundle_id == Bundle.id)
        .where(StoreBundle.place.is_not(None))
    )
    return set(db.session.scalars(query.distinct()))


def put(bundle_id: int, place: int, actor: Actor) -> str | None:
    """Put a bundle on a place, from 1, among those of its network that are recommended as it is.
    Returns its name; None when it stands there already. Raises `NotArranged`."""
    with transaction():
        rows = _rows(_shown().with_for_update(of=StoreBundle))
        bundle, own = _one(rows, bundle_id)
        beside = [row for row in rows if _group(row) == _group((bundle, own))]
        wanted = [row for row in beside if row[1] is not own]
        wanted.insert(max(place - 1, 0), (bundle, own))
        if wanted == beside:
            return None
        for at, (_bundle, each) in enumerate(wanted, 1):
            each.place = at
        _say(actor, "put_bundle", bundle, {"place": wanted.index((bundle, own)) + 1})
    return _name(bundle)


def feature(bundle_id: int, featured: bool, actor: Actor) -> str | None:
    """Recommend a bundle to customers, or no longer. Returns its name; None when that is so
    already. Raises `NotArranged`."""
    with transaction():
        rows = _rows(_shown().with_for_update(of=StoreBundle))
        bundle, own = _one(rows, bundle_id)
        if own.featured == featured:
            return None
        if featured:
            _refuse_more(bundle.network)
        own.featured = featured
        own.place = None
        _say(actor, "feature_bundle", bundle, {"featured": featured})
    return _name(bundle)


def arrange_by_size(network: str, actor: Actor) -> bool:
    """Have a network's bundles by size again; recommended ones stay first. Returns whether they
    were not."""
    with transaction() as session:
        query = (
            select(StoreBundle)
            .join(Bundle, Bundle.id == StoreBundle.bundle_id)
            .where(Bundle.network == network, StoreBundle.place.is_not(None))
            .order_by(StoreBundle.id)
            .with_for_update(of=StoreBundle)
        )
        found = session.scalars(query).all()
        for own in found:
            own.place = None
        if found:
            audit.write(
                actor,
                "shelf_by_size",
                f"store:{current_store_id()}",
                {"network": network},
            )
            pricing.moved()
    return bool(found)


def _refuse_more(network: str) -> None:
    """Raises `NotArranged` when as many of the network are recommended as may be, those hidden for
    a while among them: they come back as they were."""
    query = (
        select(StoreBundle.hidden)
        .join(Bundle, Bundle.id == StoreBundle.bundle_id)
        .where(Bundle.active, Bundle.network == network, StoreBundle.featured)
    )
    hidden = db.session.scalars(query).all()
    if len(hidden) < MOST_FEATURED:
        return
    if any(hidden):
        how = f", {sum(hidden)} of them hidden. Show a hidden one in Prices, or take"
        how += " another one back first."
    else:
        how = ". Take one of them back first."
    raise NotArranged(
        f"{len(hidden)} bundles of {NETWORKS[network].name} are recommended already{how}"
    )


def _shown() -> Select[Bundle, StoreBundle]:
    return (
        select(Bundle, StoreBundle)
        .join(StoreBundle, StoreBundle.bundle_id == Bundle.id)
        .where(Bundle.active, ~StoreBundle.hidden)
        .order_by(StoreBundle.id)
    )


def _rows(query: Select[Bundle, StoreBundle]) -> list[Row]:
    found = [(bundle, own) for bundle, own in db.session.execute(query)]
    return sorted(found, key=_key)


def _key(row: Row) -> tuple[int, bool, int, int, str]:
    bundle, own = row
    return shop_order(
        bundle.network, own.featured, own.place, bundle.mb, bundle.validity
    )


def _group(row: Row) -> tuple[str, bool]:
    return row[0].network, row[1].featured


def _one(rows: list[Row], bundle_id: int) -> Row:
    for row in rows:
        if row[0].id == bundle_id:
            return row
    raise NotArranged("That bundle is not on your shelf now. Look the list over.")


def _say(actor: Actor, action: str, bundle: Bundle, detail: dict[str, object]) -> None:
    subject = f"store:{current_store_id()}/bundle:{bundle.id}"
    audit.write(actor, action, subject, detail)
    pricing.moved()


def _name(bundle: Bundle) -> str:
    return f"{NETWORKS[bundle.network].name} {size_text(bundle.mb)}"
