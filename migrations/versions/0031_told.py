"""What people have read of their store's news, which devices are told of it, and the indexes by
which news and days are read; one number is one customer, whoever comes first.

Adds tables and indexes, so yesterday's code works on these tables. Of rows that delivery and block
made of one number at once, the first takes over what the others have.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

# As 0027 has it; with the lock, delivery and block wait for each other before either looks whether
# the number is known. 4231 is core.base.locks.Lock.CUSTOMER.
TURN = """
  PERFORM pg_advisory_xact_lock(4231, hashtext(NEW.store_id || '/' || NEW.recipient_msisdn));"""
SUM = """
CREATE OR REPLACE FUNCTION makola_sum_day() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
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
  END IF;{turn}
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
SAME = """
CREATE TEMPORARY TABLE same_customers ON COMMIT DROP AS
SELECT c.id, first_value(c.id) OVER one AS kept FROM customers c
JOIN orders o ON o.store_id = c.store_id AND o.id = c.newest_order_id
WHERE strpos(o.recipient_msisdn, 'x') = 0
WINDOW one AS (PARTITION BY c.store_id, o.recipient_msisdn ORDER BY c.id)
"""
TOGETHER = """
UPDATE customers c SET buys = c.buys + more.buys, spent_pesewas = c.spent_pesewas + more.spent,
  last_at = greatest(c.last_at, more.last_at),
  newest_order_id = greatest(c.newest_order_id, more.newest),
  name = CASE WHEN c.name = '' THEN more.name ELSE c.name END,
  note = CASE WHEN c.note = '' THEN more.note ELSE c.note END,
  blocked_at = coalesce(c.blocked_at, more.blocked_at),
  blocked_by = CASE WHEN c.blocked_at IS NULL THEN more.blocked_by ELSE c.blocked_by END,
  blocked_why = CASE WHEN c.blocked_at IS NULL THEN more.blocked_why ELSE c.blocked_why END
FROM (SELECT s.kept, sum(d.buys) AS buys, sum(d.spent_pesewas) AS spent, max(d.last_at) AS last_at,
    max(d.newest_order_id) AS newest, max(d.name) AS name, max(d.note) AS note,
    max(d.blocked_at) AS blocked_at, max(d.blocked_by) AS blocked_by,
    max(d.blocked_why) AS blocked_why
  FROM same_customers s JOIN customers d ON d.id = s.id WHERE s.id <> s.kept GROUP BY s.kept) more
WHERE c.id = more.kept
"""
DOUBLES = "DELETE FROM customers c USING same_customers s WHERE s.id = c.id AND s.id <> s.kept"
INDEXES = (
    ("ix_orders_told_first", "store_id, told_first_at", "told_first_at IS NOT NULL"),
    (
        "ix_orders_undelivered",
        # a CASE, since row-level security keeps a COALESCE from being looked up in an index
        "store_id, (CASE WHEN failed_since IS NOT NULL THEN failed_since ELSE final_at END)",
        "failed_since IS NOT NULL OR state = 'refunded'",
    ),
    ("ix_orders_given_back", "store_id, given_back_at", "given_back_at IS NOT NULL"),
)
TABLES = ("notice_marks", "push_devices")


def upgrade() -> None:
    # before the first granting the owner sees rows by the wall of then
    op.execute("SELECT set_config('makola.scope', 'all', true)")
    op.execute("LOCK TABLE orders IN EXCLUSIVE MODE")
    op.execute(SUM.format(turn=TURN))
    op.execute(SAME)
    op.execute(TOGETHER)
    op.execute(DOUBLES)
    for name, columns, where in INDEXES:
        op.execute(f"CREATE INDEX {name} ON orders ({columns}) WHERE {where}")
    op.create_table(
        "notice_marks",
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        _store("notice_marks"),
        _person("notice_marks"),
        sa.PrimaryKeyConstraint("store_id", "user_id", name=op.f("pk_notice_marks")),
    )
    op.create_table(
        "push_devices",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("access_no", sa.BigInteger(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("p256dh", sa.Text(), nullable=False),
        sa.Column("auth", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kinds", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("notified_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tries", sa.BigInteger(), nullable=False, server_default="0"),
        _store("push_devices"),
        _person("push_devices"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_push_devices")),
    )
    op.create_index(
        "uq_push_devices_endpoint",
        "push_devices",
        ["store_id", "endpoint"],
        unique=True,
    )
    op.create_index("ix_push_devices_person", "push_devices", ["store_id", "user_id"])
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")


def _store(table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_store_id_stores")
    return sa.ForeignKeyConstraint(["store_id"], ["stores.id"], name=name)


def _person(table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_user_id_users")
    return sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=name)


def downgrade() -> None:
    op.execute("DELETE FROM outbox WHERE kind = 'notify_device'")
    for table in TABLES:
        op.drop_table(table)
    for name, _columns, _where in INDEXES:
        op.execute(f"DROP INDEX {name}")
    op.execute(SUM.format(turn=""))
