"""Every call to the supplier and its answer, for people to read. A purchase is written down before
it is made.

Remembers only, and ends a stop that an answer disproves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BindParameter,
    CheckConstraint,
    Index,
    Insert,
    Select,
    Table,
    Text,
    Update,
    bindparam,
    case,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from core.base import clock, config
from core.base.db import Model, db, joined_transaction, rows_changed
from core.base.tenancy import as_platform
from core.supplier.supply import SUPPLIER, SupplierState


class SupplierCall(Model):
    """One request and its answer. A purchase's row is written before the call, so a kill leaves it
    unanswered."""

    __tablename__ = "supplier_calls"
    __table_args__ = (
        Index("ix_supplier_calls_refs", "order_refs", postgresql_using="gin"),
        Index("ix_supplier_calls_endpoint", "endpoint", "id"),
        # a reference of ours has one dash, its third sign: a test order's alone has this in it
        CheckConstraint("strpos(order_refs::text, 'TEST-') = 0", name="of_real_orders"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    supplier: Mapped[str]
    endpoint: Mapped[str]
    method: Mapped[str]
    path: Mapped[str]
    order_refs: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    attempt: Mapped[int | None]
    request_body: Mapped[str] = mapped_column(default="")
    http_status: Mapped[int | None]
    response_body: Mapped[str] = mapped_column(default="")
    outcome: Mapped[str]
    note: Mapped[str] = mapped_column(default="")
    duration_ms: Mapped[int | None]
    answered_at: Mapped[datetime | None]


def open_purchase_call(order_refs: Sequence[str], attempt: int | None) -> None:
    """Inside the claim: the line of a call about to be made. Unanswered if we die in it; no attempt
    when it buys several."""
    endpoint = "purchase" if len(order_refs) == 1 else "bulk"
    line = {
        "at": clock.now(),
        "supplier": SUPPLIER,
        "endpoint": endpoint,
        "method": "POST",
        "path": f"/v1/{endpoint}",
        "order_refs": list(order_refs),
        "attempt": attempt,
        "outcome": "no answer yet",
    }
    db.session.execute(_OPEN, line)


@as_platform
def record_call(
    *,
    endpoint: str,
    order_refs: tuple[str, ...],
    values: Mapping[str, Any],
    since: datetime | None = None,
) -> bool:
    """Keep one finished call: completes the open line of a purchase, or adds a line.

    `since`: the call begun then was let in and answered well, which ends a stop for refused
    credentials, or for a supplier nobody could reach, from before. Returns whether it did.
    """
    is_purchase = endpoint in ("purchase", "bulk") and bool(order_refs)
    learnt = {**_NOT_SAID, **values, "answered_at": clock.now()}
    said = {**learnt, "endpoint": endpoint, "order_refs": list(order_refs)}
    given = {f"the_{name}": value for name, value in said.items()}
    with joined_transaction():
        if not is_purchase:
            return _carry_out(_ADD, _ADD_AND_LET_IN, given, since)[1]
        given["one_ref"] = [order_refs[0]]
        is_known, is_let_in = _carry_out(_COMPLETE, _COMPLETE_AND_LET_IN, given, since)
        if not is_known:
            rows_changed(_ADD, given)
        return is_let_in


def _carry_out(
    alone: Insert | Update,
    and_let_in: Select[bool, bool],
    given: dict[str, Any],
    since: datetime | None,
) -> tuple[bool, bool]:
    """Carry out one statement, with `since` the one that also lets in. Returns whether there was
    something to record, and whether a stop ended."""
    if since is None:
        return bool(rows_changed(alone, given)), False
    wait_s = config.current().credentials_wait_s
    times = {"since": since, "lately": clock.now() - clock.delta(wait_s)}
    is_kept, is_let_in = db.session.execute(and_let_in, {**given, **times}).one()
    return is_kept, is_let_in


_CALLS, _LINK = SupplierCall.__table__, SupplierState.__table__
assert isinstance(_CALLS, Table) and isinstance(_LINK, Table)
_NOT_SAID = {
    "request_body": "",
    "http_status": None,
    "response_body": "",
    "note": "",
    "duration_ms": None,
}
_LEARNT = [
    "at",
    "method",
    "path",
    "request_body",
    "http_status",
    "response_body",
    "outcome",
    "note",
    "duration_ms",
    "answered_at",
]
_BEFORE = ("supplier", "endpoint", "order_refs")
"""Said when a purchase is about to be made; no role may change it since."""


def _given(names: Iterable[str]) -> dict[str, BindParameter[Any]]:
    return {name: bindparam(f"the_{name}", type_=_CALLS.c[name].type) for name in names}


_NEWEST_OPEN = (
    select(_CALLS.c.id)
    .where(
        _CALLS.c.endpoint == bindparam("the_endpoint"),
        _CALLS.c.order_refs.contains(bindparam("one_ref", type_=ARRAY(Text))),
        _CALLS.c.answered_at.is_(None),
    )
    .order_by(_CALLS.c.id.desc())
    .limit(1)
    .scalar_subquery()
)
_COMPLETE = update(_CALLS).where(_CALLS.c.id == _NEWEST_OPEN).values(**_given(_LEARNT))
_OPEN = insert(_CALLS).inline()
_ADD = insert(_CALLS).values(**_given([*_BEFORE, *_LEARNT]))

_LAST_TWO = (
    select(_CALLS.c.http_status, _CALLS.c.at)
    .where(_CALLS.c.endpoint.in_(("purchase", "bulk")))
    .order_by(_CALLS.c.id.desc())
    .limit(2)
    .subquery()
)
_REFUSED_ALL_THE_SAME = select(func.count() > 1).where(
    _LAST_TWO.c.http_status.in_((401, 403)),
    _LAST_TWO.c.at > bindparam("lately", type_=_CALLS.c.at.type),
)
_SINCE: BindParameter[datetime] = bindparam("since", type_=_CALLS.c.at.type)
_IS_WHY = _LINK.c.breaker_reason.in_(("credentials", "supplier_unreachable"))
_LET_IN = (
    update(_LINK)
    .where(
        _LINK.c.supplier == SUPPLIER,
        or_(
            _LINK.c.credentials_refused_since <= _SINCE,
            _LINK.c.unreachable_since <= _SINCE,
        ),
        ~_REFUSED_ALL_THE_SAME.scalar_subquery(),
    )
    .values(
        credentials_refused_since=None,
        unreachable_since=None,
        breaker_open_until=case((_IS_WHY, None), else_=_LINK.c.breaker_open_until),
        breaker_reason=case((_IS_WHY, None), else_=_LINK.c.breaker_reason),
    )
)
"""Ends a stop that a call begun at `since` disproves, since it was answered well.

Not when the last two purchases were both refused within `credentials_wait_s`: then the supplier
lets reads in and no purchases, and would refuse the next one too. A purchase whose answer is
written down in the same exchange is seen as not answered yet: it was not refused.
"""


def _both(record: Insert | Update) -> Select[bool, bool]:
    """`record` and `_LET_IN` in one exchange, neither of which sees what the other did: whether
    each changed anything."""
    parts = {"kept": record, "let_in": _LET_IN}
    done = [one.returning(literal(1)).cte(name) for name, one in parts.items()]
    kept, let_in = (
        select(func.count() > 0).select_from(one).scalar_subquery() for one in done
    )
    return select(kept, let_in)


_ADD_AND_LET_IN, _COMPLETE_AND_LET_IN = _both(_ADD), _both(_COMPLETE)


@as_platform
def calls(
    before_id: int | None = None,
    endpoint: str | None = None,
    search: str = "",
    limit: int | None = None,
) -> list[SupplierCall]:
    """The call log, newest first; `search` is a whole order reference."""
    query = (
        select(SupplierCall)
        .order_by(SupplierCall.id.desc())
        .limit(limit or config.current().page_size)
    )
    if before_id is not None:
        query = query.where(SupplierCall.id < before_id)
    if endpoint:
        query = query.where(SupplierCall.endpoint == endpoint)
    if search:
        query = query.where(SupplierCall.order_refs.contains([search.strip().upper()]))
    return list(db.session.scalars(query))
