"""Refunds at the gateway: when its list first did not have one that may have been sent, and the
number that a payer gave for one that could not reach them.

Only columns and an index: yesterday's code works on these tables.
"""

from __future__ import annotations

from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "ALTER TABLE gateway_refunds ADD absent_at timestamptz, ADD to_number text, ADD to_network text,"
        " ADD CONSTRAINT ck_gateway_refunds_to CHECK ((to_number IS NULL OR to_number ~ '^[0-9]{8,20}$')"
        " AND (to_network IS NULL OR to_network IN ('mtn', 'telecel', 'at')))"
    )
    op.execute(
        "CREATE INDEX ix_gateway_refunds_waiting ON gateway_refunds (id)"
        " WHERE state IN ('requested', 'submitting', 'open', 'needs_details')"
    )


def downgrade() -> None:
    op.execute("DROP INDEX ix_gateway_refunds_waiting")
    op.execute(
        "ALTER TABLE gateway_refunds DROP CONSTRAINT ck_gateway_refunds_to, DROP absent_at,"
        " DROP to_number, DROP to_network"
    )
