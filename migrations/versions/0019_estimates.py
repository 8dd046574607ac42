"""How long deliveries take: an estimate a network, a record a store, and what each order was told.

Only adds a nullable column, two tables and indexes, so yesterday's code works on these tables: an order
that it processes has no estimate. The policies of the store's table and all rights are made by granting.py.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("orders", sa.Column("estimate_minutes", sa.BigInteger()))
    op.create_index(
        "ix_orders_delivered",
        "orders",
        ["network", "completed_at"],
        postgresql_include=["store_id", "queued_at"],
        postgresql_where=sa.text("completed_at IS NOT NULL"),
    )
    op.create_index(
        "ix_orders_estimated",
        "orders",
        ["network", "queued_at"],
        postgresql_where=sa.text("estimate_minutes IS NOT NULL"),
    )
    op.create_table(
        "delivery_estimates",
        sa.Column("network", sa.Text(), nullable=False),
        sa.Column("minutes", sa.BigInteger(), nullable=True),
        sa.Column("counted", sa.BigInteger(), nullable=False),
        sa.Column("in_time", sa.BigInteger(), nullable=False),
        sa.Column("estimated", sa.BigInteger(), nullable=False),
        sa.Column("renewed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("network", name=op.f("pk_delivery_estimates")),
    )
    op.create_table(
        "store_records",
        sa.Column("store_id", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("delivered", sa.BigInteger(), nullable=False),
        sa.Column("half_within_minutes", sa.BigInteger(), nullable=True),
        sa.Column("renewed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["store_id"], ["stores.id"], name=op.f("fk_store_records_store_id_stores")
        ),
        sa.PrimaryKeyConstraint("store_id", name=op.f("pk_store_records")),
    )
    op.create_index("ix_store_records_renewed", "store_records", ["renewed_at"])
    op.execute("ALTER TABLE store_records ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE store_records FORCE ROW LEVEL SECURITY")


def downgrade() -> None:
    op.drop_table("store_records")
    op.drop_table("delivery_estimates")
    op.drop_index("ix_orders_estimated", "orders")
    op.drop_index("ix_orders_delivered", "orders")
    op.drop_column("orders", "estimate_minutes")
