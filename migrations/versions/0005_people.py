"""People who were removed, numbers that end what was given out, words for devices, and one-time reset links.

Only adds, with defaults. Yesterday's code writes sessions under number 0: they open as before for everybody whose access
was never ended, and are logged out where it was. A removed person has a password nobody knows and no role or store, so
that yesterday's code lets them in nowhere either.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "users", sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.add_column(
        "users",
        sa.Column("access_no", sa.BigInteger(), server_default="0", nullable=False),
    )
    op.add_column(
        "users",
        sa.Column(
            "password_long", sa.Boolean(), server_default="false", nullable=False
        ),
    )
    op.add_column(
        "sessions", sa.Column("device", sa.Text(), server_default="", nullable=False)
    )
    op.add_column(
        "sessions",
        sa.Column("access_no", sa.BigInteger(), server_default="0", nullable=False),
    )
    op.create_table(
        "reset_links",
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("access_no", sa.BigInteger(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_reset_links_user_id")
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_reset_links")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_reset_links_token_hash")),
    )


def downgrade() -> None:
    op.drop_table("reset_links")
    op.drop_column("sessions", "access_no")
    op.drop_column("sessions", "device")
    op.drop_column("users", "password_long")
    op.drop_column("users", "access_no")
    op.drop_column("users", "removed_at")
