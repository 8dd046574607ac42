"""A day's payments, page by page: each judged, counted, and its cause's share added to the day."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Row as Found
from sqlalchemy import text

from core.base import clock, config
from core.base.db import db
from core.base.preconditions import inside_use_case, needs_across_stores
from core.gateway_days import settlements
from core.gateway_days.causes import CAUSES
from core.gateway_days.comparing import Frame, Judged, Ours, Row, Theirs, judge

PAGE = 500
NAMED = 10
"""So many references of a cause are kept with the day; the file has all."""
_DAY = timedelta(days=1)
_PAGE = text("""
WITH named AS (
  SELECT reference FROM online_payments WHERE state = 'paid' AND paid_at >= :since AND paid_at < :until
    AND reference > :after
  UNION SELECT reference FROM gateway_lines WHERE word IN ('paid', 'reversed') AND paid_at >= :since
    AND paid_at < :until AND reference > :after
  ORDER BY reference LIMIT :limit
)
SELECT n.reference, p.id, p.state, p.mode, p.charged_pesewas, p.fees_pesewas, p.paid_at,
  (SELECT coalesce(sum(r.amount_pesewas), 0) FROM gateway_refunds r WHERE r.payment_id = p.id
    AND r.state IN ('submitting', 'open', 'needs_details', 'done')) AS refunded,
  (SELECT coalesce(sum(d.taken_pesewas), 0) FROM disputes d WHERE d.payment_id = p.id) AS taken,
  l.word, l.mode AS their_mode, l.currency, l.charged_pesewas AS their_charged, l.fees_pesewas AS their_fees,
  l.paid_at AS their_paid_at, s.raw_word = 'success' AS settled
FROM named n LEFT JOIN online_payments p ON p.reference = n.reference
LEFT JOIN gateway_lines l ON l.reference = n.reference LEFT JOIN gateway_settlements s ON s.id = l.settlement_id
ORDER BY n.reference
""")


@dataclass(frozen=True)
class Line:
    """A payment of a day, judged. `payment_id` None: not one of ours."""

    row: Row
    judged: Judged
    payment_id: int | None


def begins(day: date) -> datetime:
    """When a day begins in Accra."""
    return datetime(day.year, day.month, day.day, tzinfo=clock.ACCRA)


@needs_across_stores
def frame_of(day: date) -> Frame:
    """How a day is judged now."""
    settings = config.current()
    return Frame(
        day,
        settings.paystack_mode == "live" or settlements.is_any(),
        clock.now() - clock.delta(settings.settled_within_s),
    )


@needs_across_stores
def page(frame: Frame, after: str) -> list[Line]:
    """The next `PAGE` payments of a day by reference, each judged."""
    since, until = begins(frame.day), begins(frame.day + _DAY)
    asked = {"after": after, "limit": PAGE, "since": since, "until": until}
    return [_line(found, frame) for found in db.session.execute(_PAGE, asked)]


def every(day: date, most_pages: int) -> Iterator[Line]:
    """All payments of a day, a page at a time, as far as so many pages go."""
    frame, after = frame_of(day), ""
    for _ in range(most_pages):
        found = page(frame, after)
        yield from found
        if len(found) < PAGE:
            return
        after = found[-1].row.reference


@inside_use_case
def add(work: dict[str, Any], found: list[Line]) -> dict[str, Any]:
    """The day's tally with these payments in it."""
    tally = {name: dict(part) for name, part in (work or EMPTY).items()}
    for line in found:
        _count(tally["ours"], line.judged.ours_pesewas)
        _count(tally["theirs"], line.judged.theirs_pesewas)
        _count(tally["settled"], line.judged.settled_pesewas)
        if line.judged.cause:
            share = tally["causes"].setdefault(line.judged.cause, {})
            tally["causes"][line.judged.cause] = _with(share, line)
    return tally


EMPTY: dict[str, dict[str, Any]] = {
    "ours": {"count": 0, "pesewas": 0},
    "theirs": {"count": 0, "pesewas": 0},
    "settled": {"count": 0, "pesewas": 0},
    "causes": {},
}


def rings(cause: str | None) -> bool:
    """Whether the gateway's record of the payment may explain it."""
    return cause is not None and CAUSES[cause].way == "ring"


def is_open(causes: dict[str, Any]) -> bool:
    """Whether something among them resolves by itself."""
    return any(CAUSES[name].way in ("itself", "ring") for name in causes)


def _count(column: dict[str, Any], pesewas: int | None) -> None:
    if pesewas is not None:
        column["count"] += 1
        column["pesewas"] += pesewas


def _with(share: dict[str, Any], line: Line) -> dict[str, Any]:
    named = list(share.get("named", []))
    if len(named) < NAMED:
        named.append(line.row.reference)
    return {
        "count": share.get("count", 0) + 1,
        "pesewas": share.get("pesewas", 0) + charged(line.row),
        "differs": share.get("differs", 0) + line.judged.differs_pesewas,
        "named": named,
    }


def charged(row: Row) -> int:
    """What was charged, by whoever says so."""
    if row.theirs is not None and row.theirs.charged_pesewas is not None:
        return row.theirs.charged_pesewas
    return (row.ours.charged_pesewas or 0) if row.ours else 0


def _line(found: Found[Any], frame: Frame) -> Line:
    ours = theirs = None
    if found.id is not None:
        is_paid = found.state == "paid"
        ours = Ours(
            found.mode,
            found.state == "refused",
            found.charged_pesewas,
            found.fees_pesewas,
            found.paid_at if is_paid else None,
            int(found.refunded),
            int(found.taken),
        )
    if found.word is not None:
        theirs = Theirs(
            found.word,
            found.their_mode,
            found.currency,
            found.their_charged,
            found.their_fees,
            found.their_paid_at,
            bool(found.settled),
        )
    row = Row(found.reference, ours, theirs)
    return Line(row, judge(row, frame), found.id)
