"""Bundles of which no list said how long they last: when one says it, the bundle takes over the
words and stays the same row.

Decides which bundle that is. The row keeps its prices, hidden flags and open orders.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import select, text

from core.base.db import db
from core.base.preconditions import inside_use_case
from core.catalog import choosing, validity
from core.catalog.bundles import Bundle, SupplierOffer
from core.catalog.choosing import Meaning

Lasting = Mapping[str, tuple[str, int, str]]
"""By product code: network, megabytes, and the words for how long."""


@inside_use_case
def follow(
    before: Lasting,
    offers: Sequence[SupplierOffer],
    *,
    is_whole: bool,
) -> None:
    """Name the bundles of which `offers`, as a list has just left them, say more than `before` it.

    Before the bundles are settled. `is_whole`: what the list does not name is missing.
    """
    query = select(Bundle).order_by(Bundle.id).with_for_update(key_share=True)
    bundles = choosing.by_meaning(db.session.scalars(query))
    for key, bundle in list(bundles.items()):
        sold = [row for row in offers if _was(before, row) == key]
        named = _that_name(bundle, key, sold)
        may_be_renamed = is_whole and bundle.active and _is_missing(sold)
        if not named and may_be_renamed:
            unknown = [row for row in offers if row.product_code not in before]
            named = _that_name(bundle, key, unknown)
        for found, words in _durations(bundle, key, sold, named).items():
            _become(bundle, words, bundles.get(found))
            bundles.setdefault(found, bundle)


def _is_missing(sold: Sequence[SupplierOffer]) -> bool:
    return all(row.missing_since is not None for row in sold)


def _durations(
    bundle: Bundle,
    key: Meaning,
    sold: Sequence[SupplierOffer],
    named: Sequence[SupplierOffer],
) -> dict[Meaning, str]:
    """What the bundle lasts by the offers that name it now, in their words. Of several durations it
    is that of the offer that was bought for it.

    Where there is one only, the other offers `sold` as this bundle take its words: all that was
    sold as one is one, until a list says otherwise.
    """
    durations = {choosing.meaning(row): row.validity for row in named}
    if len(durations) > 1:
        bought = [row for row in named if row.id == bundle.offer_id]
        return {choosing.meaning(row): row.validity for row in bought}
    for words in durations.values():
        _take_words(key, sold, words)
    return durations


def _take_words(
    key: Meaning,
    sold: Sequence[SupplierOffer],
    words: str,
) -> None:
    for row in sold:
        if choosing.meaning(row) == key:
            row.validity = words


def _was(before: Lasting, row: SupplierOffer) -> Meaning | None:
    network, mb, words = before.get(row.product_code, ("", 0, ""))
    if (network, mb) != (row.network, row.mb):
        return None
    return network, mb, validity.meaning(words)


def _that_name(
    bundle: Bundle,
    key: Meaning,
    offers: Sequence[SupplierOffer],
) -> list[SupplierOffer]:
    """Those of the newest list that are this bundle but for their words, which say more than the
    bundle's own."""
    return [
        row
        for row in offers
        if (row.network, row.mb) == key[:2]
        and row.missing_since is None
        and choosing.meaning(row) != key
        and validity.adds_nothing(bundle.validity, row.validity)
    ]


def _become(bundle: Bundle, words: str, namesake: Bundle | None) -> None:
    """From now on it lasts so long. Where a bundle of that name is there already, that one goes on:
    with its own prices when it is on sale, else with those agents have now.
    """
    if namesake is None:
        bundle.validity = words
        return
    if not namesake.active:
        db.session.execute(_TAKE_OVER, {"to": namesake.id, "from": bundle.id})
    choosing.hide(bundle)


_TAKE_OVER = text(
    "UPDATE store_bundles t SET price_pesewas = f.price_pesewas, hidden = f.hidden, changed_at ="
    " f.changed_at, agent_price_pesewas = f.agent_price_pesewas, featured = f.featured, place ="
    " f.place FROM store_bundles f WHERE f.store_id = t.store_id AND t.bundle_id = :to AND"
    " f.bundle_id = :from"
)
