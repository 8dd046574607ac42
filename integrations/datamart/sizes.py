"""Data Mart's sizes: how one is written, and how the supplier groups its products by them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from integrations import http
from integrations.datamart import envelope
from integrations.datamart.money import pesewas
from integrations.ports import CapacityLine, NoAnswer, Offer
from integrations.strict_json import text

MB_PER_GB = 1024
MAX_MB = 10_000 * MB_PER_GB

_CAPACITY = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,6})?)\s*(MB|GB)", re.IGNORECASE)


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
    if size == int(size) and 0 < size <= MAX_MB:
        return int(size)
    return None


def _line(entry: Any) -> CapacityLine | None:
    if isinstance(entry, Mapping):
        capacity = text(entry.get("capacity"), 40)
    else:
        capacity = ""
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
                text(product.get("name"), 60),
                text(product.get("validity"), 60),
                cost_pesewas,
            )
        )
    return CapacityLine(capacity, tuple(read))
