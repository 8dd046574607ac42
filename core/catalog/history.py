"""What became of a store's prices: each change with who made it, from what to what, and what the
bundle cost the agent then.

Lines are added by `pricing` alone and never changed; the audit says the same to the platform.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, select
from sqlalchemy.orm import Mapped, mapped_column

from core.base import clock, money
from core.base.db import Model, db
from core.base.phones import NETWORKS
from core.base.tenancy import StoreScoped
from core.catalog.bundles import Bundle, size_text

_WORDS = {
    "typed": "typed",
    "bulk": "by a rule for many",
    "kept_margin": "margin kept as the cost moved",
    "left": "left as it was when the cost moved",
}


class PriceMove(Model, StoreScoped):
    """One change of one price. Amounts in pesewas."""

    __tablename__ = "price_moves"
    __table_args__ = (
        CheckConstraint("price_pesewas > 0", name="price"),
        CheckConstraint("how IN ('typed', 'bulk', 'kept_margin', 'left')", name="how"),
        Index("ix_price_moves_newest", "store_id", "id"),
        Index("ix_price_moves_bundle", "store_id", "bundle_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    bundle_id: Mapped[int] = mapped_column(ForeignKey("bundles.id"))
    at: Mapped[datetime] = mapped_column(default=clock.now)
    by_name: Mapped[str]
    how: Mapped[str]
    before_pesewas: Mapped[int | None]
    """None: it had no price."""
    price_pesewas: Mapped[int]
    cost_pesewas: Mapped[int]
    """What the bundle cost the agent then."""
    was_hidden: Mapped[bool | None]
    hidden: Mapped[bool]


@dataclass(frozen=True)
class HistoryLine:
    """A change as its agent reads it."""

    move: PriceMove
    network: str
    size_text: str
    validity: str

    @property
    def name(self) -> str:
        return f"{NETWORKS[self.network].name} {self.size_text}"

    @property
    def moved(self) -> bool:
        return self.move.before_pesewas != self.move.price_pesewas

    @property
    def how_text(self) -> str:
        return _WORDS[self.move.how]

    @property
    def shelf_text(self) -> str:
        """`hidden` or `shown again`, when that changed too."""
        if self.move.hidden == bool(self.move.was_hidden):
            return ""
        return "hidden from customers" if self.move.hidden else "shown again"

    @property
    def profit_pesewas(self) -> int:
        return self.move.price_pesewas - self.move.cost_pesewas

    @property
    def margin(self) -> str:
        return money.percent_of(self.profit_pesewas, self.move.price_pesewas)


def price_history(
    limit: int, *, before_id: int | None = None, bundle_id: int | None = None
) -> list[HistoryLine]:
    """So many changes of the current store's prices, newest first; of one bundle, or of all."""
    query = select(PriceMove, Bundle).join(Bundle, Bundle.id == PriceMove.bundle_id)
    if before_id is not None:
        query = query.where(PriceMove.id < before_id)
    if bundle_id is not None:
        query = query.where(PriceMove.bundle_id == bundle_id)
    rows = db.session.execute(query.order_by(PriceMove.id.desc()).limit(limit))
    return [
        HistoryLine(move, bundle.network, size_text(bundle.mb), bundle.validity)
        for move, bundle in rows
    ]
