"""The points of the float chart: our float account, and the supplier's answers. Reads only."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, text

from admin_console.chart import Point
from core.base.db import db
from core.supplier.balances import BalanceRead

STEPS = 160
"""The books' line in the float chart has at most so many steps."""

_MOVEMENT = (
    "SELECT p.at, e.balance_pesewas FROM postings p CROSS JOIN LATERAL (SELECT balance_pesewas"
    " FROM entries WHERE posting_id = p.id AND account_id = (SELECT id FROM accounts"
    " WHERE name = 'supplier_float' AND store_id IS NULL) LIMIT 1) e"
    " WHERE {}"
)
_NEWEST = _MOVEMENT + " ORDER BY p.at DESC, p.id DESC LIMIT 1"
"""The newest movement of the float that meets a condition: looked up by time, so that a busy week
costs no more than a quiet one. LIMIT keeps the legs from being read first, all of them."""
_IN_STEP = (
    "p.at > CAST(:start AS timestamptz) + step * make_interval(secs => :step_s)"
    " AND p.at <= CAST(:start AS timestamptz) + (step + 1) * make_interval(secs => :step_s)"
)


def float_points(start: datetime, end: datetime) -> list[Point]:
    """Our float account through a span of time: its balance at the start, or its first posting if
    there was none yet, then after each step, oldest first.
    """
    before = db.session.scalar(
        text(
            f"SELECT balance_pesewas FROM ({_NEWEST.format('p.at < :start')}) f"  # noqa: S608 - from here
        ),
        {"start": start},
    )
    opened = None if before is not None else _first_posting(start, end)
    if before is None:
        first = []
    else:
        first = [Point(start, int(before))]
    if opened is not None:
        first = [opened]
        start = opened.at
    rows = db.session.execute(
        text(
            f"SELECT f.* FROM generate_series(0, {STEPS} - 1) step CROSS JOIN LATERAL"  # noqa: S608 - from here
            f" ({_NEWEST.format(_IN_STEP)}) f ORDER BY step"
        ),
        {
            "start": start,
            "end": end,
            "step_s": (end - start).total_seconds() / STEPS,
        },
    )
    return first + [Point(at, int(balance)) for at, balance in rows]


def _first_posting(start: datetime, end: datetime) -> Point | None:
    row = db.session.execute(
        text(
            _MOVEMENT.format("p.at >= :start AND p.at <= :end")
            + " ORDER BY p.at, p.id LIMIT 1"
        ),
        {"start": start, "end": end},
    ).one_or_none()
    if row is None:
        return None
    return Point(row.at, int(row.balance_pesewas))


def balance_points(start: datetime, end: datetime) -> list[BalanceRead]:
    """The supplier's answers about our balance in a span of time, oldest first."""
    query = (
        select(BalanceRead)
        .where(BalanceRead.at >= start, BalanceRead.at <= end)
        .order_by(BalanceRead.id)
    )
    return list(db.session.scalars(query))
