"""Payment messages: what stores paste of money that came, and which order each pays.

Adds a table and an index, so yesterday's code works on these tables. The payer of a message is forgotten with
the number of its order, and of a message for no order when it is as old.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

INDEXES = (
    (
        "ix_payment_messages_open",
        ("store_id", "id"),
        "is_in AND order_id IS NULL AND put_away_at IS NULL",
    ),
    ("ix_payment_messages_order", ("store_id", "order_id"), "order_id IS NOT NULL"),
    ("ix_payment_messages_newest", ("store_id", "id"), None),
    ("ix_payment_messages_number", ("store_id", "came_to", "provider", "id"), None),
    ("ix_payment_messages_transaction", ("store_id", "transaction_id"), None),
    (
        "ix_payment_messages_named",
        ("pasted_at",),
        "payer_name <> '' OR payer_msisdn <> '' OR reference <> ''",
    ),
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
      customer_name = '', told_payer = NULL, told_transaction = NULL, version = version + 1
    WHERE id = one.id;
    UPDATE public.not_received SET words = '', contact = '' WHERE order_id = one.id;{payers}
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
FORGET_PAYERS = """
    UPDATE public.payment_messages SET payer_name = '', payer_msisdn = '', reference = ''
    WHERE order_id = one.id;"""
PRUNE = """
CREATE OR REPLACE FUNCTION makola_prune(said text, mac text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  w jsonb := makola_heard('makola_prune', said, mac);
  gone bigint;
BEGIN
  WITH calls AS (
    DELETE FROM supplier_calls WHERE at < (w ->> 'calls_before')::timestamptz RETURNING 1
  ), webhooks AS (
    DELETE FROM webhook_events WHERE received_at < (w ->> 'webhooks_before')::timestamptz RETURNING 1
  ), asked AS (
    DELETE FROM outbox WHERE order_id IS NULL AND done_at < (w ->> 'asked_before')::timestamptz RETURNING 1
  ){messages}
  SELECT (SELECT count(*) FROM calls) + (SELECT count(*) FROM webhooks) + (SELECT count(*) FROM asked){counted} INTO gone;
  RETURN gone;
END $$
"""
# words of yesterday's code name no time: then nothing is forgotten
MESSAGES = """, messages AS (
    UPDATE payment_messages SET payer_name = '', payer_msisdn = '', reference = ''
    WHERE pasted_at < (w ->> 'messages_before')::timestamptz AND order_id IS NULL
      AND (payer_name <> '' OR payer_msisdn <> '' OR reference <> '')
    RETURNING 1
  )"""
COUNTED = " + (SELECT count(*) FROM messages)"


def upgrade() -> None:
    op.create_table(
        "payment_messages",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("pasted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("pasted_by", sa.Text(), nullable=False),
        sa.Column("came_to", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("transaction_id", sa.Text(), nullable=False),
        sa.Column("is_in", sa.Boolean(), nullable=False),
        sa.Column("amount_pesewas", sa.BigInteger(), nullable=False),
        sa.Column("balance_pesewas", sa.BigInteger(), nullable=False),
        sa.Column("fee_pesewas", sa.BigInteger(), nullable=False),
        sa.Column("payer_name", sa.Text(), nullable=False),
        sa.Column("payer_msisdn", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("is_from_chat", sa.Boolean(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=True),
        sa.Column("matched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("matched_by", sa.Text(), nullable=True),
        sa.Column("put_away_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("put_away_by", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "amount_pesewas > 0", name=op.f("ck_payment_messages_amount")
        ),
        sa.CheckConstraint(
            "is_in OR order_id IS NULL",
            name=op.f("ck_payment_messages_only_money_in_pays"),
        ),
        sa.CheckConstraint(
            "order_id IS NULL OR put_away_at IS NULL",
            name=op.f("ck_payment_messages_paid_or_put_away"),
        ),
        sa.ForeignKeyConstraint(
            ["store_id"],
            ["stores.id"],
            name=op.f("fk_payment_messages_store_id_stores"),
        ),
        sa.ForeignKeyConstraint(
            ["store_id", "order_id"],
            ["orders.store_id", "orders.id"],
            name=op.f("fk_payment_messages_store_id_orders"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_messages")),
        sa.UniqueConstraint(
            "store_id",
            "came_to",
            "transaction_id",
            name=op.f("uq_payment_messages_store_id"),
        ),
    )
    for name, columns, where in INDEXES:
        op.create_index(
            name,
            "payment_messages",
            list(columns),
            postgresql_where=sa.text(where) if where else None,
        )
    op.create_index(
        "ix_orders_paid",
        "orders",
        ["store_id", "id"],
        postgresql_where=sa.text(
            "state = 'pending' AND (told_at IS NOT NULL OR confirmed_at IS NOT NULL)"
        ),
    )
    op.execute("ALTER TABLE payment_messages ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE payment_messages FORCE ROW LEVEL SECURITY")
    op.execute(MASK.format(payers=FORGET_PAYERS))
    op.execute(PRUNE.format(messages=MESSAGES, counted=COUNTED))


def downgrade() -> None:
    op.execute(PRUNE.format(messages="", counted=""))
    op.execute(MASK.format(payers=""))
    op.drop_index("ix_orders_paid", "orders")
    op.drop_table("payment_messages")
