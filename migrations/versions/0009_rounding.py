"""Balances as they were said, the entry up to which books and balance fitted, the day's rounding, and the last failed read.

Only adds columns, so yesterday's code works on these tables.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

LINK = (
    sa.Column("last_balance_said", sa.Text(), nullable=True),
    sa.Column("fit_entry_id", sa.BigInteger(), nullable=True),
    sa.Column("rounding_day", sa.Date(), nullable=True),
    sa.Column("rounding_pesewas", sa.BigInteger(), nullable=False, server_default="0"),
    sa.Column("balance_failed_at", sa.DateTime(timezone=True), nullable=True),
    sa.Column("balance_failure", sa.Text(), nullable=True),
)


def upgrade() -> None:
    for column in LINK:
        op.add_column("supplier_state", column)
    op.add_column("balance_reads", sa.Column("said", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("balance_reads", "said")
    for column in LINK:
        op.drop_column("supplier_state", column.name)
