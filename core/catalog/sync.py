"""Applying the supplier's list to the catalogue: what is new, gone, moved, and whose prices fell
below the floor.

An empty or failed list changes nothing. A product is hidden only after it was missing from two
lists at least `gone_gap_s` apart, or when the owner says so. Which offer is bought for a bundle,
and what it costs, is decided in `choosing`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from sqlalchemy import select, text

from core.base.db import db, transaction
from core.base.phones import NETWORKS
from core.base.preconditions import needs_across_stores
from core.catalog import choosing
from core.catalog.bundles import (
    Bundle,
    SyncReport,
    agent_price,
    size_text,
)
from core.catalog.offers import OfferLike, store_offers
from core.catalog.prices import price_new_bundles
from core.catalog.steps import LOCK
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


def last_sync() -> SyncReport | None:
    """The newest report, good or bad."""
    return db.session.scalar(select(SyncReport).order_by(SyncReport.id.desc()))


def left_out_reasons() -> dict[str, str]:
    """What the newest list that was read has and we cannot offer: product code -> why."""
    query = (
        select(SyncReport.left_out)
        .where(SyncReport.ok)
        .order_by(SyncReport.id.desc())
        .limit(1)
    )
    return {one["product"]: one["reason"] for one in db.session.scalar(query) or []}


def record_failed_sync(
    sentence: str, left_out: Sequence[LeftOutLike] = ()
) -> SyncReport:
    """The list could not be had, or nothing of it used; nothing changed. `sentence` says why."""
    with transaction() as session:
        report = SyncReport(ok=False, sentence=sentence, left_out=_kept(left_out))
        session.add(report)
        return report


@needs_across_stores
def apply_sync(
    supplier: str,
    offers: Sequence[OfferLike],
    left_out: Sequence[LeftOutLike] = (),
    *,
    missing: int = 0,
) -> SyncReport:
    """Apply a supplier's list, of which the adapter left out `left_out`. Returns the diff.

    `missing`: so many products did not come, by the list's own count. Then what it does not name
    may be one of them and stays as it was.
    """
    if not offers:
        found = "was empty."
        if left_out:
            why = left_out_sentence(left_out, len(left_out))
            found = f"has nothing we can sell. {why}"
        return record_failed_sync(
            f"The supplier's list {found} Nothing was changed.", left_out
        )
    with transaction() as session:
        session.execute(LOCK)
        report = SyncReport.empty()
        report.left_out = _kept(left_out)
        before = _listed()
        store_offers(supplier, offers, is_whole=not missing)
        session.flush()
        choosing.choose(report, reads_list=True)
        session.flush()
        for store in session.scalars(select(Store)):
            if price_new_bundles(store.id, store.markup_bp):
                # in SQL: an agent may be saving prices right now
                store.version = Store.version + 1
        report.below_floor = _below_floor()
        report.sentence = _sentence(report, len(offers) + len(left_out), before)
        if left_out:
            report.sentence += " " + left_out_sentence(
                left_out, len(offers) + len(left_out)
            )
        if missing:
            report.sentence += (
                f" By its own count {missing} more should have come: what it does not name was left"
                " as it was."
            )
        session.add(report)
        return report


def _listed() -> dict[int, bool]:
    """The bundles that are not hidden, and whether an offer of the newest list stands for each."""
    rows = db.session.execute(
        select(Bundle.id, Bundle.unlisted_since.is_(None)).where(Bundle.active)
    )
    return dict(rows.all())


def left_out_sentence(left_out: Sequence[LeftOutLike], listed: int) -> str:
    """`4 of 8 left out: unknown network 'MTN' (MTN_1GB, MTN_2GB, MTN_3GB, …).`"""
    why: dict[str, list[str]] = {}
    for one in left_out:
        why.setdefault(one.reason, []).append(one.product)
    parts = [f"{reason} ({_first_of(products)})" for reason, products in why.items()]
    told = "; ".join(parts[:NAMED])
    if len(parts) > NAMED:
        told += f"; and {len(parts) - NAMED} more reasons"
    return f"{len(left_out)} of {listed} left out: {told}."


def _first_of(products: Sequence[str]) -> str:
    """`MTN_1GB, MTN_2GB, MTN_3GB, …`: the first `NAMED` of them."""
    named = ", ".join(products[:NAMED])
    if len(products) > NAMED:
        named += ", …"
    return named


def _kept(left_out: Sequence[LeftOutLike]) -> list[dict[str, str]]:
    return [
        {"product": one.product, "reason": one.reason}
        for one in left_out[:MOST_LEFT_OUT]
    ]


def _below_floor() -> list[str]:
    """Stores whose price does not cover what agents pay, or would pay by the newest cost."""
    floors = {
        bundle.id: agent_price(bundle.last_cost_pesewas)
        for bundle in db.session.scalars(select(Bundle).where(Bundle.active))
    }
    rows = db.session.execute(
        text(
            "SELECT s.slug, b.network, b.mb FROM unnest(CAST(:ids AS bigint[]), CAST(:floors AS"
            " bigint[])) f (id, floor) JOIN bundles b ON b.id = f.id JOIN store_bundles sb ON"
            " sb.bundle_id = b.id JOIN stores s ON s.id = sb.store_id WHERE NOT sb.hidden AND"
            " sb.price_pesewas < f.floor ORDER BY 1, 2, 3"
        ),
        {"ids": list(floors), "floors": list(floors.values())},
    )
    return [
        f"{slug}: {NETWORKS[network].name} {size_text(mb)}"
        for slug, network, mb in rows
    ]


def _sentence(
    report: SyncReport,
    count: int,
    before: Mapping[int, bool],
) -> str:
    turned = [
        is_listed
        for bundle_id, is_listed in _listed().items()
        if before.get(bundle_id, is_listed) != is_listed
    ]
    parts = [
        f"{len(items)} {word}"
        for items, word in (
            (report.new, "new"),
            ([one for one in turned if not one], "no longer listed"),
            ([one for one in turned if one], "listed again"),
            (report.gone, "gone"),
            (report.moved, "with another price"),
            (report.below_floor, "store prices below the floor"),
        )
        if items
    ]
    changes = ", ".join(parts) or "nothing changed"
    said = f"{count} products read: {changes}."
    is_asked = Bundle.asked_at.is_not(None)
    asked = db.session.scalars(select(Bundle.id).where(is_asked)).all()
    if asked:
        said += f" {len(asked)} put to you for approval."
    return said
