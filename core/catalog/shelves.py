"""What customers of a store see on its shelf, and in which order."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
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
)

from core.base.db import db
from core.catalog.bundles import Bundle, StoreBundle, network_order, size_text

OF_SHELF = 7
"""Columns of `sellable`, before whatever a larger statement adds."""


@dataclass(frozen=True)
class ShelfLine:
    """A bundle as the customers of the current store see it."""

    bundle_id: int
    network: str
    mb: int
    size_text: str
    validity: str
    price_pesewas: int
    featured: bool = False
    """Its agent recommends it."""
    place: int | None = None
    """Where its agent has put it; None: by size, behind those that have a place."""


def shelf() -> list[ShelfLine]:
    """What the current store sells now: active, not hidden, priced at or above the floor. In
    the order of the shop."""
    return shelf_of_rows(db.session.execute(sellable()))


def shelf_of_rows(rows: Iterable[Sequence[Any]]) -> list[ShelfLine]:
    """The shelf, by rows of `sellable_as_json` or its like."""
    return sorted((shelf_line_of(*row) for row in rows), key=_line_order)


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


def sellable() -> Select[int, str, int, str, int, bool, int | None]:
    """What stores sell now, each line of each store that may be seen."""
    return (
        select(
            Bundle.id,
            Bundle.network,
            Bundle.mb,
            Bundle.validity,
            StoreBundle.price_pesewas,
            StoreBundle.featured,
            StoreBundle.place,
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


def shelf_line_of(
    bundle_id: int,
    network: str,
    mb: int,
    validity: str,
    price_pesewas: int,
    featured: bool,
    place: int | None,
) -> ShelfLine:
    """A line of the shelf, by a row of `sellable`."""
    return ShelfLine(
        bundle_id,
        network,
        mb,
        size_text(mb),
        validity,
        price_pesewas,
        featured,
        place,
    )


def shop_order(
    network: str, featured: bool, place: int | None, mb: int, validity: str
) -> tuple[int, bool, int, int, str]:
    """The order of a shop: network as people name them, what is recommended, what its agent has put
    on a place, then by size."""
    return network_order(network), not featured, place or _NO_PLACE, mb, validity


def _line_order(line: ShelfLine) -> tuple[int, bool, int, int, str]:
    return shop_order(line.network, line.featured, line.place, line.mb, line.validity)


_NO_PLACE = 1_000_000
