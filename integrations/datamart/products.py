"""Data Mart's catalogue: products to offers, and the sizes derived from them.

Decides which products can be sold at all; what they cost our customers is left to the catalogue. A
malformed product is left out and named, so that one bad line never empties the stores.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

from integrations import http
from integrations.datamart import envelope, purchases
from integrations.datamart.money import is_cedis, pesewas
from integrations.ports import CapacityLine, LeftOut, Listing, NoAnswer, Offer

Network = Literal["mtn", "telecel", "at"]

# The reseller API says YELLOW in `name` and YELLO in `network`; the others are the names of the
# developer API.
NETWORKS: dict[str, Network] = {
    "YELLOW": "mtn",
    "YELLO": "mtn",
    "TELECEL": "telecel",
    "AT_PREMIUM": "at",
    "AT": "at",
}
NOT_ACTIVE = "not active"
"""The supplier does not sell it now: nothing of ours left it out."""
_ACTIVE = frozenset(
    {
        "",
        "active",
        "available",
        "enabled",
        "in stock",
        "instock",
        "on",
        "true",
        "yes",
        "1",
        "live",
    }
)
_INACTIVE = frozenset(
    {
        "inactive", "not active", "unavailable", "not available", "disabled", "out of stock",
        "outofstock", "sold out",
        "off", "false", "no", "0", "paused", "suspended", "discontinued", "archived", "deleted",
    }
)  # fmt: skip
"""Words for `status`, in any case. Another word is named: it may mean either."""
_SWITCHES = ("inStock", "in_stock", "available", "is_active", "isActive")
"""Members with which other generations say the same; only a plain false counts."""
MB_PER_GB = 1024
MAX_MB = 10_000 * MB_PER_GB

_CAPACITY = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,6})?)\s*(MB|GB)", re.IGNORECASE)


def offers(reply: http.Reply, notes: list[str]) -> Listing | NoAnswer:
    """What the supplier sells us, and what was left out. Each of those is named in `notes`; no list
    is no information."""
    data = envelope.data_or_no_answer(reply)
    if isinstance(data, NoAnswer):
        return data
    products = data.get("products")
    if not isinstance(products, list):
        return NoAnswer("broken", "no list of products")
    if not products:
        return NoAnswer("broken", "empty list is no information")
    read, left_out = [], []
    for place, product in enumerate(products):
        offer = _offer(product, data.get("currency"))
        if isinstance(offer, Offer):
            read.append(offer)
        else:
            notes.append(f"product {place}: {offer.product}: {offer.reason}")
            if offer.reason != NOT_ACTIVE:
                left_out.append(offer)
    if not read and not left_out:
        left_out = [
            LeftOut(code or "nameless", NOT_ACTIVE) for code in map(_code, products)
        ]
    sellable = _without_doubles(
        read, [_wanted(product) for product in products], left_out, notes
    )
    counted = envelope.whole(data.get("total")) or 0
    return Listing(
        tuple(sellable), tuple(left_out), missing=max(counted - len(products), 0)
    )


def capacities(
    reply: http.Reply, notes: list[str]
) -> tuple[CapacityLine, ...] | NoAnswer:
    """The sizes as the supplier groups them."""
    data = envelope.data_or_no_answer(reply)
    if isinstance(data, NoAnswer):
        return data
    listed = data.get("capacities")
    if not isinstance(listed, list) or not listed:
        return NoAnswer("broken", "empty list is no information")
    lines = []
    for place, entry in enumerate(listed):
        line = _line(entry)
        if line is None:
            notes.append(f"capacity {place}: malformed")
        else:
            lines.append(line)
    return tuple(lines) or NoAnswer("broken", "no capacity of the list is readable")


def grouped(found: tuple[Offer, ...]) -> tuple[CapacityLine, ...]:
    """The sizes of `found`, smallest first: what the capacities endpoint said before it was
    removed."""
    sizes: dict[tuple[int, str], list[tuple[str, str, int]]] = {}
    for offer in found:
        products = sizes.setdefault((offer.mb, offer.capacity), [])
        products.append((offer.product_name, offer.validity, offer.cost_pesewas))
    return tuple(
        CapacityLine(capacity, tuple(products))
        for (_, capacity), products in sorted(sizes.items())
    )


def megabytes(capacity: str) -> int | None:
    """`2GB` → 2048, `500MB` → 500; None for what is no size or no whole number of MB."""
    match = _CAPACITY.fullmatch(capacity.strip())
    if not match:
        return None
    size = Decimal(match[1]) * (MB_PER_GB if match[2].upper() == "GB" else 1)
    return int(size) if size == int(size) and 0 < size <= MAX_MB else None


def _offer(product: object, currency_of_list: object) -> Offer | LeftOut:
    """The offer, or what is wrong with the product."""
    if not isinstance(product, dict):
        return LeftOut("nameless", "not an object")
    code, name = _code(product), envelope.text(product.get("name"), 60).strip()
    capacity = envelope.text(product.get("capacity"), 40)
    network = _network(name, product.get("network"))
    cost_pesewas = pesewas(product.get("price"))
    reason = ""
    if not code or not name:
        reason = "no code or no name"
    elif not (active := _is_active(product)):
        reason = (
            NOT_ACTIVE
            if active is False
            else f"an unknown status '{envelope.text(product.get('status'), 20)}'"
        )
    elif not is_cedis(currency := product.get("currency") or currency_of_list):
        reason = f"another currency '{envelope.text(currency, 12) or '?'}'"
    elif network is None:
        reason = _unknown_network(name, product.get("network"))
    elif not purchases.is_sendable_name(name):
        reason = f"a name that no purchase can say '{name}'"
    elif (mb := megabytes(capacity)) is None or not purchases.is_sendable_capacity(
        capacity
    ):
        reason = "unreadable capacity"
    elif not cost_pesewas:
        reason = "no price"
    else:
        return Offer(
            code,
            name,
            capacity,
            mb,
            envelope.text(product.get("validity"), 60),
            cost_pesewas,
            network,
        )
    return LeftOut(code or name or "nameless", reason)


def _code(product: object) -> str:
    return (
        envelope.text(product.get("product_code"), 80)
        if isinstance(product, dict)
        else ""
    )


def _is_active(product: Mapping[str, Any]) -> bool | None:
    """Whether the supplier sells it now; None when its word for that is not one we know."""
    if any(product.get(switch) is False for switch in _SWITCHES):
        return False
    status = product.get("status")
    word = " ".join(
        re.split(r"[\s_-]+", ("" if status is None else str(status)).strip().lower())
    )
    return True if word in _ACTIVE else False if word in _INACTIVE else None


def _network(name: str, stated: object) -> Network | None:
    """From the name; the newest generation also states it, and then both must agree."""
    by_name, by_statement = NETWORKS.get(name.upper()), _stated(stated)
    if by_name and by_statement and by_name != by_statement:
        return None
    return by_name or by_statement


def _stated(network: object) -> Network | None:
    return NETWORKS.get(network.strip().upper()) if isinstance(network, str) else None


def _unknown_network(name: str, stated: object) -> str:
    if _stated(stated):
        return f"network '{envelope.text(stated, 40)}' of a product named '{name}'"
    return f"unknown network '{envelope.text(stated, 40).strip() or name}'"


def _wanted(product: object) -> tuple[str, int] | None:
    """What a purchase could find there: a name in small letters and a size. None when the supplier
    does not sell it."""
    if not isinstance(product, dict) or _is_active(product) is False:
        return None
    name, mb = (
        envelope.text(product.get("name")).lower(),
        megabytes(envelope.text(product.get("capacity"), 40)),
    )
    return None if mb is None else (name, mb)


def _without_doubles(
    read: list[Offer],
    listed: list[tuple[str, int] | None],
    left_out: list[LeftOut],
    notes: list[str],
) -> list[Offer]:
    """A purchase names product and size only, and the name is a search pattern. What that cannot
    tell apart is not sold, also not from products left out: the supplier would choose the product,
    and with it the price.
    """
    codes = Counter(offer.product_code for offer in read)
    sellable = []
    for offer in read:
        name = offer.product_name.lower()
        found = [
            other
            for other in filter(None, listed)
            if other[1] == offer.mb and name in other[0]
        ]
        if codes[offer.product_code] > 1 or len(found) > 1:
            left_out.append(
                LeftOut(
                    offer.product_code,
                    "a purchase could not tell it from another product",
                )
            )
            rivals = (
                sorted({other for other, _ in found if other != name}) or "its namesake"
            )
            notes.append(
                f"{offer.product_code}: a purchase could not tell it from {rivals}"
            )
        else:
            sellable.append(offer)
    return sellable


def _line(entry: Any) -> CapacityLine | None:
    capacity = (
        envelope.text(entry.get("capacity"), 40) if isinstance(entry, Mapping) else ""
    )
    products = entry.get("products") if isinstance(entry, Mapping) else None
    if megabytes(capacity) is None or not isinstance(products, list):
        return None
    read = []
    for product in products:
        cost_pesewas = (
            pesewas(product.get("price")) if isinstance(product, dict) else None
        )
        if not cost_pesewas:
            return None
        read.append(
            (
                envelope.text(product.get("name"), 60),
                envelope.text(product.get("validity"), 60),
                cost_pesewas,
            )
        )
    return CapacityLine(capacity, tuple(read))
