"""The owner's files: payments, refunds, payouts and settlements of some days, a page at a time.

Decides which columns a file has. Amounts are in pesewas where a column is in GHS; how a cell is
written is decided by who writes the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal

from sqlalchemy import TextClause, text

from core.base.db import db
from core.base.preconditions import needs_across_stores
from core.gateway_days import tallying

What = Literal["payments", "refunds", "payouts", "settlements"]
GHS = "GHS"
"""A column whose name ends so is an amount."""


@dataclass(frozen=True)
class File:
    """A kind of file: the names of its columns, and the statement that gives them after the row's
    id."""

    title: str
    head: tuple[str, ...]
    rows: TextClause


FILES: dict[str, File] = {
    "payments": File(
        "Payments that came in",
        (
            *("Paid", "Reference", "Store", "Order", "Asked GHS", "Charged GHS", "Fee GHS"),
            *("Owed back GHS", "Channel", "World", "Settled", "Settlement"),
        ),
        text("""
SELECT p.id, p.paid_at, p.reference, s.slug, o.code, p.amount_pesewas, p.charged_pesewas, p.fees_pesewas,
  p.owed_pesewas, p.channel, p.mode, g.settled_at, g.gateway_id
FROM online_payments p JOIN stores s ON s.id = p.store_id LEFT JOIN orders o ON o.id = p.order_id
LEFT JOIN gateway_lines l ON l.reference = p.reference LEFT JOIN gateway_settlements g ON g.id = l.settlement_id
WHERE p.state = 'paid' AND p.paid_at >= :since AND p.paid_at < :until AND p.id > :after ORDER BY p.id LIMIT :limit
"""),
    ),
    "refunds": File(
        "Refunds that were asked for",
        (
            *("Asked", "Payment", "No.", "Store", "Order", "Amount GHS", "Fee GHS", "Why", "State"),
            *("Asked by", "Ended", "By hand at the gateway", "Number at the gateway"),
        ),
        text("""
SELECT r.id, r.asked_at, p.reference, r.n, s.slug, o.code, r.amount_pesewas, r.fee_pesewas, r.reason, r.state,
  r.asked_by, r.ended_at, CASE WHEN r.is_adopted THEN 'yes' ELSE '' END, r.gateway_refund_id::text
FROM gateway_refunds r JOIN online_payments p ON p.id = r.payment_id JOIN stores s ON s.id = r.store_id
LEFT JOIN orders o ON o.id = p.order_id
WHERE r.asked_at >= :since AND r.asked_at < :until AND r.id > :after ORDER BY r.id LIMIT :limit
"""),
    ),
    "payouts": File(
        "Payouts that were asked for",
        (
            *("Asked", "Store", "Reference", "Amount GHS", "Fee GHS", "State", "To", "Account name"),
            *("Asked by", "Approved by", "Paid", "Ended"),
        ),
        text("""
SELECT p.id, p.requested_at, s.slug, p.reference, p.amount_pesewas, p.fee_pesewas, p.state, p.account,
  p.account_name, p.requested_by, p.approved_by, p.paid_at, p.ended_at
FROM payouts p JOIN stores s ON s.id = p.store_id
WHERE p.requested_at >= :since AND p.requested_at < :until AND p.id > :after ORDER BY p.id LIMIT :limit
"""),
    ),
    "settlements": File(
        "Settlements",
        (
            *("Settled", "Settlement", "State", "Total GHS", "Fees GHS", "Deductions GHS"),
            *("Reached us GHS", "Booked GHS", "Went to"),
        ),
        text("""
SELECT g.id, g.settled_at, g.gateway_id, g.raw_word, g.total_pesewas, g.fees_pesewas, g.deductions_pesewas,
  g.effective_pesewas, g.booked_pesewas, g.went FROM gateway_settlements g
WHERE g.settled_at >= :since AND g.settled_at < :until AND g.id > :after ORDER BY g.id LIMIT :limit
"""),
    ),
}  # fmt: skip


@needs_across_stores
def page(
    what: What, first: date, last: date, after_id: int, limit: int
) -> list[Sequence[Any]]:
    """The next rows of a file for these days, both included; each begins with its id."""
    until = tallying.begins(last + timedelta(days=1))
    asked = {
        "since": tallying.begins(first),
        "until": until,
        "after": after_id,
        "limit": limit,
    }
    return [tuple(row) for row in db.session.execute(FILES[what].rows, asked)]
