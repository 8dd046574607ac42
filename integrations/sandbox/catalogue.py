"""What the supplier sells when its store is new: names, sizes, validity and base prices.

Decides the opening catalogue and the price of each role. Prices changed later live in the store.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

ROLE_OFFSET_PESEWAS = {"agent": 40, "dealer": 20, "supplier": 0, "admin": 0}
"""What each role pays above the base price."""

MB_PER_GB = 1024

# Base prices in pesewas by GB, from the supplier's developer price list of August 2025.
_YELLOW = {
    1: 440, 2: 880, 3: 1300, 4: 1800, 5: 2300, 6: 2600, 8: 3400, 10: 4200, 15: 6050, 20: 8100,
    25: 10300, 30: 12700,
    40: 16400, 50: 20200,
}  # fmt: skip
_TELECEL = {
    5: 1950,
    10: 3650,
    15: 5285,
    20: 6980,
    25: 8675,
    30: 10370,
    40: 13760,
    50: 17150,
    100: 34100,
}
_AT_PREMIUM = {
    1: 395, 2: 835, 3: 1325, 4: 1650, 5: 1950, 6: 2350, 8: 3050, 10: 3850, 12: 4550, 15: 5750,
    25: 9500, 30: 11500,
    40: 15100, 50: 19000,
}  # fmt: skip

_FAMILIES = (
    ("YELLOW", "monthly", "30 days", _YELLOW),
    ("TELECEL", "monthly", "30 days", _TELECEL),
    ("AT_PREMIUM", "monthly", "2 months", _AT_PREMIUM),
)

NETWORKS = {"YELLOW": "YELLO", "TELECEL": "TELECEL", "AT_PREMIUM": "AT_PREMIUM"}
MTN_PREFIXES = ("024", "025", "053", "054", "055", "059")


@dataclass(frozen=True)
class Product:
    """One bundle on sale. `base_pesewas` is None when no price is active."""

    code: str
    name: str
    category: str
    capacity_value: float
    capacity_unit: str
    validity: str
    base_pesewas: int | None
    active: int = 1

    @property
    def capacity(self) -> str:
        return f"{self.capacity_value:g}{self.capacity_unit}"

    @property
    def capacity_mb(self) -> float:
        return self.capacity_value * (MB_PER_GB if self.capacity_unit == "GB" else 1)

    def price_pesewas(self, role: str) -> int | None:
        """The price of that role in pesewas, or None when the product has no active price."""
        if self.base_pesewas is None:
            return None
        return self.base_pesewas + ROLE_OFFSET_PESEWAS[role]


def opening() -> Iterator[Product]:
    """The products of a new store, every network; a profile decides which of them are shown."""
    for name, category, validity, prices in _FAMILIES:
        for gigabytes, pesewas in prices.items():
            yield Product(
                f"{name}_{gigabytes}GB",
                name,
                category,
                gigabytes,
                "GB",
                validity,
                pesewas,
            )
