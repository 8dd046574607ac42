"""That a customer has their money back, said by the agent; and the order of what is over. Only adds nullable columns."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

OWED = "given_back_at IS NULL AND (state = 'refunded' OR (state IN ('cancelled', 'expired') AND queued_at IS NOT NULL))"


def upgrade() -> None:
    op.add_column(
        "orders", sa.Column("given_back_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.add_column("orders", sa.Column("given_back_by", sa.Text(), nullable=True))
    op.add_column("orders", sa.Column("given_back_how", sa.Text(), nullable=True))
    op.create_index(
        "ix_orders_give_back",
        "orders",
        ["store_id", "id"],
        postgresql_where=sa.text(OWED),
    )
    op.create_index(
        "ix_orders_done",
        "orders",
        ["store_id", "final_at", "id"],
        postgresql_where=sa.text("final_at IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_orders_done", "orders")
    op.drop_index("ix_orders_give_back", "orders")
    for column in ("given_back_how", "given_back_by", "given_back_at"):
        op.drop_column("orders", column)
