"""The first rows: the owner alone, or a demo with two stores, their agents and the supplier's
catalogue."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select

from core import ledger, onboarding, stores
from core.accounts import people, users
from core.audit import SYSTEM
from core.base import tenancy
from core.base.db import db
from core.ledger import Posting
from core.supplier import supply
from fulfilment import catalog_sync
from fulfilment.buying import balance
from integrations.ports import Supplier

DEMO_WALLET_PESEWAS = 50_000
DEMO_STORES = {
    "ama": ("Ama's Data", "#0b6e4f", "0240000001", "Ama Mensah"),
    "kofi": ("Kofi Bundles", "#7a3e9d", "0200000002", "Kofi Boateng"),
}


def owner(email: str, password: str) -> users.User | None:
    """Make the owner. When there is an owner already nothing is changed, and the one of longest
    standing is returned."""
    first = (
        select(users.User)
        .where(users.User.platform_role == "owner")
        .order_by(users.User.id)
        .limit(1)
    )
    with tenancy.across_stores():
        if (found := db.session.scalar(first)) is not None:
            return found
    people.add(
        email=email,
        name="Owner",
        password=password,
        role="owner",
        actor=SYSTEM,
    )
    return None


@tenancy.across_stores()
def demo(logins: Mapping[str, Mapping[str, str]], supplier: Supplier) -> str:
    """Two stores with funded wallets, an owner, and the supplier's catalogue if it can be had.
    Returns what happened.

    `logins` maps `owner`, `ama`, `kofi` to `email` and `password`. Safe to repeat: only passwords
    are set again.
    """
    people = {
        name: _person(name, logins[name]["email"], logins[name]["password"])
        for name in ("owner", *DEMO_STORES)
    }
    synced = (
        catalog_sync.sync_now(supplier) if supply.take_call("other") == 0.0 else None
    )
    with tenancy.across_stores():
        if supply.take_call("other") == 0.0:
            balance.read(supplier)
        for slug, (name, colour, number, momo_name) in DEMO_STORES.items():
            store = stores.by_slug(slug)
            if store is None:
                store = onboarding.open_store(
                    slug=slug,
                    name=name,
                    owner=people[slug],
                    actor=SYSTEM,
                    colour=colour,
                    whatsapp=number,
                    momo_number=number,
                    momo_name=momo_name,
                )
            funded = db.session.scalar(
                select(Posting.id)
                .where(Posting.store_id == store.id, Posting.kind == "fund_wallet")
                .limit(1)
            )
            if funded is None:
                ledger.fund_wallet(store.id, DEMO_WALLET_PESEWAS, "Demo wallet", SYSTEM)
    return f"Demo rows are in place. {synced.text if synced else ''}".strip()


def _person(name: str, email: str, password: str) -> users.User:
    user = users.by_email(email)
    if user is None:
        role = "owner" if name == "owner" else "none"
        return people.add(
            email=email, name=name.title(), password=password, role=role, actor=SYSTEM
        )
    if not users.verify(user, password):
        people.set_password(user.id, password, SYSTEM, action="set_password")
    return user
