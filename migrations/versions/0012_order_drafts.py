"""What somebody is about to order, kept for an hour: a note between the shop and the review page.

A new table alone, so yesterday's code works on these tables. Its policies and rights are made by granting.py.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "order_drafts",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("device_key", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("bundle_id", sa.BigInteger(), nullable=False),
        sa.Column("recipient_msisdn", sa.Text(), nullable=False),
        sa.Column("recipient_text", sa.Text(), nullable=False),
        sa.Column("price_pesewas", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["store_id"], ["stores.id"], name=op.f("fk_order_drafts_store_id_stores")
        ),
        sa.ForeignKeyConstraint(
            ["bundle_id"],
            ["bundles.id"],
            name=op.f("fk_order_drafts_bundle_id_bundles"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_drafts")),
    )
    op.create_index("ix_order_drafts_created_at", "order_drafts", ["created_at"])
    op.execute("ALTER TABLE order_drafts ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE order_drafts FORCE ROW LEVEL SECURITY")


def downgrade() -> None:
    op.drop_table("order_drafts")
