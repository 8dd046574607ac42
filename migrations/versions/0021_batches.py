"""Lists that agents paste or upload, and their lines, until they are orders.

New tables alone, so yesterday's code works on these tables. Their policies and rights are made by granting.py.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

TABLES = ("order_batches", "batch_lines")


def upgrade() -> None:
    op.create_table(
        "order_batches",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("to_process", sa.Boolean(), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("confirmed_by", sa.Text(), nullable=True),
        sa.Column("short_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("thrown_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["store_id"], ["stores.id"], name=op.f("fk_order_batches_store_id_stores")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_batches")),
        sa.UniqueConstraint("store_id", "id", name=op.f("uq_order_batches_store_id")),
    )
    op.create_index(
        "ix_order_batches_store_made", "order_batches", ["store_id", "made_at"]
    )
    op.create_table(
        "batch_lines",
        sa.Column("batch_id", sa.BigInteger(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("accepted", sa.Boolean(), nullable=False),
        sa.Column("bundle_id", sa.BigInteger(), nullable=True),
        sa.Column("price_pesewas", sa.BigInteger(), nullable=True),
        sa.Column("order_id", sa.BigInteger(), nullable=True),
        sa.Column("words", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "state IN ('open', 'left_out', 'waiting', 'ordered', 'refused')",
            name=op.f("ck_batch_lines_state"),
        ),
        sa.CheckConstraint(
            "(state = 'ordered') = (order_id IS NOT NULL)",
            name=op.f("ck_batch_lines_ordered"),
        ),
        sa.ForeignKeyConstraint(
            ["store_id"], ["stores.id"], name=op.f("fk_batch_lines_store_id_stores")
        ),
        sa.ForeignKeyConstraint(
            ["bundle_id"],
            ["bundles.id"],
            name=op.f("fk_batch_lines_bundle_id_bundles"),
        ),
        sa.ForeignKeyConstraint(
            ["store_id", "batch_id"],
            ["order_batches.store_id", "order_batches.id"],
            name=op.f("fk_batch_lines_store_id_order_batches"),
        ),
        sa.ForeignKeyConstraint(
            ["store_id", "order_id"],
            ["orders.store_id", "orders.id"],
            name=op.f("fk_batch_lines_store_id_orders"),
        ),
        sa.PrimaryKeyConstraint("batch_id", "n", name=op.f("pk_batch_lines")),
    )
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
