"""What notices there are of the current store between two moments, read from its orders, its wallet
and what can be bought now.

Of each kind no more than `MOST` are read, by an index. *Low* and *short* are told for as long as
they last, *late* too for `DAYS`; the others stay for `DAYS`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    and_,
    bindparam,
    func,
    literal_column,
    select,
    union_all,
)

from core import availability, catalog, ledger
from core.base import clock, config, phones, tenancy
from core.base.db import db
from core.notices.kinds import FAILED, LATE, LOW, NEW, NUMBER, PAID, SHORT
from core.online import PayoutAccount
from core.orders import Order, tabs
from core.orders.real import REAL

DAYS = 7
MOST = 50
"""Of each kind; counted to this and no further."""
_LOOKED_THROUGH = 1_000
"""Of what came in, so many of the newest: most of a store may be lists and walk-ins, which its own
people brought, and which are nothing new to them."""


@dataclass(frozen=True)
class Notice:
    """One of them. Of an order its code, what it is for, and its number, masked."""

    kind: str
    at: datetime
    code: str = ""
    text: str = ""

    @property
    def shown_code(self) -> str:
        return f"{self.code[:4]}-{self.code[4:8]}-{self.code[8:]}"


def listed() -> list[Notice]:
    """All of the last days, the newest first."""
    now = clock.now()
    since = now - timedelta(days=DAYS)
    found = [*_of_orders(since, now), *_of_numbers(since, now), *standing()]
    return sorted(found, key=lambda one: one.at, reverse=True)


def counted(since: datetime, until: datetime, kinds: Iterable[str]) -> dict[str, int]:
    """How many came after one moment and not after another, of some kinds, each
    counted to `MOST`; those of which there are none are left out."""
    wanted = set(kinds)
    counts: dict[str, int] = {}
    if since < until and wanted - {LOW, SHORT}:
        found = db.session.execute(_counted(), _values(since, until))
        counts = {kind: int(many) for kind, many in found if kind in wanted}
    if wanted & {LOW, SHORT}:
        for one in standing():
            if one.kind in wanted and since < one.at <= until:
                counts[one.kind] = counts.get(one.kind, 0) + 1
    return counts


def standing() -> list[Notice]:
    """What is wrong now, each since when: the wallet is low, bundles of the shelf that the float
    does not cover."""
    found = []
    since = ledger.low_since(config.current().low_wallet_pesewas)
    if since is not None:
        found.append(Notice(LOW, since))
    now = availability.now()
    if now.short:
        found += [
            Notice(SHORT, now.short[line.bundle_id], text=_name(line.network, line.mb))
            for line in catalog.shelf()
            if line.bundle_id in now.short
        ]
    return found


def _name(network: str, mb: int) -> str:
    return f"{phones.NETWORKS[network].name} {catalog.size_text(mb)}"


def _of_orders(since: datetime, until: datetime) -> list[Notice]:
    return [
        Notice(
            row.kind,
            row.at,
            row.code,
            f"{_name(row.network, row.mb)} to {phones.mask(row.recipient_msisdn)}",
        )
        for row in db.session.execute(_told(), _values(since, until))
    ]


def _of_numbers(since: datetime, until: datetime) -> list[Notice]:
    """Numbers that were named for the store's earnings."""
    rows = db.session.scalars(
        select(PayoutAccount)
        .where(PayoutAccount.made_at > since, PayoutAccount.made_at <= until)
        .order_by(PayoutAccount.id.desc())
        .limit(MOST)
    )
    return [
        Notice(NUMBER, row.made_at, text=f"{phones.mask(row.number)}, by {row.made_by}")
        for row in rows
    ]


def _values(since: datetime, until: datetime) -> dict[str, Any]:
    return {
        "store_id": tenancy.current_store_id(),
        "since": since,
        "until": until,
        "most": MOST,
        "looked_through": _LOOKED_THROUGH,
        **tabs.late_values(),
    }


_AT = Order.created_at.type
_OURS = and_(Order.store_id == bindparam("store_id", type_=Order.store_id.type), REAL)
_SINCE = bindparam("since", type_=_AT)
_UNTIL = bindparam("until", type_=_AT)
_MOST = bindparam("most", type_=Integer())


@cache
def _told() -> Select[*tuple[Any, ...]]:
    of_all = _every().subquery().c
    order = (Order.code, Order.network, Order.mb, Order.recipient_msisdn)
    return select(of_all.kind, of_all.at, *order).join(
        Order, and_(Order.id == of_all.id, _OURS)
    )


@cache
def _counted() -> Select[*tuple[Any, ...]]:
    of_all = union_all(_every(), _named()).subquery().c
    return select(of_all.kind, func.count()).group_by(of_all.kind)


def _named() -> Select[*tuple[Any, ...]]:
    ours = PayoutAccount.store_id == bindparam("store_id", type_=Order.store_id.type)
    return (
        _some(NUMBER, PayoutAccount.made_at, PayoutAccount.id, ours).subquery().select()
    )


def _every() -> Any:
    few = bindparam("looked_through", type_=Integer())
    came = (
        select(Order.id, Order.source, Order.created_at.label("at"))
        .where(_OURS, Order.created_at > _SINCE, Order.created_at <= _UNTIL)
        .order_by(Order.created_at.desc())
        .limit(few)
        .subquery()
    )
    late = (
        select(Order.id, tabs.late_since().label("at"))
        .where(_OURS, tabs.is_late())
        .order_by(Order.id)
        .limit(few)
        .subquery()
    )
    return union_all(
        *(
            few.subquery().select()
            for few in (
                _some(NEW, came.c.at, came.c.id, came.c.source == "store"),
                _some(PAID, Order.told_first_at, Order.id, _OURS),
                _some(LATE, late.c.at, late.c.id),
                _some(FAILED, tabs.FAILED_AT, Order.id, _OURS, tabs.UNDELIVERED),
            )
        )
    )


def _some(
    kind: str, at: Any, order_id: Any, *ours: ColumnElement[bool]
) -> Select[*tuple[Any, ...]]:
    words: Sequence[ColumnElement[Any]] = (literal_column(f"'{kind}'").label("kind"),)
    return (
        select(*words, at.label("at"), order_id.label("id"))
        .where(at > _SINCE, at <= _UNTIL, *ours)
        .order_by(at.desc())
        .limit(_MOST)
    )
