"""The supplier's offers as its newest list has them: each product's words, cost and duration, and
since when one is missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

from sqlalchemy import select

from core.base import clock, config
from core.base.db import db
from core.base.preconditions import inside_use_case
from core.catalog import naming, validity
from core.catalog.bundles import SupplierOffer


class OfferLike(Protocol):
    """What an adapter tells of one product; `integrations.ports.Offer` fits."""

    @property
    def product_code(self) -> str: ...
    @property
    def product_name(self) -> str: ...
    @property
    def capacity(self) -> str: ...
    @property
    def mb(self) -> int: ...
    @property
    def validity(self) -> str: ...
    @property
    def cost_pesewas(self) -> int: ...
    @property
    def network(self) -> str: ...


@inside_use_case
def store_offers(
    supplier: str,
    offers: Sequence[OfferLike],
    *,
    is_whole: bool,
) -> None:
    """Keep what the list says of each product, and name the bundles of which it says more.
    `is_whole`: what it does not name is missing."""
    session = db.session
    now = clock.now()
    rows = session.scalars(
        select(SupplierOffer)
        .where(SupplierOffer.supplier == supplier)
        .with_for_update()
    )
    known = {row.product_code: row for row in rows}
    every = list(known.values())
    before = {code: (row.network, row.mb, row.validity) for code, row in known.items()}
    sold = {code: before[code] for code, row in known.items() if row.active}
    for offer in {offer.product_code: offer for offer in offers}.values():
        row = known.pop(offer.product_code, None)
        if row is None:
            row = SupplierOffer(supplier=supplier, product_code=offer.product_code)
            session.add(row)
            every.append(row)
        mb = _size(offer, row)
        _forget_what_is_over(row, offer, mb)
        row.product_name = offer.product_name
        row.capacity = offer.capacity
        row.network = offer.network
        row.mb = mb
        row.validity = _lasts(offer, mb, before.get(offer.product_code), sold.values())
        row.cost_pesewas = offer.cost_pesewas
        row.active = True
        row.seen_at = now
        row.missing_since = None
    if is_whole:
        for row in known.values():
            _note_missing(row, now)
    naming.follow(before, every, is_whole=is_whole)


def _note_missing(row: SupplierOffer, now: datetime) -> None:
    """The newest list does not name this product: from its second list without it, at least
    `gone_gap_s` after the first, it is offered no more."""
    if not row.active:
        return
    if row.missing_since is None:
        row.missing_since = now
    elif now - row.missing_since >= clock.delta(config.current().gone_gap_s):
        row.active = False


def _size(offer: OfferLike, row: SupplierOffer) -> int:
    """Its megabytes. A product that goes over from gigabytes of 1024 to such of 1000, or back, is
    the size it was."""
    if row.network != offer.network:
        return offer.mb
    known = row.mb
    is_smaller_unit = known * 1000 == offer.mb * 1024
    is_larger_unit = known * 1024 == offer.mb * 1000
    if is_smaller_unit or is_larger_unit:
        return known
    return offer.mb


def _lasts(
    offer: OfferLike,
    mb: int,
    own: tuple[str, int, str] | None,
    sold: Iterable[tuple[str, int, str]],
) -> str:
    """How long it lasts. A list that does not say, or not in which unit, changes nothing of what is
    known: of this product, else of the one duration in which this size was sold.
    """
    if own is not None and own[:2] == (offer.network, mb):
        known = own[2]
    else:
        durations = {
            validity.meaning(words): words
            for *size, words in sold
            if size == [offer.network, mb]
        }
        known = next(iter(durations.values())) if len(durations) == 1 else ""
    if known and validity.adds_nothing(offer.validity, known):
        return known
    return offer.validity


def _forget_what_is_over(row: SupplierOffer, offer: OfferLike, mb: int) -> None:
    """A charge or a refusal was about what the list said then. A refusal is also over after
    `gone_gap_s`: one order finds out whether the supplier sells it again.
    """
    now = clock.now()
    said = (offer.product_name, offer.capacity, offer.network, mb, offer.cost_pesewas)
    before = (row.product_name, row.capacity, row.network, row.mb, row.cost_pesewas)
    if said != before:
        row.price_since = now
        row.charged_pesewas = None
        row.refused_at = None
        return
    gone_gap = clock.delta(config.current().gone_gap_s)
    if row.refused_at is not None and now - row.refused_at >= gone_gap:
        row.refused_at = None
