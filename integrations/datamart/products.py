"""Data Mart's catalogue: products to offers. The sizes derived from them are read in `sizes`.

Decides which products can be sold at all; what they cost our customers is left to the catalogue. A
malformed product is left out and named, so that one bad line never empties the stores.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, Literal

from integrations import http
from integrations.datamart import envelope, purchases, sizes
from integrations.datamart.money import is_cedis, pesewas
from integrations.ports import LeftOut, Listing, NoAnswer, Offer
from integrations.strict_json import text, whole

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
    read, left_out = _sorted_out(products, data.get("currency"), notes)
    if not read and not left_out:
        codes = [_code(product) for product in products]
        left_out = [LeftOut(code or "nameless", NOT_ACTIVE) for code in codes]
    wanted = [_wanted(product) for product in products]
    sellable = _without_doubles(read, wanted, left_out, notes)
    counted = whole(data.get("total")) or 0
    missing = max(counted - len(products), 0)
    return Listing(tuple(sellable), tuple(left_out), missing=missing)


def _sorted_out(
    products: list[Any], currency: object, notes: list[str]
) -> tuple[list[Offer], list[LeftOut]]:
    """What can be sold, and what was left out though the supplier sells it. Each product that is
    no offer is named in `notes`."""
    read = []
    left_out = []
    for place, product in enumerate(products):
        offer = _offer(product, currency)
        if isinstance(offer, Offer):
            read.append(offer)
            continue
        notes.append(f"product {place}: {offer.product}: {offer.reason}")
        if offer.reason != NOT_ACTIVE:
            left_out.append(offer)
    return read, left_out


def _offer(product: object, currency_of_list: object) -> Offer | LeftOut:
    """The offer, or what is wrong with the product."""
    if not isinstance(product, dict):
        return LeftOut("nameless", "not an object")
    code = _code(product)
    name = text(product.get("name"), 60).strip()
    reason = (
        _not_sold(product, code, name)
        or _wrong_currency(product, currency_of_list)
        or _unsendable(product, name)
    )
    network = _network(name, product.get("network"))
    capacity = text(product.get("capacity"), 40)
    mb = sizes.megabytes(capacity)
    cost_pesewas = pesewas(product.get("price"))
    if reason or network is None or mb is None or not cost_pesewas:
        return LeftOut(code or name or "nameless", reason or "no price")
    return Offer(
        code,
        name,
        capacity,
        mb,
        text(product.get("validity"), 60),
        cost_pesewas,
        network,
    )


def _not_sold(
    product: Mapping[str, Any],
    code: str,
    name: str,
) -> str:
    """Why it cannot be named, or is not sold now; empty when neither."""
    if not code or not name:
        return "no code or no name"
    active = _is_active(product)
    if active is False:
        return NOT_ACTIVE
    if active is None:
        return f"an unknown status '{text(product.get('status'), 20)}'"
    return ""


def _wrong_currency(product: Mapping[str, Any], currency_of_list: object) -> str:
    currency = product.get("currency") or currency_of_list
    if is_cedis(currency):
        return ""
    return f"another currency '{text(currency, 12) or '?'}'"


def _unsendable(product: Mapping[str, Any], name: str) -> str:
    """Why no purchase can ask for it; empty when one can."""
    stated = product.get("network")
    if _network(name, stated) is None:
        return _unknown_network(name, stated)
    if not purchases.is_sendable_name(name):
        return f"a name that no purchase can say '{name}'"
    capacity = text(product.get("capacity"), 40)
    if sizes.megabytes(capacity) is None or not purchases.is_sendable_capacity(
        capacity
    ):
        return "unreadable capacity"
    return ""


def _code(product: object) -> str:
    if isinstance(product, dict):
        return text(product.get("product_code"), 80)
    return ""


def _is_active(product: Mapping[str, Any]) -> bool | None:
    """Whether the supplier sells it now; None when its word for that is not one we know."""
    if any(product.get(switch) is False for switch in _SWITCHES):
        return False
    status = product.get("status")
    word = " ".join(
        re.split(r"[\s_-]+", ("" if status is None else str(status)).strip().lower())
    )
    if word in _ACTIVE:
        return True
    if word in _INACTIVE:
        return False
    return None


def _network(name: str, stated: object) -> Network | None:
    """From the name; the newest generation also states it, and then both must agree."""
    by_name = NETWORKS.get(name.upper())
    by_statement = _stated(stated)
    if by_name and by_statement and by_name != by_statement:
        return None
    return by_name or by_statement


def _stated(network: object) -> Network | None:
    if isinstance(network, str):
        return NETWORKS.get(network.strip().upper())
    return None


def _unknown_network(name: str, stated: object) -> str:
    if _stated(stated):
        return f"network '{text(stated, 40)}' of a product named '{name}'"
    return f"unknown network '{text(stated, 40).strip() or name}'"


def _wanted(product: object) -> tuple[str, int] | None:
    """What a purchase could find there: a name in small letters and a size. None when the supplier
    does not sell it."""
    if not isinstance(product, dict) or _is_active(product) is False:
        return None
    name = text(product.get("name")).lower()
    mb = sizes.megabytes(text(product.get("capacity"), 40))
    if mb is None:
        return None
    return (name, mb)


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
