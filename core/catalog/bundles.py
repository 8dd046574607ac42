"""What can be sold: the supplier's offers, our bundles, each store's prices.

A bundle is (network, MB, validity), by what they mean and not how a list spells them. The cheapest
active offer for it decides its cost, the platform's rule makes the agent price, and that price is
the floor of every store's price. Nothing is ever deleted: old orders point here.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    UniqueConstraint,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from core.base import clock, config, money
from core.base.db import Model, db
from core.base.preconditions import inside_use_case
from core.base.tenancy import StoreScoped


class SupplierOffer(Model):
    """One product of the supplier, in its own words."""

    __tablename__ = "supplier_offers"
    __table_args__ = (UniqueConstraint("supplier", "product_code"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    supplier: Mapped[str]
    product_code: Mapped[str]
    product_name: Mapped[str]
    capacity: Mapped[str]
    network: Mapped[str]
    mb: Mapped[int]
    validity: Mapped[str]
    cost_pesewas: Mapped[int]
    """What the newest list says."""
    price_since: Mapped[datetime] = mapped_column(
        default=clock.now, server_default=text("now()")
    )
    """The first list that said so."""
    charged_pesewas: Mapped[int | None]
    """What a purchase was charged above that, in force until the list says something else."""
    active: Mapped[bool] = mapped_column(default=True)
    seen_at: Mapped[datetime] = mapped_column(default=clock.now)
    missing_since: Mapped[datetime | None]
    refused_at: Mapped[datetime | None]
    """The supplier did not know it when it was bought."""

    @property
    def is_listed(self) -> bool:
        """Whether the newest list has it, and the supplier sold it when it was last bought."""
        return self.active and self.missing_since is None and self.refused_at is None

    @property
    def known_cost_pesewas(self) -> int:
        return max(self.cost_pesewas, self.charged_pesewas or 0)


class Bundle(Model):
    """A sellable size on one network. `offer_id` is the offer that will be bought for it."""

    __tablename__ = "bundles"
    __table_args__ = (
        UniqueConstraint("network", "mb", "validity"),
        CheckConstraint("network IN ('mtn', 'telecel', 'at')", name="network"),
        CheckConstraint("mb > 0", name="mb"),
        CheckConstraint(
            "cost_pesewas > 0 AND (agent_price_pesewas > cost_pesewas OR newest_cost_pesewas IS NOT"
            " NULL)",
            name="never_below_cost",
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    network: Mapped[str]
    mb: Mapped[int]
    validity: Mapped[str]
    cost_pesewas: Mapped[int]
    """What counts for selling: the newest known cost, or the approved one while that is higher."""
    agent_price_pesewas: Mapped[int]
    active: Mapped[bool] = mapped_column(default=True)
    offer_id: Mapped[int] = mapped_column(ForeignKey("supplier_offers.id"))
    changed_at: Mapped[datetime] = mapped_column(default=clock.now)
    approved_cost_pesewas: Mapped[int | None]
    newest_cost_pesewas: Mapped[int | None]
    """While they differ: the cost that the agent price is made of, and the newest known. Both None
    otherwise."""
    unlisted_since: Mapped[datetime | None]
    """From when no offer of the newest list could be bought for it."""
    is_gone: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    """It is in no offer of the newest list at all."""
    asked_at: Mapped[datetime | None]
    """The owner is asked whether agents pay by the newest cost, or whether what is gone is taken
    away."""
    kept_at: Mapped[datetime | None]
    """The owner said no: asked again when a list says something else."""

    @property
    def is_sold(self) -> bool:
        """Whether it may be sold: offered now, and above what it costs."""
        return (
            self.active
            and self.unlisted_since is None
            and self.agent_price_pesewas > self.cost_pesewas
        )

    @property
    def paid_cost_pesewas(self) -> int:
        """The cost that the agent price is made of."""
        if self.approved_cost_pesewas is None:
            return self.cost_pesewas
        return self.approved_cost_pesewas

    @property
    def last_cost_pesewas(self) -> int:
        """The newest known cost."""
        if self.newest_cost_pesewas is None:
            return self.cost_pesewas
        return self.newest_cost_pesewas


class StoreBundle(Model, StoreScoped):
    """A store's price for a bundle."""

    __tablename__ = "store_bundles"
    __table_args__ = (
        UniqueConstraint("store_id", "bundle_id"),
        UniqueConstraint("store_id", "id"),
        CheckConstraint("price_pesewas > 0", name="price"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    bundle_id: Mapped[int] = mapped_column(ForeignKey("bundles.id"))
    price_pesewas: Mapped[int]
    agent_price_pesewas: Mapped[int | None]
    """What the bundle cost the agent when he last decided about this price."""
    hidden: Mapped[bool] = mapped_column(default=False)
    featured: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    """Its agent recommends it: it stands first."""
    place: Mapped[int | None]
    """Where its agent has put it, from 1, among those of its network that are recommended as it
    is."""
    changed_at: Mapped[datetime] = mapped_column(default=clock.now)


class Setting(Model):
    """A switch an operator turns while Makola runs: paused networks, paused sales, the test clock's
    offset."""

    __tablename__ = "settings"

    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[dict[str, object]] = mapped_column(JSONB)


class SyncReport(Model):
    """What one catalogue sync changed, kept so that people can read the diff."""

    __tablename__ = "sync_reports"
    __table_args__ = (Index("ix_sync_reports_at", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(default=clock.now)
    ok: Mapped[bool]
    sentence: Mapped[str]
    new: Mapped[list[str]] = mapped_column(JSONB, default=list)
    gone: Mapped[list[str]] = mapped_column(JSONB, default=list)
    moved: Mapped[list[dict[str, object]]] = mapped_column(JSONB, default=list)
    beaten: Mapped[list[str]] = mapped_column(JSONB, default=list)
    below_floor: Mapped[list[str]] = mapped_column(JSONB, default=list)
    left_out: Mapped[list[dict[str, str]]] = mapped_column(
        JSONB, default=list, server_default="[]"
    )
    """Products of the list that are not offered: `product` and `reason` each."""

    @classmethod
    def empty(cls) -> SyncReport:
        """A report to be filled: its lists are there before it is saved."""
        return cls(
            ok=True,
            sentence="",
            new=[],
            gone=[],
            moved=[],
            beaten=[],
            below_floor=[],
        )


def size_text(mb: int) -> str:
    """`5120` -> `5 GB`, `500` -> `500 MB`. 1 GB is 1,024 MB."""
    if mb >= 1024:
        whole, rest = divmod(mb, 1024)
        if rest == 0:
            return f"{whole} GB"
        return f"{mb / 1024:.1f} GB"
    return f"{mb} MB"


def agent_price(cost_pesewas: int) -> int:
    """What an agent pays us for a bundle of this cost, in pesewas: the rule, and always at least
    one pesewa more."""
    settings = config.current()
    price = (
        money.add_percent_rounding_up(cost_pesewas, settings.agent_price_bp)
        + settings.agent_price_fixed_pesewas
    )
    return max(price, cost_pesewas + 1)


def all_bundles() -> list[Bundle]:
    """Every bundle, sold or not, by network and size."""
    return sorted(db.session.scalars(select(Bundle)), key=shelf_order)


def by_id(bundle_id: int) -> Bundle | None:
    """A bundle as it is now."""
    return db.session.get(Bundle, bundle_id)


def by_ids(bundle_ids: Iterable[int]) -> dict[int, Bundle]:
    """These bundles by id, as they are now: one statement, or none for none."""
    wanted = set(bundle_ids)
    if not wanted:
        return {}
    return {
        bundle.id: bundle
        for bundle in db.session.scalars(select(Bundle).where(Bundle.id.in_(wanted)))
    }


def cheapest_cost() -> int | None:
    """The lowest cost of what is sold, in pesewas; of all bundles, when nothing is sold now."""
    least = func.coalesce(
        func.min(Bundle.cost_pesewas).filter(Bundle.active),
        func.min(Bundle.cost_pesewas),
    )
    return db.session.scalar(select(least))


@inside_use_case
def hold(bundle_ids: Iterable[int]) -> dict[int, Bundle]:
    """These bundles by id, kept from changing until the use case ends. By a function: no store may
    change one."""
    held = db.session.scalars(_HOLD, {"ids": list(bundle_ids)})
    return {bundle.id: bundle for bundle in held}


_HOLD = select(Bundle).from_statement(text("SELECT * FROM makola_hold_bundles(:ids)"))


class Identity(Protocol):
    """What says which bundle something is: a bundle, or a line of a shelf."""

    @property
    def network(self) -> str: ...
    @property
    def mb(self) -> int: ...
    @property
    def validity(self) -> str: ...


def shelf_order(one: Identity) -> tuple[int, int, str]:
    """By network as people name them, then size."""
    return network_order(one.network), one.mb, one.validity


def network_order(network: str) -> int:
    return ("mtn", "telecel", "at").index(network)
