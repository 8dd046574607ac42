"""The kinds of notices, in the order in which they are said."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """`name` as a switch says it, `one` and `many` (of `{n}`) as a notice says it, `href` where it
    is to be seen. `is_urgent`: somebody waits for an answer."""

    key: str
    name: str
    one: str
    many: str
    href: str
    icon: str
    is_urgent: bool = False

    def words(self, count: int) -> str:
        return self.one if count == 1 else self.many.format(n=count)


NEW = "new"
PAID = "paid"
LATE = "late"
FAILED = "failed"
LOW = "low"
SHORT = "short"
NUMBER = "number"
KINDS: dict[str, Kind] = {
    kind.key: kind
    for kind in (
        Kind(NEW, "New orders", "1 new order", "{n} new orders", "/orders?tab=new",
             "orders", is_urgent=True),
        Kind(PAID, "A customer says they have paid", "1 order is said to be paid",
             "{n} orders are said to be paid", "/orders?tab=paid", "wallet", is_urgent=True),
        Kind(LATE, "Late orders", "1 order is late", "{n} orders are late", "/orders?tab=late",
             "waiting"),
        Kind(FAILED, "Failed orders", "1 order failed", "{n} orders failed",
             "/orders?tab=failed", "stopped"),
        Kind(LOW, "Your wallet is low", "Your wallet is low", "Your wallet is low", "/wallet",
             "wallet"),
        Kind(SHORT, "Bundles that cannot be bought now", "1 bundle cannot be bought now",
             "{n} bundles cannot be bought now", "/prices", "stopped"),
        Kind(NUMBER, "Another number for your earnings",
             "Your earnings go to another number", "Your earnings go to another number",
             "/payouts#number", "wallet", is_urgent=True),
    )
}  # fmt: skip
