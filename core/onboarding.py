"""Opening and closing stores: everything a store needs, made in one transaction."""

from __future__ import annotations

from core import audit, catalog, ledger, stores
from core.accounts.users import Membership, User
from core.audit import Actor
from core.base import config
from core.base.db import transaction
from core.base.preconditions import needs_across_stores
from core.base.tenancy import as_platform
from core.stores import DEFAULT_COLOUR, Store


@needs_across_stores
def open_store(
    *,
    slug: str,
    name: str,
    owner: User,
    actor: Actor,
    colour: str = DEFAULT_COLOUR,
    whatsapp: str | None = None,
    momo_number: str | None = None,
    momo_name: str = "",
) -> Store:
    """A new store with its accounts, its owner and a price for every bundle.

    Raises `stores.BadStore` or `phones.BadNumber` with a sentence.
    """
    with transaction() as session:
        store = stores.add(
            slug=slug,
            name=name,
            markup_bp=config.current().store_markup_bp,
            colour=colour,
            whatsapp=whatsapp,
            momo_number=momo_number,
            momo_name=momo_name,
        )
        ledger.open_store_accounts(store.id)
        session.add(Membership(user_id=owner.id, store_id=store.id, role="owner"))
        catalog.price_new_bundles(store.id, store.markup_bp)
        audit.write(actor, "open_store", f"store:{store.id}", {"slug": slug})
        return store


@as_platform
def set_momo(store_id: int, number: str, name: str, actor: Actor) -> Store:
    """The number that a store's customers pay to, and whose account it is. Raises
    `phones.BadNumber`."""
    with transaction():
        store = stores.set_momo_row(store_id, number, name)
        audit.write(actor, "store_momo", f"store:{store_id}", {"name": name})
        return store


@as_platform
def set_store_status(
    store_id: int,
    status: str,
    reason: str,
    actor: Actor,
) -> Store:
    """Open, close or suspend a store; `reason` is what its customers read. Raises
    `stores.BadStore`."""
    with transaction():
        store = stores.set_status_row(store_id, status, reason)
        audit.write(actor, f"store_{status}", f"store:{store_id}", {"reason": reason})
        return store
