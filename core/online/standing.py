"""What is owed of a payment: by its rows, never by the books, so that the proof may compare them.

Owed is what was to go back (its own postings, or the end of the order it pays), less the refunds
that are done, less what the gateway took by itself, and never less than nothing.
"""

from __future__ import annotations

from typing import Any, TypeVar

from sqlalchemy import func, select, text

from core.base.db import db
from core.base.preconditions import inside_use_case
from core.ledger import Kind, Leg, Posting
from core.online.model import OnlinePayment

T = TypeVar("T")

OWED = """
SELECT p.id, p.store_id, p.owed_pesewas + CASE WHEN o.state IN ('cancelled', 'refunded')
  THEN o.price_pesewas ELSE 0 END AS owed,
  (SELECT coalesce(sum(r.amount_pesewas), 0) FROM gateway_refunds r
   WHERE r.payment_id = p.id AND r.state = 'done') AS refunded,
  (SELECT coalesce(sum(d.taken_pesewas), 0) FROM disputes d WHERE d.payment_id = p.id) AS taken
FROM online_payments p LEFT JOIN orders o ON o.id = p.pays_order_id
"""
"""Every payment: what was to go back of it, what was refunded, what the gateway took."""
_STANDING = text(f"{OWED} WHERE p.id = :id")


@inside_use_case
def locked_payment(payment_id: int) -> OnlinePayment:
    """A payment that this work may see, locked after the orders it names. Raises
    `NoResultFound`."""
    db.session.execute(_LOCK_ORDERS, {"id": payment_id})
    return locked(OnlinePayment, payment_id)


_LOCK_ORDERS = text(
    "SELECT o.id FROM orders o WHERE o.id IN (SELECT unnest(ARRAY[p.order_id, p.pays_order_id])"
    " FROM online_payments p WHERE p.id = :id) ORDER BY o.id FOR NO KEY UPDATE"
)


@inside_use_case
def locked(row: type[T], id_: int) -> T:
    """A payment, refund, payout or dispute that this work may see, its row locked and read anew.

    Raises `NoResultFound`.
    """
    kept: Any = row
    return db.session.scalars(
        select(row)
        .where(kept.id == id_)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one()


def postings(subject: str, kind: Kind) -> int:
    """How many postings of a kind hang on a subject."""
    found = db.session.scalar(
        select(func.count())
        .select_from(Posting)
        .where(Posting.subject == subject, Posting.kind == kind)
    )
    return int(found or 0)


def paying(order_id: int) -> OnlinePayment | None:
    """The payment that pays an order, if one does."""
    return db.session.scalar(
        select(OnlinePayment).where(OnlinePayment.pays_order_id == order_id)
    )


def due(payment_id: int) -> int:
    """What is still owed back of a payment, in pesewas."""
    owed, refunded, taken = _standing(payment_id)
    return max(0, owed - refunded - taken)


def taken(payment_id: int) -> int:
    """What the gateway took back of a payment by itself."""
    return _standing(payment_id)[2]


def left(payment: OnlinePayment) -> int:
    """What of a payment is neither refunded nor taken back."""
    _owed, refunded, taken_back = _standing(payment.id)
    return max(0, (payment.charged_pesewas or 0) - refunded - taken_back)


def lost(payment_id: int) -> int:
    """What left of a payment beyond what was to go back of it."""
    owed, refunded, taken_back = _standing(payment_id)
    return max(0, refunded + taken_back - owed)


def balanced(
    payment_id: int,
    legs: list[Leg],
    *,
    owe: int = 0,
    refund: int = 0,
    take: int = 0,
) -> list[Leg]:
    """Legs completed by `refund_due` and `dispute_loss`: what becomes owed by owing, refunding and
    taking so much more, and what is left. The payer never gets twice what they paid."""
    owed, refunded, taken_before = _standing(payment_id)
    before = max(0, owed - refunded - taken_before)
    after = max(0, owed + owe - refunded - refund - taken_before - take)
    moved = [*legs, ("refund_due", before - after)]
    return [*moved, ("dispute_loss", -sum(amount for _name, amount in moved))]


def _standing(payment_id: int) -> tuple[int, int, int]:
    db.session.flush()
    row = db.session.execute(_STANDING, {"id": payment_id}).one()
    return int(row.owed), int(row.refunded), int(row.taken)
