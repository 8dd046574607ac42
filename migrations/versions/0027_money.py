"""What each store earned, by day and bundle, and its customers; requests for money into a wallet;
the lines of a wallet found by their day.

Adds tables, an index and a trigger, so yesterday's code works on these tables and is summed too.
Orders stand still for writers while this runs, also for who has locked one to write it: each is
summed once, here or by the trigger.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

SUM = """
CREATE FUNCTION makola_sum_day() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  known bigint;
BEGIN
  INSERT INTO store_days AS d (store_id, day, bundle_id, orders, sales_pesewas, cost_pesewas)
  VALUES (NEW.store_id, (NEW.completed_at AT TIME ZONE 'Africa/Accra')::date, NEW.bundle_id, 1,
    NEW.price_pesewas, NEW.agent_price_pesewas)
  ON CONFLICT (store_id, day, bundle_id) DO UPDATE SET orders = d.orders + 1,
    sales_pesewas = d.sales_pesewas + excluded.sales_pesewas,
    cost_pesewas = d.cost_pesewas + excluded.cost_pesewas;
  IF strpos(NEW.recipient_msisdn, 'x') > 0 THEN
    RETURN NULL;
  END IF;
  SELECT c.id INTO known FROM customers c
  JOIN orders o ON o.store_id = c.store_id AND o.id = c.newest_order_id
  WHERE c.store_id = NEW.store_id AND c.ending = right(NEW.recipient_msisdn, 4)
    AND o.recipient_msisdn = NEW.recipient_msisdn LIMIT 1;
  UPDATE customers SET buys = buys + 1, spent_pesewas = spent_pesewas + NEW.price_pesewas,
    last_at = greatest(last_at, NEW.completed_at),
    newest_order_id = greatest(newest_order_id, NEW.id),
    name = CASE WHEN name = '' THEN NEW.customer_name ELSE name END
  WHERE id = known;
  -- none known, or forgotten since it was looked for
  IF NOT FOUND THEN
    INSERT INTO customers (store_id, newest_order_id, ending, name, buys, spent_pesewas, last_at)
    VALUES (NEW.store_id, NEW.id, right(NEW.recipient_msisdn, 4), NEW.customer_name, 1,
      NEW.price_pesewas, NEW.completed_at);
  END IF;
  RETURN NULL;
END $$
"""
# At the end of the transaction, when the accounts of the posting are locked already: two deliveries
# of one store then never wait for each other in a circle.
TRIGGER = """
CREATE CONSTRAINT TRIGGER {name} AFTER {event} ON orders
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION makola_sum_day()
"""
DELIVERED = "NEW.state = 'completed' AND NEW.completed_at IS NOT NULL"
BEFORE = "OLD.state = 'completed' AND OLD.completed_at IS NOT NULL"
SUMMED = """
INSERT INTO store_days (store_id, day, bundle_id, orders, sales_pesewas, cost_pesewas)
SELECT store_id, (completed_at AT TIME ZONE 'Africa/Accra')::date, bundle_id, count(*),
  sum(price_pesewas), sum(agent_price_pesewas)
FROM orders WHERE state = 'completed' AND completed_at IS NOT NULL GROUP BY 1, 2, 3
"""
CUSTOMERS = """
INSERT INTO customers (store_id, newest_order_id, ending, name, buys, spent_pesewas, last_at)
SELECT store_id, max(id), right(recipient_msisdn, 4),
  coalesce((array_agg(customer_name ORDER BY id DESC) FILTER (WHERE customer_name <> ''))[1], ''),
  count(*), sum(price_pesewas), max(completed_at)
FROM orders WHERE state = 'completed' AND completed_at IS NOT NULL
  AND strpos(recipient_msisdn, 'x') = 0 GROUP BY store_id, recipient_msisdn
"""
# As 0025 has it, and a customer goes with the last order that keeps their number.
MASK = """
CREATE OR REPLACE FUNCTION makola_mask_orders(chosen bigint[]) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
  one record;
  masked bigint := 0;
BEGIN
  FOR one IN
    SELECT o.id, o.order_ref, o.store_id, o.recipient_msisdn AS number,
      right(o.recipient_msisdn, 9) AS digits FROM public.orders o
    WHERE o.id = ANY (chosen) AND strpos(o.recipient_msisdn, 'x') = 0
      AND o.state IN ('cancelled', 'completed', 'expired', 'refunded')
    ORDER BY o.id FOR NO KEY UPDATE
  LOOP
    UPDATE public.orders SET
      recipient_msisdn = left(recipient_msisdn, 6) || 'xxx' || right(recipient_msisdn, 4),
      customer_name = '', told_payer = NULL, told_transaction = NULL, note = NULL, version = version + 1
    WHERE id = one.id;
    UPDATE public.not_received SET words = '', contact = '' WHERE order_id = one.id;
    UPDATE public.payment_messages SET payer_name = '', payer_msisdn = '', reference = ''
    WHERE order_id = one.id;{customers}
    UPDATE public.supplier_calls SET
      request_body = replace(request_body, one.digits, left(one.digits, 2) || 'xxx' || right(one.digits, 4)),
      response_body = replace(response_body, one.digits, left(one.digits, 2) || 'xxx' || right(one.digits, 4))
    WHERE order_refs @> ARRAY[one.order_ref];
    UPDATE public.webhook_events SET body = '' WHERE order_ref = one.order_ref;
    masked := masked + 1;
  END LOOP;
  RETURN masked;
END $$;
"""
# By `created_at`, as `ix_orders_recipient` has the orders of a number.
FORGET_CUSTOMERS = """
    UPDATE public.customers SET newest_order_id = kept.id FROM (
      SELECT o.id FROM public.orders o
      WHERE o.store_id = one.store_id AND o.recipient_msisdn = one.number
      ORDER BY o.created_at DESC LIMIT 1
    ) kept WHERE newest_order_id = one.id;
    DELETE FROM public.customers WHERE newest_order_id = one.id;"""
CUSTOMER_INDEXES = (
    ("ix_customers_ending", ["store_id", "ending"], None),
    ("ix_customers_last", ["store_id", "last_at", "id"], None),
    ("ix_customers_spent", ["store_id", "spent_pesewas", "id"], None),
    ("ix_customers_order", ["newest_order_id"], None),
    ("ix_customers_blocked", ["store_id", "ending"], "blocked_at IS NOT NULL"),
)
WALLET_KINDS = "kind IN ('fund_wallet', 'take_back', 'hold', 'release')"


def upgrade() -> None:
    # before the first granting the owner sees rows by the wall of then
    op.execute("SELECT set_config('makola.scope', 'all', true)")
    op.execute("LOCK TABLE orders IN EXCLUSIVE MODE")
    op.create_table(
        "store_days",
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("bundle_id", sa.BigInteger(), nullable=False),
        sa.Column("orders", sa.BigInteger(), nullable=False),
        sa.Column("sales_pesewas", sa.BigInteger(), nullable=False),
        sa.Column("cost_pesewas", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["store_id"], ["stores.id"], name=op.f("fk_store_days_store_id_stores")
        ),
        sa.ForeignKeyConstraint(
            ["bundle_id"], ["bundles.id"], name=op.f("fk_store_days_bundle_id_bundles")
        ),
        sa.PrimaryKeyConstraint(
            "store_id", "day", "bundle_id", name=op.f("pk_store_days")
        ),
    )
    _customers()
    op.execute(SUM)
    op.execute(TRIGGER.format(name="orders_sum_placed", event="INSERT", when=DELIVERED))
    op.execute(
        TRIGGER.format(
            name="orders_sum_day",
            event="UPDATE OF state, completed_at",
            when=f"{DELIVERED} AND NOT ({BEFORE})",
        )
    )
    op.execute(SUMMED)
    op.execute(CUSTOMERS)
    op.execute(MASK.format(customers=FORGET_CUSTOMERS))
    op.create_table(
        "fund_requests",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("amount_pesewas", sa.BigInteger(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("reference_key", sa.Text(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("words", sa.Text(), nullable=False, server_default=""),
        sa.Column("posting_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("amount_pesewas > 0", name=op.f("ck_fund_requests_amount")),
        sa.CheckConstraint(
            "decision IN ('approved', 'refused', 'withdrawn')",
            name=op.f("ck_fund_requests_decision"),
        ),
        sa.CheckConstraint(
            "(decision IS NOT NULL AND decision = 'approved') = (posting_id IS NOT NULL)",
            name=op.f("ck_fund_requests_approved_is_booked"),
        ),
        sa.CheckConstraint(
            "(decision IS NULL) = (decided_at IS NULL)"
            " AND (decision IS NULL) = (decided_by IS NULL)",
            name=op.f("ck_fund_requests_decided"),
        ),
        sa.ForeignKeyConstraint(
            ["store_id"], ["stores.id"], name=op.f("fk_fund_requests_store_id_stores")
        ),
        sa.ForeignKeyConstraint(
            ["store_id", "posting_id"],
            ["postings.store_id", "postings.id"],
            name=op.f("fk_fund_requests_store_id_postings"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fund_requests")),
        sa.UniqueConstraint("posting_id", name=op.f("uq_fund_requests_posting_id")),
    )
    op.create_index("ix_fund_requests_newest", "fund_requests", ["store_id", "id"])
    op.create_index("ix_fund_requests_reference", "fund_requests", ["reference_key"])
    op.create_index(
        "ix_fund_requests_waiting",
        "fund_requests",
        ["asked_at", "id"],
        postgresql_where=sa.text("decision IS NULL"),
    )
    op.create_index(
        "ix_fund_requests_waits_once",
        "fund_requests",
        ["store_id", "reference_key"],
        unique=True,
        postgresql_where=sa.text("decision IS NULL"),
    )
    op.create_index(
        "ix_postings_wallet",
        "postings",
        ["store_id", "kind", "at", "id"],
        postgresql_where=sa.text(WALLET_KINDS),
    )
    for table in ("store_days", "fund_requests", "customers"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")


def _customers() -> None:
    op.create_table(
        "customers",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("newest_order_id", sa.BigInteger(), nullable=False),
        sa.Column("ending", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False, server_default=""),
        sa.Column("note", sa.Text(), nullable=False, server_default=""),
        sa.Column("buys", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("spent_pesewas", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("blocked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("blocked_by", sa.Text(), nullable=True),
        sa.Column("blocked_why", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(blocked_at IS NULL) = (blocked_why IS NULL)",
            name=op.f("ck_customers_blocked"),
        ),
        sa.ForeignKeyConstraint(
            ["store_id"], ["stores.id"], name=op.f("fk_customers_store_id_stores")
        ),
        sa.ForeignKeyConstraint(
            ["store_id", "newest_order_id"],
            ["orders.store_id", "orders.id"],
            name=op.f("fk_customers_store_id_orders"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customers")),
    )
    for name, columns, where in CUSTOMER_INDEXES:
        op.create_index(
            name,
            "customers",
            columns,
            postgresql_where=sa.text(where) if where else None,
        )


def downgrade() -> None:
    op.execute(MASK.format(customers=""))
    op.drop_index("ix_postings_wallet", "postings")
    op.drop_table("fund_requests")
    op.execute("DROP TRIGGER orders_sum_day ON orders")
    op.execute("DROP TRIGGER orders_sum_placed ON orders")
    op.drop_table("store_days")
    op.drop_table("customers")
    op.execute("DROP FUNCTION makola_sum_day()")
