"""What the current store sells now, with what each bundle costs its agent.

Decides whether a bundle may be ordered at this moment, in the words of an agent. What customers
read of the same shelf is `core.catalog.shelf`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core import catalog, stores
from core.availability import Now
from core.base import clock
from core.base.db import db
from core.base.phones import NETWORKS
from core.base.refusal import Refusal
from core.base.tenancy import current_store_id
from core.catalog import Bundle

_SIZES_NAMED = 8
CLOSED = "Your store is closed, so it takes no orders."


class NotSold(Refusal):
    """A bundle that cannot be ordered now. `sentence` says why."""


@dataclass(frozen=True)
class Offered:
    """A bundle on the shelf. Amounts in pesewas."""

    bundle_id: int
    network: str
    mb: int
    size_text: str
    price_pesewas: int
    agent_price_pesewas: int

    @property
    def text(self) -> str:
        """`MTN 5 GB`."""
        return f"{NETWORKS[self.network].name} {self.size_text}"


Shelf = Mapping[tuple[str, int], list[Offered]]
"""By network and size in MB."""


def shelf() -> Shelf:
    """In the order of the shop."""
    rows = db.session.execute(
        catalog.sellable().add_columns(Bundle.agent_price_pesewas)
    ).all()
    costs = {row[0]: row[-1] for row in rows}
    found: dict[tuple[str, int], list[Offered]] = {}
    for line in catalog.shelf_of_rows(row[: catalog.OF_SHELF] for row in rows):
        one = Offered(
            line.bundle_id,
            line.network,
            line.mb,
            line.size_text,
            line.price_pesewas,
            costs[line.bundle_id],
        )
        found.setdefault((line.network, line.mb), []).append(one)
    return found


def one_of(network: str, mb: int, sold: Shelf, now: Now) -> Offered:
    """The bundle of this network and size that can be bought now. Raises `NotSold`."""
    name = NETWORKS[network].name
    found = sold.get((network, mb), [])
    if not found:
        raise NotSold(
            f"You do not sell {name} {catalog.size_text(mb)}. {_sizes(network, sold)}"
        )
    if len(found) > 1:
        raise NotSold(
            f"{found[0].text} stands more than once on your shelf. Hide all but one under Prices,"
            " or order this one for a walk-in."
        )
    why = why_not(found[0], now)
    if why and now.everything is None:
        raise NotSold(f"{why} Leave this line out, or wait.")
    return found[0]


def why_not(one: Offered, now: Now) -> str:
    """Why a bundle of the shelf cannot be ordered now, and since when; empty when it can."""
    stop = now.why_not(one.network, one.bundle_id)
    if stop is None:
        return ""
    if stop.reason == "float":
        return f"{one.text} has been sold out since {clock.shown(stop.since)}."
    return stop.to_customer


def why_nothing(now: Now) -> str:
    """Why nothing at all can be ordered in the current store; empty when something can."""
    store = stores.by_id(current_store_id())
    if store is None or not store.is_open:
        note = (
            f" Customers read: “{store.closed_note}”"
            if store and store.closed_note
            else ""
        )
        return CLOSED + note
    if now.everything is not None:
        return f"{now.everything.to_customer} No orders are taken until that is over."
    return ""


def _sizes(network: str, sold: Shelf) -> str:
    sizes = sorted(mb for its, mb in sold if its == network)
    if not sizes:
        return "Nothing of this network is on your shelf."
    named = ", ".join(catalog.size_text(mb) for mb in sizes[:_SIZES_NAMED])
    more = ", …" if len(sizes) > _SIZES_NAMED else ""
    return f"You sell {named}{more}."
