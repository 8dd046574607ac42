"""Steady marks of claims, the pause of bulk purchases, and what was done to settle a case.

Only adds columns, with defaults, so yesterday's code works on these tables.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "orders",
        sa.Column(
            "steady_marks",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default="{}",
            nullable=False,
        ),
    )
    op.add_column(
        "supplier_state",
        sa.Column("bulk_off_until", sa.DateTime(timezone=True), nullable=True),
    )
    op.add_column("cases", sa.Column("action", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("cases", "action")
    op.drop_column("supplier_state", "bulk_off_until")
    op.drop_column("orders", "steady_marks")
