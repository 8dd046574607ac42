"""What agents decide about their shop: which bundles they recommend and in what order they stand, what
is announced, how to pay in their words, a pause; and what became of their prices.

Adds columns with defaults and a table, so yesterday's code works on these tables; what it changes of a price
is not in the history.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

WORDS = ("announcement", "pay_words")


def upgrade() -> None:
    op.add_column(
        "store_bundles",
        sa.Column(
            "featured", sa.Boolean(), nullable=False, server_default=sa.text("false")
        ),
    )
    op.add_column("store_bundles", sa.Column("place", sa.BigInteger(), nullable=True))
    op.add_column(
        "stores", sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True)
    )
    for name in WORDS:
        op.add_column(
            "stores",
            sa.Column(name, sa.Text(), nullable=False, server_default=sa.text("''")),
        )
    op.create_table(
        "price_moves",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("bundle_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by_name", sa.Text(), nullable=False),
        sa.Column("how", sa.Text(), nullable=False),
        sa.Column("before_pesewas", sa.BigInteger(), nullable=True),
        sa.Column("price_pesewas", sa.BigInteger(), nullable=False),
        sa.Column("cost_pesewas", sa.BigInteger(), nullable=False),
        sa.Column("was_hidden", sa.Boolean(), nullable=True),
        sa.Column("hidden", sa.Boolean(), nullable=False),
        sa.CheckConstraint("price_pesewas > 0", name=op.f("ck_price_moves_price")),
        sa.CheckConstraint(
            "how IN ('typed', 'bulk', 'kept_margin', 'left')",
            name=op.f("ck_price_moves_how"),
        ),
        sa.ForeignKeyConstraint(
            ["store_id"], ["stores.id"], name=op.f("fk_price_moves_store_id_stores")
        ),
        sa.ForeignKeyConstraint(
            ["bundle_id"],
            ["bundles.id"],
            name=op.f("fk_price_moves_bundle_id_bundles"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_price_moves")),
    )
    op.create_index("ix_price_moves_newest", "price_moves", ["store_id", "id"])
    op.create_index(
        "ix_price_moves_bundle", "price_moves", ["store_id", "bundle_id", "id"]
    )
    op.execute("ALTER TABLE price_moves ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE price_moves FORCE ROW LEVEL SECURITY")


def downgrade() -> None:
    op.drop_table("price_moves")
    op.drop_column("stores", "paused_at")
    for name in WORDS:
        op.drop_column("stores", name)
    op.drop_column("store_bundles", "place")
    op.drop_column("store_bundles", "featured")
