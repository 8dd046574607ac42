"""How attempts to pay ended, by their rows: for the platform's people, who look for what happens
too often."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal, get_args

from sqlalchemy import ColumnElement, case, exists, func, or_, select, tuple_
from sqlalchemy.orm import aliased

from core import orders
from core.base import clock
from core.base.db import db
from core.base.preconditions import needs_across_stores
from core.online import OPEN, OnlinePayment
from core.online.model import MOST_ID
from core.taking import listing
from core.taking.by_day import DAYS
from core.taking.listing import Line, lines

End = Literal["open", "paid", "failed", "abandoned", "late", "double", "short", "unfit"]
"""*paid*: it pays its order, or a wallet. *failed*: the gateway said so, or opened none.
*abandoned*: nobody paid; it may still be watched. *late*, *double*, *short* and *unfit* are as
`online.judge` has them."""
ENDS: tuple[End, ...] = get_args(End)
_other = aliased(OnlinePayment)
_is_double = exists().where(
    _other.pays_order_id == OnlinePayment.order_id, _other.id != OnlinePayment.id
)
END: ColumnElement[str] = case(
    (OnlinePayment.state.in_(OPEN), "open"),
    (OnlinePayment.state == "refused", "unfit"),
    (
        or_(
            OnlinePayment.pays_order_id == OnlinePayment.order_id,
            OnlinePayment.funded_at.is_not(None),
        ),
        "paid",
    ),
    (OnlinePayment.charged_pesewas < OnlinePayment.amount_pesewas, "short"),
    ((OnlinePayment.state == "paid") & _is_double, "double"),
    (OnlinePayment.state == "paid", "late"),
    (
        (OnlinePayment.state == "failed") | OnlinePayment.failed_at.is_not(None),
        "failed",
    ),
    else_="abandoned",
)
"""The end of an attempt. One that failed and was paid all the same is not *failed*."""


@needs_across_stores
def counts() -> dict[End, int]:
    """How many attempts of the days that pages show ended how; all of `ENDS`."""
    rows = db.session.execute(
        select(END, func.count())
        .where(OnlinePayment.created_at >= _since())
        .group_by(END)
    )
    found = {end: int(many) for end, many in rows}
    return {end: found.get(end, 0) for end in ENDS}


@needs_across_stores
def of_end(end: End, before: int | None, limit: int) -> Sequence[Line]:
    """Attempts of those days that ended so, the newest first; `before`: those before that one."""
    # by its moment, not by its id: where few ended so, no more is read than those days
    at, id_ = OnlinePayment.created_at, OnlinePayment.id
    query = lines().where(at >= _since(), END == end).order_by(at.desc(), id_.desc())
    if before is not None:
        last = select(at, id_).where(id_ == before).scalar_subquery()
        query = query.where(tuple_(at, id_) < last)
    return [Line(*row) for row in db.session.execute(query.limit(limit))]


@needs_across_stores
def named(typed: str, limit: int) -> Sequence[Line]:
    """Attempts that are meant by what somebody typed: a reference of ours, the gateway's number, or
    the code of an order."""
    order = orders.by_code(typed)
    meant: list[ColumnElement[bool]] = [
        OnlinePayment.reference.in_([typed, typed.upper()])
    ]
    if typed.isdecimal() and int(typed) <= MOST_ID:
        meant.append(OnlinePayment.gateway_id == int(typed))
    if order is not None:
        meant.append(OnlinePayment.order_id == order.id)
        meant.append(OnlinePayment.pays_order_id == order.id)
    return listing.found(lines().where(or_(*meant)), None, limit)


def end_of(payment: OnlinePayment) -> End:
    """How one attempt ended."""
    found = db.session.scalar(select(END).where(OnlinePayment.id == payment.id))
    return found  # type: ignore[return-value]


def _since() -> datetime:
    return clock.accra_midnight() - timedelta(days=DAYS - 1)
