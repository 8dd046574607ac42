"""Who placed an order, for counting; since when it waits; and the function that forgets a customer's number.

Only adds columns and widens a check, so yesterday's code works on these tables. Numbers that the supplier's words brought
into timelines and cases are masked here once; `phones.hide` keeps new ones out.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

FINAL = "state IN ('cancelled', 'completed', 'expired', 'refunded')"
WHOLE = "strpos(recipient_msisdn, 'x') = 0"
# As `core.base.phones` reads a number inside a text.
NUMBER = "(?<![0-9A-Za-z])(\\+?(?:00)?233[ .\u00a0-]?\\(?0?\\)?|0)([25][0-9])[ .\u00a0-]?[0-9]{3}[ .\u00a0-]?([0-9]{4})(?![0-9A-Za-z])"
TEXTS = {
    "order_events": ("text", "customer_text", "detail"),
    "cases": ("evidence", "resolution"),
    "orders": ("failure_reason",),
}

# It belongs to the owner of the tables and is the one way to change a number: of orders that are over, to the masked form.
# Row-level security binds it to what its caller sees. Nine digits in a row are how the supplier spells a number.
MASK = """
CREATE FUNCTION makola_mask_orders(chosen bigint[]) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
  one record;
  masked bigint := 0;
BEGIN
  FOR one IN
    SELECT o.id, o.order_ref, right(o.recipient_msisdn, 9) AS digits FROM public.orders o
    WHERE o.id = ANY (chosen) AND strpos(o.recipient_msisdn, 'x') = 0
      AND o.state IN ('cancelled', 'completed', 'expired', 'refunded')
    ORDER BY o.id FOR NO KEY UPDATE
  LOOP
    UPDATE public.orders SET
      recipient_msisdn = left(recipient_msisdn, 6) || 'xxx' || right(recipient_msisdn, 4),
      customer_name = '', version = version + 1
    WHERE id = one.id;
    UPDATE public.supplier_calls SET
      request_body = replace(request_body, one.digits, left(one.digits, 2) || 'xxx' || right(one.digits, 4)),
      response_body = replace(response_body, one.digits, left(one.digits, 2) || 'xxx' || right(one.digits, 4))
    WHERE order_refs @> ARRAY[one.order_ref];
    UPDATE public.webhook_events SET body = '' WHERE order_ref = one.order_ref;
    masked := masked + 1;
  END LOOP;
  RETURN masked;
END $$;
REVOKE ALL ON FUNCTION makola_mask_orders(bigint[]) FROM PUBLIC;
"""


def upgrade() -> None:
    op.add_column("orders", sa.Column("placed_device", sa.Text(), nullable=True))
    op.add_column("orders", sa.Column("placed_address", sa.Text(), nullable=True))
    op.add_column(
        "orders", sa.Column("pending_since", sa.DateTime(timezone=True), nullable=True)
    )
    # the owner sees no row of a store either, unless he takes his own tables from under the wall
    for table in TEXTS:
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    op.execute("UPDATE orders SET pending_since = created_at WHERE state = 'pending'")
    _mask_texts()
    for table in TEXTS:
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.drop_constraint(op.f("ck_orders_recipient"), "orders", type_="check")
    op.create_check_constraint(
        op.f("ck_orders_recipient"),
        "orders",
        "recipient_msisdn ~ '^\\+233([0-9]{9}|[0-9]{2}xxx[0-9]{4})$'",
    )
    op.create_check_constraint(
        op.f("ck_orders_masked_when_over"), "orders", f"{WHOLE} OR {FINAL}"
    )
    for column in ("placed_device", "placed_address"):
        op.create_index(
            f"ix_orders_{column}",
            "orders",
            ["store_id", column, "id"],
            postgresql_where=sa.text(f"state = 'pending' AND {column} IS NOT NULL"),
        )
    op.create_index(
        "ix_orders_pending_since",
        "orders",
        [sa.text("coalesce(pending_since, created_at)")],
        postgresql_where=sa.text("state = 'pending' AND NOT ever_unknown"),
    )
    op.create_index(
        "ix_orders_whole_number",
        "orders",
        ["final_at"],
        postgresql_where=sa.text(f"final_at IS NOT NULL AND {WHOLE}"),
    )
    op.execute(MASK)


def _mask_texts() -> None:
    op.execute("ALTER TABLE order_events DISABLE TRIGGER order_events_frozen")
    for table, columns in TEXTS.items():
        for column in columns:
            kind = "jsonb" if column in ("detail", "evidence") else "text"
            op.execute(
                sa.text(
                    f"UPDATE {table} SET {column} = "
                    f"regexp_replace({column}::text, :number, '\\1\\2•••\\3', 'g')::{kind} WHERE {column}::text ~ :number"
                ).bindparams(number=NUMBER)
            )
    op.execute("ALTER TABLE order_events ENABLE TRIGGER order_events_frozen")


def downgrade() -> None:
    op.execute("DROP FUNCTION makola_mask_orders(bigint[])")
    for name in ("whole_number", "pending_since", "placed_address", "placed_device"):
        op.drop_index(f"ix_orders_{name}", "orders")
    op.drop_constraint(op.f("ck_orders_masked_when_over"), "orders", type_="check")
    op.drop_constraint(op.f("ck_orders_recipient"), "orders", type_="check")
    op.execute(  # numbers that are forgotten stay so: only new rows are asked
        "ALTER TABLE orders ADD CONSTRAINT ck_orders_recipient CHECK (recipient_msisdn ~ '^\\+233[0-9]{9}$') NOT VALID"
    )
    for column in ("pending_since", "placed_address", "placed_device"):
        op.drop_column("orders", column)
