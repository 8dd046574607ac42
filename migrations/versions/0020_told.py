"""What customers tell: that they have paid, and that nothing came; pay codes to find a payment by.

Adds nullable columns, a table and indexes, so yesterday's code works on these tables: its orders
have no pay code, and are paid for by their own. What customers tell is forgotten with their number.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

OWED = (
    "given_back_at IS NULL AND (state = 'refunded' OR (state IN ('cancelled', 'expired')"
    " AND (queued_at IS NOT NULL OR confirmed_at IS NOT NULL{told})))"
)
TOLD = " OR told_at IS NOT NULL"
TIMES = (
    "told_at",
    "told_paid_at",
    "told_first_at",
    "not_found_at",
    "missing_since",
    "owner_asked_at",
)
TEXTS = ("pay_code", "told_payer", "told_transaction")
INDEXES = (
    ("uq_orders_pay_code", ("store_id", "pay_code"), "pay_code IS NOT NULL", True),
    ("ix_orders_pay_code_age", ("created_at",), "pay_code IS NOT NULL", False),
    (
        "ix_orders_told",
        ("store_id", "id"),
        "state = 'pending' AND told_at IS NOT NULL",
        False,
    ),
    (
        "ix_orders_answered",
        ("store_id", "queued_at"),
        "told_at IS NOT NULL AND queued_at IS NOT NULL",
        False,
    ),
    ("ix_orders_missing", ("store_id", "id"), "missing_since IS NOT NULL", False),
)
MASK = """
CREATE OR REPLACE FUNCTION makola_mask_orders(chosen bigint[]) RETURNS bigint
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
      customer_name = '',{told} version = version + 1
    WHERE id = one.id;{reports}
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
FORGET_TOLD = " told_payer = NULL, told_transaction = NULL,"
FORGET_REPORTS = """
    UPDATE public.not_received SET words = '', contact = '' WHERE order_id = one.id;"""


def upgrade() -> None:
    for name in TIMES:
        op.add_column(
            "orders", sa.Column(name, sa.DateTime(timezone=True), nullable=True)
        )
    for name in TEXTS:
        op.add_column("orders", sa.Column(name, sa.Text(), nullable=True))
    op.create_check_constraint(
        op.f("ck_orders_pay_code"), "orders", "pay_code ~ '^[0-9]{6}$'"
    )
    for name, columns, where, is_unique in INDEXES:
        op.create_index(
            name,
            "orders",
            list(columns),
            unique=is_unique,
            postgresql_where=sa.text(where),
        )
    op.drop_index("ix_orders_give_back", "orders")
    _index_owed(TOLD)
    op.add_column(
        "stores",
        sa.Column("momo_name", sa.Text(), nullable=False, server_default=""),
    )
    op.create_table(
        "not_received",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("balance", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("contact", sa.Text(), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answered_by", sa.Text(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("answer_words", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["store_id"], ["stores.id"], name=op.f("fk_not_received_store_id_stores")
        ),
        sa.ForeignKeyConstraint(
            ["store_id", "order_id"],
            ["orders.store_id", "orders.id"],
            name=op.f("fk_not_received_store_id_orders"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_not_received")),
    )
    op.create_index("ix_not_received_order", "not_received", ["order_id", "id"])
    op.create_index("ix_not_received_opened", "not_received", ["store_id", "opened_at"])
    op.execute("ALTER TABLE not_received ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE not_received FORCE ROW LEVEL SECURITY")
    op.execute(MASK.format(told=FORGET_TOLD, reports=FORGET_REPORTS))


def _index_owed(told: str) -> None:
    op.create_index(
        "ix_orders_give_back",
        "orders",
        ["store_id", "id"],
        postgresql_where=sa.text(OWED.format(told=told)),
    )


def downgrade() -> None:
    op.execute(MASK.format(told="", reports=""))
    op.drop_table("not_received")
    op.drop_column("stores", "momo_name")
    op.drop_index("ix_orders_give_back", "orders")
    _index_owed("")
    for name, *_rest in INDEXES:
        op.drop_index(name, "orders")
    op.drop_constraint(op.f("ck_orders_pay_code"), "orders", type_="check")
    for name in (*TEXTS, *TIMES):
        op.drop_column("orders", name)
