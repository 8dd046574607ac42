"""Applying the supplier's list to the catalogue: what is new, gone, moved, and whose prices fell below the floor.

An empty or failed list changes nothing. A product is hidden only after it was missing from two lists at least
`gone_gap_s` apart. Of two offers for one bundle the cheaper active one wins; the diff names the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from sqlalchemy import select, text

from core import clock, config
from core.catalog import validity
from core.catalog.bundles import Bundle, SupplierOffer, SyncReport, agent_price, size_text
from core.catalog.prices import price_new_bundles
from core.db import db, transaction
from core.phones import NETWORKS
from core.stores import Store

MOST_LEFT_OUT = 200
"""Of a list in which nothing can be read, so many products are kept by name."""
NAMED = 3
"""So many products are named beside each reason in a sentence."""


class LeftOutLike(Protocol):
    """A product that the adapter left out of the list; `integrations.ports.LeftOut` fits."""

    @property
    def product(self) -> str: ...
    @property
    def reason(self) -> str: ...


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


def last_sync() -> SyncReport | None:
    """The newest report, good or bad."""
    return db.session.scalar(select(SyncReport).order_by(SyncReport.id.desc()))


def record_failed_sync(sentence: str, left_out: Sequence[LeftOutLike] = ()) -> SyncReport:
    """The list could not be had, or nothing of it used; nothing changed. `sentence` says why."""
    with transaction() as session:
        report = SyncReport(ok=False, sentence=sentence, left_out=_kept(left_out))
        session.add(report)
        return report


def apply_sync(supplier: str, offers: Sequence[OfferLike], left_out: Sequence[LeftOutLike] = ()) -> SyncReport:
    """Apply a supplier's whole list, of which the adapter left out `left_out`. Returns the diff.

    Needs `across_stores`, for stores' prices of new bundles.
    """
    if not offers:
        said = f" {left_out_sentence(left_out, len(left_out))}" if left_out else ""
        empty = "has nothing we can sell." if left_out else "was empty."
        return record_failed_sync(f"The supplier's list {empty}{said} Nothing was changed.", left_out)
    with transaction() as session:
        session.execute(text("SELECT pg_advisory_xact_lock(4202)"))
        report = SyncReport(ok=True, sentence="", new=[], gone=[], moved=[], beaten=[], below_floor=[])
        report.left_out = _kept(left_out)
        _store_offers(supplier, offers, report)
        session.flush()
        _choose_offers(report)
        session.flush()
        for store in session.scalars(select(Store)):
            if price_new_bundles(store.id, store.markup_bp):
                store.version = Store.version + 1  # in SQL: an agent may be saving prices right now
        report.below_floor = _below_floor()
        report.sentence = _sentence(report, len(offers) + len(left_out))
        if left_out:
            report.sentence += " " + left_out_sentence(left_out, len(offers) + len(left_out))
        session.add(report)
        return report


def _store_offers(supplier: str, offers: Sequence[OfferLike], report: SyncReport) -> None:
    session, now = db.session, clock.now()
    known = {
        row.product_code: row
        for row in session.scalars(select(SupplierOffer).where(SupplierOffer.supplier == supplier).with_for_update())
    }
    for offer in {offer.product_code: offer for offer in offers}.values():
        row = known.pop(offer.product_code, None)
        if row is None:
            row = SupplierOffer(supplier=supplier, product_code=offer.product_code)
            session.add(row)
        row.product_name, row.capacity, row.network = offer.product_name, offer.capacity, offer.network
        row.mb, row.validity, row.cost_pesewas = offer.mb, offer.validity, offer.cost_pesewas
        row.active, row.seen_at, row.missing_since = True, now, None
    for row in known.values():
        if not row.active:
            continue
        if row.missing_since is None:
            row.missing_since = now
        elif now - row.missing_since >= clock.delta(config.current().gone_gap_s):
            row.active = False


def _choose_offers(report: SyncReport) -> None:
    """The cheapest active offer decides each bundle; bundles without one are hidden."""
    session, now = db.session, clock.now()
    # Not the stronger lock: an order being placed refers to its bundle while it holds its store, which we want next.
    bundles = _by_meaning(session.scalars(select(Bundle).with_for_update(key_share=True)))
    best: dict[tuple[str, int, str], SupplierOffer] = {}
    for offer in session.scalars(
        select(SupplierOffer).where(SupplierOffer.active).order_by(SupplierOffer.cost_pesewas, SupplierOffer.id)
    ):
        key = _meaning(offer)
        if best.setdefault(key, offer) is not offer:
            report.beaten.append(f"{offer.product_code} ({offer.cost_pesewas}) loses to {best[key].product_code}")
    for key, offer in best.items():
        bundle, price = bundles.get(key), agent_price(offer.cost_pesewas)
        if bundle is None:
            report.new.append(_name(offer))
            session.add(
                Bundle(
                    network=offer.network,
                    mb=offer.mb,
                    validity=offer.validity,
                    offer_id=offer.id,
                    cost_pesewas=offer.cost_pesewas,
                    agent_price_pesewas=price,
                )
            )
            continue
        if not bundle.active:
            report.new.append(_name(offer))
        if bundle.cost_pesewas != offer.cost_pesewas:
            report.moved.append(
                {"bundle": _name(offer), "from_pesewas": bundle.cost_pesewas, "to_pesewas": offer.cost_pesewas}
            )
        if (bundle.cost_pesewas, bundle.agent_price_pesewas, bundle.offer_id, bundle.active) != (
            offer.cost_pesewas,
            price,
            offer.id,
            True,
        ):
            bundle.cost_pesewas, bundle.agent_price_pesewas = offer.cost_pesewas, price
            bundle.offer_id, bundle.active, bundle.changed_at = offer.id, True, now
    for key, bundle in bundles.items():
        if key not in best and bundle.active:
            bundle.active, bundle.changed_at = False, now
            report.gone.append(_name(bundle))


def _by_meaning(bundles: Iterable[Bundle]) -> dict[tuple[str, int, str], Bundle]:
    """Each bundle under what it is. Of two that mean the same, kept from before, the one on sale counts."""
    on_sale_last = sorted(bundles, key=lambda bundle: (bundle.active, -bundle.id))
    return {_meaning(bundle): bundle for bundle in on_sale_last}


def _meaning(thing: SupplierOffer | Bundle) -> tuple[str, int, str]:
    return thing.network, thing.mb, validity.meaning(thing.validity)


def left_out_sentence(left_out: Sequence[LeftOutLike], listed: int) -> str:
    """`4 of 8 left out: unknown network 'MTN' (MTN_1GB, MTN_2GB, MTN_3GB, …).`"""
    why: dict[str, list[str]] = {}
    for one in left_out:
        why.setdefault(one.reason, []).append(one.product)
    parts = [
        f"{reason} ({', '.join(products[:NAMED])}{', …' if len(products) > NAMED else ''})"
        for reason, products in why.items()
    ]
    more = f"; and {len(parts) - NAMED} more reasons" if len(parts) > NAMED else ""
    return f"{len(left_out)} of {listed} left out: {'; '.join(parts[:NAMED])}{more}."


def _kept(left_out: Sequence[LeftOutLike]) -> list[dict[str, str]]:
    return [{"product": one.product, "reason": one.reason} for one in left_out[:MOST_LEFT_OUT]]


def _below_floor() -> list[str]:
    rows = db.session.execute(
        text(
            "SELECT s.slug, b.network, b.mb FROM store_bundles sb JOIN bundles b ON b.id = sb.bundle_id "
            "JOIN stores s ON s.id = sb.store_id "
            "WHERE b.active AND NOT sb.hidden AND sb.price_pesewas < b.agent_price_pesewas ORDER BY 1, 2, 3"
        )
    )
    return [f"{slug}: {NETWORKS[network].name} {size_text(mb)}" for slug, network, mb in rows]


def _name(thing: SupplierOffer | Bundle) -> str:
    return f"{NETWORKS[thing.network].name} {size_text(thing.mb)} · {thing.validity}"


def _sentence(report: SyncReport, count: int) -> str:
    parts = [
        f"{len(items)} {word}"
        for items, word in (
            (report.new, "new"),
            (report.gone, "gone"),
            (report.moved, "with another price"),
            (report.below_floor, "store prices below the floor"),
        )
        if items
    ]
    return f"{count} products read: " + (", ".join(parts) if parts else "nothing changed") + "."
