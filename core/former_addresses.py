"""Addresses that stores had before: each leads to its store for a year, and is never another's.

Decides how long one leads on, and whose it is. Who may have which address is decided in
`slug_choice`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, Index, delete, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from core import subdomains
from core.base import clock
from core.base.db import Model, db
from core.base.preconditions import inside_use_case
from core.stores import Store

LEADS_ON = timedelta(days=365)
"""So long after its store has left it."""
MOST_SHOWN = 20


class FormerAddress(Model):
    """The row stays when the address leads nowhere any more: it is kept from everybody else."""

    __tablename__ = "former_addresses"
    __table_args__ = (
        Index("ix_former_addresses_store", "store_id", "left_at"),
        Index("ix_former_addresses_left", "left_at"),
        Index("ix_former_addresses_look", text(subdomains.LOOK)),
    )

    slug: Mapped[str] = mapped_column(primary_key=True)
    store_id: Mapped[int] = mapped_column(ForeignKey("stores.id"))
    left_at: Mapped[datetime]

    @property
    def until(self) -> datetime:
        """When it leads nowhere any more."""
        return self.left_at + LEADS_ON


def leads_to(slug: str) -> Store | None:
    """The store that was at this subdomain until less than a year ago; None where there is none,
    or nobody may see it."""
    found = db.session.scalar(
        select(Store)
        .join(FormerAddress, FormerAddress.store_id == Store.id)
        .where(
            FormerAddress.slug == slug,
            FormerAddress.left_at > clock.now() - LEADS_ON,
        )
    )
    return None if found is None or found.is_hidden else found


def owner_of(slug: str) -> int | None:
    """The id of the store that had this address before."""
    return db.session.scalar(
        select(FormerAddress.store_id).where(FormerAddress.slug == slug)
    )


def of_store(store_id: int) -> Sequence[FormerAddress]:
    """Those of a store that it left in the last year, the newest first."""
    return db.session.scalars(
        select(FormerAddress)
        .where(
            FormerAddress.store_id == store_id,
            FormerAddress.left_at > clock.now() - LEADS_ON,
        )
        .order_by(FormerAddress.left_at.desc())
        .limit(MOST_SHOWN)
    ).all()


@inside_use_case
def leave(store: Store, for_slug: str) -> None:
    """Note that the store goes from its address to `for_slug`, which may be one of before."""
    db.session.execute(
        insert(FormerAddress).values(
            slug=store.slug, store_id=store.id, left_at=clock.now()
        )
    )
    db.session.execute(delete(FormerAddress).where(FormerAddress.slug == for_slug))
