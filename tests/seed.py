"""The rows every test starts from: two look-alike stores, their people, a catalogue of three
networks."""

from __future__ import annotations

from core import catalog, ledger, onboarding
from core.accounts import users
from core.accounts.users import Membership
from core.audit import SYSTEM
from core.base import tenancy
from core.base.db import transaction
from integrations.ports import Offer

WEBHOOK_TOKEN = "hooks-token-for-tests-0123456789"
PASSWORD = "correct horse battery"
WALLET_PESEWAS = 50_000
FLOAT_PESEWAS = 200_000

# What the sandbox charges a dealer, so that tests may buy there without a price difference.
_COSTS = {
    "mtn": ("YELLOW", {1: 460, 2: 900, 5: 2_320, 10: 4_220}),
    "telecel": ("TELECEL", {5: 1_970, 10: 3_670}),
    "at": ("AT_PREMIUM", {1: 415, 2: 855, 5: 1_970}),
}


def offers() -> list[Offer]:
    """The supplier's list as the seed syncs it: costs in pesewas."""
    return [
        Offer(f"{name}_{gb}GB", name, f"{gb}GB", gb * 1024, "30 days", cost, network)  # type: ignore[arg-type]
        for network, (name, sizes) in _COSTS.items()
        for gb, cost in sizes.items()
    ]


def seed_base() -> None:
    """Stores ama and kofi with the same catalogue, prices and wallets; their people; a funded
    float."""
    with tenancy.across_stores():
        with transaction():
            people = {
                name: users.add(f"{name}@example.test", name.title(), PASSWORD)
                for name in ("ama", "kofi", "cashier", "viewer", "both", "nobody")
            }
            for name in ("owner", "finance", "support"):
                users.add(
                    f"{name}@example.test", name.title(), PASSWORD, platform_role=name
                )
        catalog.apply_sync("datamart", offers())
        for slug, number in (("ama", "0240000001"), ("kofi", "0240000002")):
            store = onboarding.open_store(
                slug=slug,
                name=f"{slug.title()}'s Data",
                owner=people[slug],
                actor=SYSTEM,
                whatsapp=number,
                momo_number=number,
            )
            ledger.fund_wallet(store.id, WALLET_PESEWAS, "opening balance", SYSTEM)
            with transaction() as session:
                session.add(
                    Membership(
                        user_id=people["both"].id, store_id=store.id, role="owner"
                    )
                )
                if slug == "ama":
                    session.add(
                        Membership(
                            user_id=people["cashier"].id,
                            store_id=store.id,
                            role="cashier",
                        )
                    )
                    session.add(
                        Membership(
                            user_id=people["viewer"].id,
                            store_id=store.id,
                            role="viewer",
                        )
                    )
        with transaction():
            ledger.fund_float(FLOAT_PESEWAS, "opening balance", SYSTEM)
