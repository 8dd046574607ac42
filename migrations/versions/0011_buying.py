"""What can be bought now, as the stores' pages read it: one row that the relay writes each round.

Only adds. It begins as looked at just now with nothing stopped; a relay of this program renews it within a second.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "buying",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("renewed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stopped", sa.Text(), nullable=True),
        sa.Column("stopped_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("short", postgresql.JSONB(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_buying")),
        sa.CheckConstraint("id = 1", name=op.f("ck_buying_one_row")),
    )
    op.execute(
        "ALTER TABLE buying SET (fillfactor = 20)"
    )  # one row, written each second: room for its next versions
    op.execute("INSERT INTO buying (id, renewed_at, short) VALUES (1, now(), '{}')")


def downgrade() -> None:
    op.drop_table("buying")
