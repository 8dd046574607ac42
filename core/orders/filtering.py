"""Filters of the queue: by network, size, age, payment, hold, and who is on it.

A filter looks through `LOOKED_AT` orders of its tab at a time, in the tab's order: what it finds is
found by the tab's index, and a rare thing costs the same among a million orders as among ten
thousand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Integer, Select, Text, bindparam, case, select

from core.base import clock, phones
from core.catalog import size_text
from core.orders.model import Order
from core.orders.tabs import in_order

LOOKED_AT = 10_000
AGES = {"10": "10 minutes", "60": "an hour", "360": "six hours", "1440": "a day"}
"""Minutes, in words."""
PAID = {"found": "payment found", "said": "says paid", "no": "not paid"}
HOLD = {"no": "not on hold", "yes": "on hold"}
_LONGEST_NAME = 100
_FOREVER_MINUTES = 100 * 365 * 24 * 60


@dataclass(frozen=True)
class Filter:
    """What an address asks for; empty where it does not. `mb`: megabytes; `age`: a key of `AGES`,
    *older than*; `by`: a person's name."""

    network: str = ""
    mb: str = ""
    age: str = ""
    paid: str = ""
    hold: str = ""
    by: str = ""

    @property
    def asked(self) -> dict[str, Any]:
        """What it asks for, as an address carries it."""
        return {name: said for name, said in asdict(self).items() if said}

    @property
    def words(self) -> list[str]:
        """What it asks for, as people read it."""
        said = (
            self.network and phones.NETWORKS[self.network].name,
            self.mb and size_text(int(self.mb)),
            self.age and f"older than {AGES[self.age]}",
            self.paid and PAID[self.paid],
            self.hold and HOLD[self.hold],
            self.by and f"with {self.by}",
        )
        return [words for words in said if words]


EVERY = Filter()


def read(said: Mapping[str, str]) -> Filter:
    """A filter of what an address says. What makes no sense is left out."""
    mb = said.get("mb", "")
    is_size = mb.isascii() and mb.isdigit() and 0 < len(mb) <= 7
    return Filter(
        network=_one_of(said.get("network"), phones.NETWORKS),
        mb=str(int(mb)) if is_size and int(mb) else "",
        age=_one_of(said.get("age"), AGES),
        paid=_one_of(said.get("paid"), PAID),
        hold=_one_of(said.get("hold"), HOLD),
        by=" ".join(said.get("by", "").split())[:_LONGEST_NAME],
    )


def _one_of(key: str | None, known: Mapping[str, object]) -> str:
    return key if key in known else ""  # type: ignore[return-value]


def of(tab: str, rows: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    """Those of `rows`, a tab's orders with their columns, that a filter lets through, and at most
    `shown` of them; takes `values`.

    One statement for every filter: connections keep a plan of each.
    """
    one = rows.subquery().c
    paid = case(
        (one.confirmed_at.is_not(None), "found"),
        (one.told_at.is_not(None), "said"),
        else_="no",
    )
    hold = case((one.aside.is_not(None), "yes"), else_="no")
    return (
        select(*one)
        .where(
            _asked("network").in_(("", one.network)),
            _asked("mb", Integer()).in_((0, one.mb)),
            one.created_at < _asked("before", Order.created_at.type),
            _asked("paid").in_(("", paid)),
            _asked("hold").in_(("", hold)),
            _asked("by").in_(("", one.taken_by)),
        )
        .order_by(*in_order(tab, one))
        .limit(bindparam("shown", type_=Integer()))
    )


def values(asked: Filter, most: int) -> dict[str, Any]:
    """What `of` takes."""
    age = int(asked.age) if asked.age else -_FOREVER_MINUTES
    return {
        "only_network": asked.network,
        "only_mb": int(asked.mb or 0),
        "only_before": clock.now() - timedelta(minutes=age),
        "only_paid": asked.paid,
        "only_hold": asked.hold,
        "only_by": asked.by,
        "shown": most,
    }


def _asked(name: str, kind: Any = None) -> Any:
    return bindparam(f"only_{name}", type_=kind or Text())
