"""Prompts on a phone as the second way to pay online: by which way an attempt is paid, whose phone is
asked, whether it was, and what its owner is to do. And an index of the orders that wait for a payment.

Columns with a default and indexes: yesterday's code works on these tables, and knows pages alone.
"""

from __future__ import annotations

from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None

# as `ck_orders_recipient` has it: whole, or masked for ever
NUMBER = r"'^\+233([0-9]{9}|[0-9]{2}xxx[0-9]{4})$'"


def upgrade() -> None:
    op.execute(
        "ALTER TABLE online_payments ADD way text NOT NULL DEFAULT 'page', ADD payer_number text,"
        " ADD payer_network text, ADD payer_key text, ADD prompted_at timestamptz, ADD prompt_step text,"
        " ADD prompt_words text, ADD voucher text, ADD voucher_at timestamptz,"
        " ADD voucher_tries integer NOT NULL DEFAULT 0,"
        " ADD CONSTRAINT ck_online_payments_way CHECK (way IN ('page', 'prompt')),"
        " ADD CONSTRAINT ck_online_payments_payer CHECK ((way = 'prompt') = (payer_number IS NOT NULL)"
        " AND (way = 'prompt') = (payer_network IS NOT NULL) AND (way = 'prompt') = (payer_key IS NOT NULL)"
        f" AND (payer_number IS NULL OR payer_number ~ {NUMBER})"
        " AND (payer_network IS NULL OR payer_network IN ('mtn', 'telecel', 'at'))),"
        " ADD CONSTRAINT ck_online_payments_prompt CHECK (way = 'prompt' OR (prompted_at IS NULL"
        " AND prompt_step IS NULL AND voucher IS NULL)),"
        " ADD CONSTRAINT ck_online_payments_voucher CHECK ((voucher IS NULL) = (voucher_at IS NULL))"
    )
    op.execute(
        "CREATE INDEX ix_online_payments_payer ON online_payments (store_id, payer_key, created_at)"
        " WHERE payer_key IS NOT NULL"
    )
    op.execute(
        "CREATE INDEX ix_online_payments_kept ON online_payments (created_at)"
        " WHERE voucher IS NOT NULL OR strpos(payer_number, 'x') = 0"
    )
    op.execute(
        "CREATE INDEX ix_orders_awaiting ON orders (created_at) WHERE state = 'awaiting_payment'"
    )


def downgrade() -> None:
    op.execute("DROP INDEX ix_orders_awaiting")
    op.execute("DROP INDEX ix_online_payments_kept")
    op.execute("DROP INDEX ix_online_payments_payer")
    op.execute(
        "ALTER TABLE online_payments DROP CONSTRAINT ck_online_payments_voucher,"
        " DROP CONSTRAINT ck_online_payments_prompt, DROP CONSTRAINT ck_online_payments_payer,"
        " DROP CONSTRAINT ck_online_payments_way, DROP voucher_tries, DROP voucher_at, DROP voucher,"
        " DROP prompt_words, DROP prompt_step, DROP prompted_at, DROP payer_key, DROP payer_network,"
        " DROP payer_number, DROP way"
    )
