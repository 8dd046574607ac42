"""A press that waits a moment before it goes, and that a payment was confirmed. Only adds nullable columns."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

BEFORE = "queued_at IS NOT NULL"
OWED = "given_back_at IS NULL AND (state = 'refunded' OR (state IN ('cancelled', 'expired') AND {paid}))"


def upgrade() -> None:
    op.add_column(
        "orders", sa.Column("release_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.add_column("orders", sa.Column("release_by", postgresql.JSONB(), nullable=True))
    op.add_column("orders", sa.Column("release_refused", sa.Text(), nullable=True))
    op.add_column(
        "orders", sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.create_index(
        "ix_orders_release",
        "orders",
        ["store_id"],
        postgresql_where=sa.text("release_at IS NOT NULL"),
    )
    _index_owed(f"({BEFORE} OR confirmed_at IS NOT NULL)")


def downgrade() -> None:
    _index_owed(BEFORE)
    op.drop_index("ix_orders_release", "orders")
    for column in ("confirmed_at", "release_refused", "release_by", "release_at"):
        op.drop_column("orders", column)


def _index_owed(paid: str) -> None:
    op.drop_index("ix_orders_give_back", "orders")
    where = sa.text(OWED.format(paid=paid))
    op.create_index(
        "ix_orders_give_back", "orders", ["store_id", "id"], postgresql_where=where
    )
