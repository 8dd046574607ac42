"""Which attempts may be paid by card too; and what the page of payments counts is found by indexes
of it alone.

A column with a constant default, and indexes: yesterday's code works on them.
"""

from __future__ import annotations

from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "ALTER TABLE online_payments ADD by_card_too boolean NOT NULL DEFAULT false,"
        " ADD CONSTRAINT ck_online_payments_card CHECK (purpose = 'order' OR NOT by_card_too)"
    )
    op.execute(
        "CREATE INDEX ix_online_payments_card ON online_payments (store_id, created_at)"
        " WHERE by_card_too"
    )
    op.execute(
        # not of the balance: an index of what changes would make each change of any account dearer
        "CREATE INDEX ix_accounts_refund_due ON accounts (id) WHERE name = 'refund_due'"
    )
    op.execute("CREATE INDEX ix_stores_pay_online ON stores (id) WHERE pay_online")
    op.execute(
        "CREATE INDEX ix_online_payments_open ON online_payments (id)"
        " WHERE state IN ('asked', 'open')"
    )


def downgrade() -> None:
    op.execute("DROP INDEX ix_online_payments_open")
    op.execute("DROP INDEX ix_stores_pay_online")
    op.execute("DROP INDEX ix_accounts_refund_due")
    op.execute("DROP INDEX ix_online_payments_card")
    op.execute(
        "ALTER TABLE online_payments DROP CONSTRAINT ck_online_payments_card, DROP by_card_too"
    )
