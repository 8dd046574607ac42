"""What a shop looks like and where it is: its former addresses, its hours, its logo.

Adds columns that may be empty or have defaults, and tables, so yesterday's code works on these
tables; an address it gives to a new store during the deploy may be a former one of another, which
then leads to the new store.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

SPAN = "([0-9]{2}:[0-9]{2}-[0-9]{2}:[0-9]{2})?"
LOOK = "replace(replace(translate(slug, '01358i-', 'olesbl'), 'rn', 'm'), 'vv', 'w')"


def upgrade() -> None:
    op.create_table(
        "former_addresses",
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("left_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["store_id"],
            ["stores.id"],
            name=op.f("fk_former_addresses_store_id_stores"),
        ),
        sa.PrimaryKeyConstraint("slug", name=op.f("pk_former_addresses")),
    )
    op.create_index(
        "ix_former_addresses_store", "former_addresses", ["store_id", "left_at"]
    )
    op.create_index("ix_former_addresses_left", "former_addresses", ["left_at"])
    op.create_index("ix_former_addresses_look", "former_addresses", [sa.text(LOOK)])
    op.add_column(
        "stores", sa.Column("moved_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.create_index(
        "ix_stores_moved",
        "stores",
        ["moved_at"],
        postgresql_where=sa.text("moved_at IS NOT NULL"),
    )
    op.add_column(
        "stores",
        sa.Column("hours", sa.Text(), nullable=False, server_default=sa.text("''")),
    )
    op.create_check_constraint(
        op.f("ck_stores_hours"), "stores", f"hours ~ '^$|^{SPAN}(,{SPAN}){{6}}$'"
    )
    op.add_column(
        "stores",
        sa.Column(
            "hours_closed",
            sa.Boolean(),
            nullable=False,
            server_default=sa.text("false"),
        ),
    )
    op.add_column("stores", sa.Column("logo", sa.Text(), nullable=True))
    op.create_table(
        "store_logos",
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("mark", sa.Text(), nullable=False),
        sa.Column("picture", sa.LargeBinary(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["store_id"], ["stores.id"], name=op.f("fk_store_logos_store_id_stores")
        ),
        sa.PrimaryKeyConstraint("store_id", name=op.f("pk_store_logos")),
    )
    op.execute("ALTER TABLE store_logos ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE store_logos FORCE ROW LEVEL SECURITY")


def downgrade() -> None:
    op.drop_table("store_logos")
    for name in ("logo", "hours_closed", "hours"):
        op.drop_column("stores", name)
    op.drop_index("ix_stores_moved", "stores")
    op.drop_column("stores", "moved_at")
    op.drop_table("former_addresses")
