"""The calls about what is on sale: products, one product, capacities; and how a purchase finds its
product.

Decides filters, prices shown and the supplier's loose matching of names. Buying is left to
`purchase_calls.py`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from werkzeug.wrappers import Response

from integrations.sandbox import catalogue, wire
from integrations.sandbox.catalogue import Product
from integrations.sandbox.state import Call, Sandbox
from integrations.sandbox.store import Account

CAPACITY = re.compile(r"(\d+(?:\.\d+)?)(MB|GB)", re.IGNORECASE | re.ASCII)
CAPACITY_FORMAT = "Number followed by MB or GB (e.g. 500MB, 1GB)"


class NotSold(Exception):
    """Why no product fits: the code, the message and the extra members of the error."""

    def __init__(
        self,
        code: str,
        message: str,
        extra: dict[str, Any],
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.extra = extra


def products(sandbox: Sandbox, call: Call) -> Response:
    wanted = call.request.args
    category = wanted.get("category")
    low = _mb(wanted.get("min_capacity"))
    high = _mb(wanted.get("max_capacity"))
    shown = [
        _row(sandbox, product, price)
        for product, price in _priced(sandbox, call.account)
        if (not category or product.category == category)
        and (low is None or product.capacity_mb >= low)
        and (high is None or product.capacity_mb <= high)
    ]
    if edited := call.fault("edited_list"):
        shown = _edited(shown, edited.rows or [])
    payload: dict[str, Any] = {"products": shown, "total": len(shown)}
    if sandbox.knobs.generation == "A3":
        payload["supported_network"] = "YELLO"
    return wire.success(sandbox.clock, "Products retrieved", payload)


def product(sandbox: Sandbox, call: Call) -> Response:
    for found, price in _priced(sandbox, call.account):
        if found.code == call.path_argument:
            row = {
                **_row(sandbox, found, price),
                "description": f"{found.name} {found.capacity}",
                "features": [],
            }
            return wire.success(sandbox.clock, "Product retrieved", {"product": row})
    return wire.failure(
        sandbox.clock,
        404,
        "Product not found",
        "PRODUCT_NOT_FOUND",
        requested=call.path_argument,
    )


def capacities(sandbox: Sandbox, call: Call) -> Response:
    groups: dict[str, list[dict[str, Any]]] = {}
    values: dict[str, float] = {}
    for found, price in _priced(sandbox, call.account):
        line = {
            "name": found.name,
            "validity": found.validity,
            "price": wire.cedis(price),
        }
        groups.setdefault(found.capacity, []).append(line)
        values[found.capacity] = found.capacity_value
    # By the number alone, whatever its unit: 500MB comes after 100GB.
    rows = [
        {"capacity": size, "products": groups[size]}
        for size in sorted(groups, key=lambda size: values[size])
    ]
    payload = {
        "capacities": rows,
        "total": len(rows),
        "price_tier": call.account.role,
    }
    return wire.success(sandbox.clock, "Available capacities retrieved", payload)


def find(
    sandbox: Sandbox,
    call: Call,
    capacity: Any,
    name: Any,
) -> Product:
    """What a purchase buys. Raises NotSold, also when a fault says so."""
    if call.fault("not_sold"):
        raise NotSold(
            "PRODUCT_NOT_FOUND",
            "Product not found",
            {"requested": {"name": name, "capacity": capacity}},
        )
    return match(sandbox, capacity, name)


def match(sandbox: Sandbox, capacity: Any, name: Any) -> Product:
    """The first product whose name contains `name`, in any case, with that capacity. Raises
    NotSold."""
    if not isinstance(capacity, str):
        raise _no_text("capacity")
    if not isinstance(name, (str, int, float)):
        raise _no_text("name")
    if (as_listed := _as_listed(sandbox, capacity, str(name))) is not None:
        return as_listed
    size = CAPACITY.fullmatch(capacity)
    if not size:
        extra = {"format": CAPACITY_FORMAT, "provided": capacity}
        raise NotSold("INVALID_CAPACITY_FORMAT", "Invalid capacity format", extra)
    value = float(size[1])
    unit = size[2].upper()
    same_size = [
        candidate
        for candidate in sandbox.store.products(sandbox.knobs.products)
        if candidate.capacity_value == value and candidate.capacity_unit == unit
    ]
    if not same_size:
        raise NotSold(
            "CAPACITY_NOT_AVAILABLE",
            "Capacity not available",
            {"requested_capacity": capacity},
        )
    for candidate in same_size:
        if str(name).lower() in candidate.name.lower():
            return candidate
    alternatives = [
        {"name": other.name, "product_code": other.code} for other in same_size
    ]
    requested = {"name": name, "capacity": capacity}
    raise NotSold(
        "PRODUCT_NOT_FOUND",
        "Product not found",
        {"requested": requested, "available_alternatives": alternatives},
    )


def _no_text(member: str) -> NotSold:
    return NotSold(
        "PRODUCT_LOOKUP_ERROR",
        "Error looking up product",
        {"error": f"{member}.match is not a function"},
    )


def _edited(
    rows: list[dict[str, Any]], edits: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The list with the members of `edits` put over it."""
    shown = {row["product_code"]: row for row in rows}
    for edit in edits:
        row = {**shown.get(edit["product_code"], {}), **edit}
        shown[edit["product_code"]] = {
            name: value for name, value in row.items() if value is not None
        }
    return [row for row in shown.values() if not row.get("drop")]


def _as_listed(
    sandbox: Sandbox,
    capacity: str,
    name: str,
) -> Product | None:
    """The product that an edited list offers under just this size and a name like this. Raises
    NotSold for one dropped."""
    own = {
        product.code: product
        for product in sandbox.store.products(sandbox.knobs.products)
    }
    dropped = False
    for edit in sandbox.faults.edits():
        known = own.get(edit["product_code"])
        if known:
            listed = {"name": known.name, "capacity": known.capacity} | edit
        else:
            listed = edit
        if (
            listed.get("capacity") != capacity
            or name.lower() not in str(listed.get("name", "")).lower()
        ):
            continue
        if edit.get("drop"):
            dropped = True
            continue
        base = known or next(iter(own.values()))
        price = edit.get("price")
        offset = catalogue.ROLE_OFFSET_PESEWAS[sandbox.store.account().role]
        if price is None:
            pesewas = base.base_pesewas
        else:
            pesewas = round(float(price) * 100) - offset
        return replace(
            base,
            code=edit["product_code"],
            name=str(listed["name"]),
            base_pesewas=pesewas,
        )
    if dropped:
        raise NotSold(
            "PRODUCT_NOT_FOUND",
            "Product not found",
            {"requested": {"name": name, "capacity": capacity}},
        )
    return None


def _priced(sandbox: Sandbox, account: Account) -> list[tuple[Product, int]]:
    """Products with their price for this role; those without an active price are left out
    silently."""
    found = sandbox.store.products(sandbox.knobs.products)
    priced = ((product, product.price_pesewas(account.role)) for product in found)
    return [(product, price) for product, price in priced if price is not None]


def _row(
    sandbox: Sandbox,
    found: Product,
    price_pesewas: int,
) -> dict[str, Any]:
    row = {
        "product_code": found.code,
        "name": found.name,
        "category": found.category,
        "capacity": found.capacity,
        "capacity_value": wire.number(found.capacity_value),
        "capacity_unit": found.capacity_unit,
        "validity": found.validity,
        "price": wire.cedis(price_pesewas),
        "currency": "GHS",
        "network": catalogue.NETWORKS[found.name]
        if sandbox.knobs.generation == "A3"
        else None,
        "status": "active",
    }
    return wire.omit(row, sandbox.knobs.omit)


def _mb(text: str | None) -> int | None:
    # The supplier reads leading digits and ignores the rest.
    digits = re.match(r"\s*(\d{1,9})", text or "", re.ASCII)
    if digits:
        return int(digits[1])
    return None
