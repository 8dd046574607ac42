"""Which orders are real: all but test orders, which move no money and reach no supplier.

Whoever sums, counts or matches orders, or asks the supplier about them, looks at those that are
`REAL`. Decision 255 has the list. The rules stand in the database too (migration 0028): no posting,
payment message or report names a test order, and no call to the supplier its reference.
"""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ColumnElement, Index, Table

from core.orders.codes import TEST_PREFIX
from core.orders.model import Order

REAL: ColumnElement[bool] = ~Order.is_test
"""In a statement: not a test order."""
RECIPIENT = "+233000000000"
"""The number of every test order: no network has it, and no form takes it."""
_MASKED = f"{RECIPIENT[:6]}xxx{RECIPIENT[-4:]}"
_RULES = {
    "test_ending": (
        "is_test = (test_ending IS NOT NULL)"
        " AND (test_ending IS NULL OR test_ending IN ('delivered', 'failed', 'refused'))"
    ),
    "test_reference": f"is_test = starts_with(order_ref, '{TEST_PREFIX}')",
    "test_number": f"NOT is_test OR recipient_msisdn IN ('{RECIPIENT}', '{_MASKED}')",
    "test_is_without_money": (
        "NOT is_test OR (charged_pesewas IS NULL AND pay_code IS NULL AND repriced_at IS NULL"
        " AND told_at IS NULL AND missing_since IS NULL AND given_back_at IS NULL"
        " AND owner_asked_at IS NULL AND estimate_minutes IS NULL AND NOT ever_unknown"
        " AND state <> 'awaiting_payment')"
    ),
}

assert isinstance(Order.__table__, Table)
for _name, _rule in _RULES.items():
    Order.__table__.append_constraint(CheckConstraint(_rule, name=_name))
Index(
    "ix_orders_test", Order.store_id, Order.created_at, postgresql_where=Order.is_test
)
