"""Orders as lists read them, dozens at once: the columns of a row of queue and console, and no
others, since each is read for every row."""

from __future__ import annotations

from core.orders.model import Order

COLUMNS = (
    Order.id,
    Order.store_id,
    Order.code,
    Order.pay_code,
    Order.is_test,
    Order.paid_online,
    Order.customer_name,
    Order.recipient_msisdn,
    Order.network,
    Order.mb,
    Order.bundle_id,
    Order.price_pesewas,
    Order.agent_price_pesewas,
    Order.cost_pesewas,
    Order.charged_pesewas,
    Order.state,
    Order.unknown_since,
    Order.release_at,
    Order.release_refused,
    Order.confirmed_at,
    Order.told_at,
    Order.told_paid_at,
    Order.told_payer,
    Order.missing_since,
    Order.given_back_at,
    Order.given_back_how,
    Order.aside,
    Order.note,
    Order.taken_by,
    Order.taken_at,
    Order.created_at,
    Order.queued_at,
    Order.submitted_at,
    Order.failed_since,
    Order.final_at,
)
