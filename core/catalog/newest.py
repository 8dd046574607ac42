"""What a purchase tells about the catalogue: a charge above the known cost, an offer the supplier
does not know any more.

Each holds at once, for all stores. Both return whether they changed anything: then a list should be
read soon.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, select

from core.base import clock
from core.base.db import db, joined_transaction
from core.base.tenancy import as_platform
from core.catalog import choosing
from core.catalog.bundles import SupplierOffer, SyncReport
from core.catalog.steps import LOCK

MISTAKEN = 50
"""A charge so many times the cost is a mistake on the wire, such as pesewas for cedis, and no
price."""


@dataclass(frozen=True)
class Wording:
    """How a purchase names what it buys: all that the supplier has to tell offers apart."""

    network: str
    mb: int
    product_name: str
    capacity: str


@as_platform
def note_charge(
    wording: Wording,
    charged_pesewas: int,
    bought_at: datetime,
) -> bool:
    """Note that a purchase at `bought_at` was charged so much. More than the known cost, it is the
    cost from now on, unless a list said something else since.

    Returns whether the cost rose.
    """
    with joined_transaction() as session:
        session.execute(LOCK)
        query = select(SupplierOffer).where(
            _of(wording), SupplierOffer.price_since <= bought_at
        )
        found = session.scalars(
            query.order_by(SupplierOffer.id).with_for_update()
        ).all()
        raised = [
            offer for offer in found if charged_pesewas > offer.known_cost_pesewas
        ]
        for offer in raised:
            offer.charged_pesewas = charged_pesewas
        _choose(raised)
        return bool(raised)


@as_platform
def refuse_offer(wording: Wording) -> bool:
    """The supplier does not sell it under this name and size: off sale until a list has it
    otherwise, or again later."""
    with joined_transaction() as session:
        session.execute(LOCK)
        query = select(SupplierOffer).where(
            _of(wording), SupplierOffer.refused_at.is_(None)
        )
        found = session.scalars(
            query.order_by(SupplierOffer.id).with_for_update()
        ).all()
        for offer in found:
            offer.refused_at = clock.now()
        _choose(found)
        return bool(found)


@as_platform
def is_refused(wording: Wording) -> bool:
    """Whether the supplier has refused it, and no list has said anything else since."""
    query = select(SupplierOffer.id).where(
        _of(wording), SupplierOffer.refused_at.is_not(None)
    )
    return db.session.scalar(query) is not None


def _of(wording: Wording) -> ColumnElement[bool]:
    return (
        SupplierOffer.active
        & (SupplierOffer.network == wording.network)
        & (SupplierOffer.mb == wording.mb)
        & (SupplierOffer.product_name == wording.product_name)
        & (SupplierOffer.capacity == wording.capacity)
    )


def _choose(offers: Iterable[SupplierOffer]) -> None:
    """Settle the bundles of these offers anew. The report of it is thrown away: the next list makes
    one."""
    untold = SyncReport.empty()
    for key in {choosing.meaning(offer) for offer in offers}:
        choosing.choose(untold, reads_list=False, only=key)
