"""Which attempts may be paid by card too.

A column with a constant default and an index of what it marks: yesterday's code works on it.
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


def downgrade() -> None:
    op.execute("DROP INDEX ix_online_payments_card")
    op.execute(
        "ALTER TABLE online_payments DROP CONSTRAINT ck_online_payments_card, DROP by_card_too"
    )
