"""Test orders: they play the whole way without money and without the supplier.

Adds two columns, rules that hold a test order away from everything that is real, and guards: what
an order is never changes, and nothing that moves or proves money names a test order. Yesterday's
code makes none, so it works on.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

RULES = {
    "test_ending": (
        "is_test = (test_ending IS NOT NULL)"
        " AND (test_ending IS NULL OR test_ending IN ('delivered', 'failed', 'refused'))"
    ),
    "test_reference": "is_test = starts_with(order_ref, 'TEST-')",
    "test_number": (
        "NOT is_test OR recipient_msisdn IN ('+233000000000', '+23300xxx0000')"
    ),
    "test_is_without_money": (
        "NOT is_test OR (charged_pesewas IS NULL AND pay_code IS NULL AND repriced_at IS NULL"
        " AND told_at IS NULL AND missing_since IS NULL AND given_back_at IS NULL"
        " AND owner_asked_at IS NULL AND estimate_minutes IS NULL AND NOT ever_unknown"
        " AND state <> 'awaiting_payment')"
    ),
}
# As 0027 has them, without test orders.
SUM_TRIGGER = """
CREATE CONSTRAINT TRIGGER {name} AFTER {event} ON orders
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION makola_sum_day()
"""
DELIVERED = "NEW.state = 'completed' AND NEW.completed_at IS NOT NULL"
BEFORE = "OLD.state = 'completed' AND OLD.completed_at IS NOT NULL"
REAL = " AND NOT NEW.is_test"
KEEP_KIND = """
CREATE FUNCTION makola_refuse_other_kind() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  RAISE EXCEPTION 'an order is a test order from its first moment or never, and its ending stays'
    USING ERRCODE = 'integrity_constraint_violation';
END $$
"""
KEPT = """
CREATE TRIGGER orders_kind_kept BEFORE UPDATE OF is_test, test_ending ON orders FOR EACH ROW
WHEN (OLD.is_test IS DISTINCT FROM NEW.is_test OR OLD.test_ending IS DISTINCT FROM NEW.test_ending)
EXECUTE FUNCTION makola_refuse_other_kind()
"""
REFUSE_TEST = """
CREATE FUNCTION makola_refuse_test_order() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM orders o WHERE o.id = NEW.order_id AND o.is_test) THEN
    RAISE EXCEPTION 'a test order moves no money: % names one', TG_TABLE_NAME
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$
"""
WITHOUT_TEST = """
CREATE TRIGGER {table}_of_real_orders BEFORE INSERT OR UPDATE OF order_id ON {table} FOR EACH ROW
WHEN (NEW.order_id IS NOT NULL) EXECUTE FUNCTION makola_refuse_test_order()
"""
TABLES = ("postings", "payment_messages", "not_received")


def upgrade() -> None:
    # in one statement, which reads the orders once for all the rules while they are locked
    rules = (
        f"ADD CONSTRAINT ck_orders_{name} CHECK ({rule})"
        for name, rule in RULES.items()
    )
    columns = (
        "ADD COLUMN is_test boolean DEFAULT false NOT NULL, ADD COLUMN test_ending text"
    )
    op.execute(f"ALTER TABLE orders {columns}, {', '.join(rules)}")
    op.create_index(
        "ix_orders_test",
        "orders",
        ["store_id", "created_at"],
        postgresql_where=sa.text("is_test"),
    )
    # a reference of ours has one dash, its third sign: this is found in that of a test order alone
    op.create_check_constraint(
        op.f("ck_supplier_calls_of_real_orders"),
        "supplier_calls",
        "strpos(order_refs::text, 'TEST-') = 0",
    )
    op.execute(KEEP_KIND)
    op.execute(KEPT)
    op.execute(REFUSE_TEST)
    for table in TABLES:
        op.execute(WITHOUT_TEST.format(table=table))
    _sum(REAL)


def _sum(real: str) -> None:
    op.execute("DROP TRIGGER orders_sum_placed ON orders")
    op.execute("DROP TRIGGER orders_sum_day ON orders")
    placed = SUM_TRIGGER.format(
        name="orders_sum_placed", event="INSERT", when=DELIVERED + real
    )
    moved = SUM_TRIGGER.format(
        name="orders_sum_day",
        event="UPDATE OF state, completed_at",
        when=f"{DELIVERED} AND NOT ({BEFORE}){real}",
    )
    op.execute(placed)
    op.execute(moved)


def downgrade() -> None:
    """Not with test orders there: yesterday's code would take them for real ones."""
    op.execute("SELECT set_config('makola.scope', 'all', true)")
    if op.get_bind().scalar(
        sa.text("SELECT EXISTS (SELECT FROM orders WHERE is_test)")
    ):
        raise RuntimeError(
            "There are test orders: older code would take them for real."
        )
    _sum("")
    for table in TABLES:
        op.execute(f"DROP TRIGGER {table}_of_real_orders ON {table}")
    op.execute("DROP FUNCTION makola_refuse_test_order()")
    op.execute("DROP TRIGGER orders_kind_kept ON orders")
    op.execute("DROP FUNCTION makola_refuse_other_kind()")
    op.drop_constraint("ck_supplier_calls_of_real_orders", "supplier_calls")
    op.drop_index("ix_orders_test", "orders")
    for name in RULES:
        op.drop_constraint(f"ck_orders_{name}", "orders")
    op.drop_column("orders", "test_ending")
    op.drop_column("orders", "is_test")
