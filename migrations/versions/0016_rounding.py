"""Balances as they were said with all that was in doubt then, up to which entry they fitted, rounding, and failed reads.

Only adds columns, so yesterday's code works on these tables.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
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
DOUBTS = ("charged_again_pesewas", "may_be_back_pesewas")


def upgrade() -> None:
    for column in LINK:
        op.add_column("supplier_state", column)
    op.add_column(
        "balance_reads", sa.Column("said", sa.Text(), nullable=False, server_default="")
    )
    for name in DOUBTS:
        op.add_column(
            "balance_reads",
            sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"),
        )


def downgrade() -> None:
    for name in (*DOUBTS, "said"):
        op.drop_column("balance_reads", name)
    for column in LINK:
        op.drop_column("supplier_state", column.name)
