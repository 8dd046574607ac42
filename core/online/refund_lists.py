"""Which refunds there are: of a payment, of an order, and all that are not over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import select, text

from core.base.db import db
from core.online.model import OPEN_REFUND, GatewayRefund, OnlinePayment

Reason = Literal["refunded", "cancelled", "late", "double", "short", "given_back"]
_WAITING = text(
    "SELECT r.id, r.state, r.reason, r.amount_pesewas, r.asked_at, r.asked_by, r.to_number, o.code,"
    " s.name, s.slug FROM gateway_refunds r JOIN online_payments p ON p.id = r.payment_id"
    " JOIN stores s ON s.id = r.store_id LEFT JOIN orders o ON o.id = p.order_id"
    " WHERE r.state = ANY (:open) ORDER BY r.id LIMIT :limit"
)


@dataclass(frozen=True)
class Waiting:
    """A refund that is not over, as a person reads it."""

    id: int
    state: str
    reason: str
    amount_pesewas: int
    asked_at: datetime
    asked_by: str
    to_number: str | None
    order_code: str | None
    store_name: str
    store_slug: str


def waiting(limit: int) -> list[Waiting]:
    """Refunds of every store that are not over, the oldest first."""
    rows = db.session.execute(_WAITING, {"limit": limit, "open": list(OPEN_REFUND)})
    return [Waiting(*row) for row in rows]


def newest_of_order(order_id: int) -> GatewayRefund | None:
    """The newest refund of what was paid for an order; its page says how it stands."""
    return db.session.scalar(
        select(GatewayRefund)
        .join(OnlinePayment, OnlinePayment.id == GatewayRefund.payment_id)
        .where(
            (OnlinePayment.order_id == order_id)
            | (OnlinePayment.pays_order_id == order_id)
        )
        .order_by(GatewayRefund.id.desc())
        .limit(1)
    )


def newest(payment_id: int) -> GatewayRefund | None:
    """The newest refund of a payment."""
    return db.session.scalar(
        select(GatewayRefund)
        .where(GatewayRefund.payment_id == payment_id)
        .order_by(GatewayRefund.n.desc())
        .limit(1)
    )


def is_under_way(payment_id: int) -> bool:
    """Whether a refund of a payment is not over."""
    found = newest(payment_id)
    return found is not None and found.state in OPEN_REFUND


def is_refunded_by_us(payment_id: int) -> bool:
    """Whether a refund of ours may be why the gateway says that a payment was taken back."""
    found = select(GatewayRefund.id).where(
        GatewayRefund.payment_id == payment_id,
        GatewayRefund.state.in_(("submitting", "open", "done")),
    )
    return db.session.scalar(found.limit(1)) is not None


def reason_of(payment_id: int) -> Reason:
    """Why the payment's newest refund was asked for."""
    found = newest(payment_id)
    assert found is not None
    return found.reason  # type: ignore[return-value]
