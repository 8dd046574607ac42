"""Data Mart's catalogue: products to offers, and the sizes derived from them.

Decides which products can be sold at all; what they cost our customers is left to the catalogue. A malformed product
is left out and named, so that one bad line never empties the stores.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

from integrations import http
from integrations.datamart import envelope
from integrations.datamart.money import pesewas
from integrations.ports import CapacityLine, NoAnswer, Offer

Network = Literal["mtn", "telecel", "at"]

# The reseller API says YELLOW in `name` and YELLO in `network`; the others are the names of the developer API.
NETWORKS: dict[str, Network] = {
    "YELLOW": "mtn",
    "YELLO": "mtn",
    "TELECEL": "telecel",
    "AT_PREMIUM": "at",
    "AT": "at",
}
MB_PER_GB = 1024
MAX_MB = 10_000 * MB_PER_GB

_CAPACITY = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,6})?)\s*(MB|GB)", re.IGNORECASE)


def offers(reply: http.Reply, notes: list[str]) -> tuple[Offer, ...] | NoAnswer:
    """What the supplier sells us. Each product left out is named in `notes`; an empty list is no information."""
    data = envelope.data_or_no_answer(reply)
    if isinstance(data, NoAnswer):
        return data
    products = data.get("products")
    if not isinstance(products, list):
        return NoAnswer("broken", "no list of products")
    if not products:
        return NoAnswer("broken", "empty list is no information")
    read = []
    for place, product in enumerate(products):
        offer = _offer(product)
        if isinstance(offer, Offer):
            read.append(offer)
        else:
            notes.append(f"product {place}: {offer}")
    sellable = _without_doubles(read, notes)
    return tuple(sellable) or NoAnswer("broken", "no product of the list can be sold")


def capacities(reply: http.Reply, notes: list[str]) -> tuple[CapacityLine, ...] | NoAnswer:
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
    """The sizes of `found`, smallest first: what the capacities endpoint said before it was removed."""
    sizes: dict[tuple[int, str], list[tuple[str, str, int]]] = {}
    for offer in found:
        products = sizes.setdefault((offer.mb, offer.capacity), [])
        products.append((offer.product_name, offer.validity, offer.cost_pesewas))
    return tuple(CapacityLine(capacity, tuple(products)) for (_, capacity), products in sorted(sizes.items()))


def megabytes(capacity: str) -> int | None:
    """`2GB` → 2048, `500MB` → 500; None for what is no size or no whole number of MB."""
    match = _CAPACITY.fullmatch(capacity.strip())
    if not match:
        return None
    size = Decimal(match[1]) * (MB_PER_GB if match[2].upper() == "GB" else 1)
    return int(size) if size == int(size) and 0 < size <= MAX_MB else None


def _offer(product: object) -> Offer | str:
    """The offer, or in a few words what is wrong with the product."""
    if not isinstance(product, dict):
        return "not an object"
    code, name = envelope.text(product.get("product_code"), 80), envelope.text(product.get("name"), 60).strip()
    capacity = re.sub(r"\s", "", envelope.text(product.get("capacity"), 40))
    label = code or name or "nameless"
    if not code or not name:
        return f"{label}: no code or no name"
    if product.get("status", "active") != "active":
        return f"{label}: not active"
    network = _network(name, product.get("network"))
    if network is None:
        return f"{label}: unknown network"
    mb = megabytes(capacity)
    if mb is None:
        return f"{label}: unreadable capacity"
    cost_pesewas = pesewas(product.get("price"))
    if not cost_pesewas:
        return f"{label}: no price"
    validity = envelope.text(product.get("validity"), 60)
    return Offer(code, name, capacity, mb, validity, cost_pesewas, network)


def _network(name: str, stated: object) -> Network | None:
    """From the name; the newest generation also states it, and then both must agree."""
    by_name = NETWORKS.get(name.upper())
    by_statement = NETWORKS.get(stated.strip().upper()) if isinstance(stated, str) else None
    if by_name and by_statement and by_name != by_statement:
        return None
    return by_name or by_statement


def _without_doubles(read: list[Offer], notes: list[str]) -> list[Offer]:
    """A purchase names product and size only, and the name is a search pattern. What that cannot tell apart is not
    sold: the supplier would choose the product, and with it the price.
    """
    codes = Counter(offer.product_code for offer in read)
    sellable = []
    for offer in read:
        rivals = [
            other.product_code
            for other in read
            if other is not offer and other.mb == offer.mb and offer.product_name.lower() in other.product_name.lower()
        ]
        if codes[offer.product_code] > 1 or rivals:
            notes.append(f"{offer.product_code}: a purchase could not tell it from {rivals or 'its namesake'}")
        else:
            sellable.append(offer)
    return sellable


def _line(entry: Any) -> CapacityLine | None:
    capacity = envelope.text(entry.get("capacity"), 40) if isinstance(entry, Mapping) else ""
    products = entry.get("products") if isinstance(entry, Mapping) else None
    if megabytes(capacity) is None or not isinstance(products, list):
        return None
    read = []
    for product in products:
        cost_pesewas = pesewas(product.get("price")) if isinstance(product, dict) else None
        if not cost_pesewas:
            return None
        read.append((envelope.text(product.get("name"), 60), envelope.text(product.get("validity"), 60), cost_pesewas))
    return CapacityLine(capacity, tuple(read))
