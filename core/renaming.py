"""Another address for a store: customers who follow the old one come to the new one for a year.

Of one store, by its own agent. Whether an address may be had is decided in `slug_choice`.
"""

from __future__ import annotations

from datetime import datetime

from core import audit, former_addresses, slug_choice, stores
from core.audit import Actor
from core.base import clock
from core.base.db import db, transaction
from core.base.tenancy import as_platform
from core.former_addresses import LEADS_ON, FormerAddress
from core.stores import BadStore, Store

MOST_A_YEAR = 3
"""New addresses of a store that customers have seen. Going back to one it had is not counted."""


def next_at(former: list[FormerAddress]) -> datetime | None:
    """From when a store that left these addresses in the last year, the newest first, may take a
    new one; None: now."""
    if len(former) < MOST_A_YEAR:
        return None
    return former[MOST_A_YEAR - 1].left_at + LEADS_ON


@as_platform
def check(store: Store, typed: str) -> str:
    """The address as this store may have it now. Raises `BadStore` with a sentence."""
    slug = slug_choice.check(typed, store.id)
    if store.is_hidden or former_addresses.owner_of(slug) == store.id:
        return slug
    at = next_at(list(former_addresses.of_store(store.id)))
    if at is not None and slug != store.slug:
        day = at.astimezone(clock.ACCRA)
        raise BadStore(
            f"Your store has had {MOST_A_YEAR} new addresses within a year. It may have another"
            f" one from {day.day} {day:%b %Y} on, or go back to one that it had."
        )
    return slug


@as_platform
def rename(store_id: int, typed: str, actor: Actor) -> bool:
    """Move the store to another address. False when it is there already. Raises `BadStore`."""
    with transaction():
        slug_choice.hold()
        store = stores.locked(store_id)
        slug = check(store, typed)
        before = store.slug
        if slug == before:
            return False
        slug_choice.free(slug, actor, store_id)
        if not store.is_hidden:  # else nobody has been there, and it is free again
            former_addresses.leave(store, slug)
        stores.move(store, slug)
        db.session.flush()
        audit.write(
            actor,
            "rename_store",
            f"store:{store_id}",
            {"address": slug, "before": before},
        )
    return True
