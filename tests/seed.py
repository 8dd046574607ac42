"""The rows every test starts from: two look-alike stores, their people, a catalogue of three networks."""

from __future__ import annotations

from core import catalog, ledger, onboarding, tenancy, users
from core.audit import SYSTEM
from core.db import transaction
from core.users import Membership
from integrations.ports import Offer

PASSWORD = "correct horse battery"
WALLET_PESEWAS = 50_000
FLOAT_PESEWAS = 200_000

_COSTS = {
    "mtn": ("YELLOW", {1: 440, 2: 880, 5: 2_040, 10: 3_840}),
    "telecel": ("TELECEL", {5: 1_990, 10: 3_690}),
    "at": ("AT_PREMIUM", {1: 435, 2: 875, 5: 1_990}),
}


def offers() -> list[Offer]:
    """The supplier's list as the seed syncs it: costs in pesewas."""
    return [
        Offer(f"{name}_{gb}GB", name, f"{gb}GB", gb * 1024, "30 days", cost, network)  # type: ignore[arg-type]
        for network, (name, sizes) in _COSTS.items()
        for gb, cost in sizes.items()
    ]


def seed_base() -> None:
    """Stores ama and kofi with the same catalogue, prices and wallets; their people; a funded float."""
    with transaction():
        ledger.open_platform_accounts()
        people = {
            name: users.add(f"{name}@example.test", name.title(), PASSWORD)
            for name in ("ama", "kofi", "cashier", "viewer", "both", "nobody")
        }
        for name in ("owner", "finance", "support"):
            users.add(f"{name}@example.test", name.title(), PASSWORD, platform_role=name)
    with tenancy.across_stores():
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
                session.add(Membership(user_id=people["both"].id, store_id=store.id, role="owner"))
                if slug == "ama":
                    session.add(Membership(user_id=people["cashier"].id, store_id=store.id, role="cashier"))
                    session.add(Membership(user_id=people["viewer"].id, store_id=store.id, role="viewer"))
        with transaction():
            ledger.fund_float(FLOAT_PESEWAS, "opening balance", SYSTEM)
