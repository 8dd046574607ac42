"""Invitations into a store, a second step at the log-in with its recovery codes, log-ins from a new device.

Adds tables, and columns with defaults, so yesterday's code works on these tables; it knows no second
step, so it asks for none.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

PERMITTED = ("invitations", "second_steps", "recovery_codes")
"""Written by the program's own ORM statements alone: see `core.base.permits`."""


def upgrade() -> None:
    op.add_column(
        "sessions",
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
    )
    op.add_column(
        "sessions", sa.Column("seen_from", sa.Text(), nullable=False, server_default="")
    )
    op.create_table(
        "invitations",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("store_id", sa.BigInteger(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("made_by", sa.BigInteger(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "role IN ('owner', 'cashier', 'viewer')", name=op.f("ck_invitations_role")
        ),
        sa.ForeignKeyConstraint(
            ["store_id"], ["stores.id"], name=op.f("fk_invitations_store_id_stores")
        ),
        sa.ForeignKeyConstraint(
            ["made_by"], ["users.id"], name=op.f("fk_invitations_made_by_users")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitations")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_invitations_token_hash")),
    )
    op.create_index("ix_invitations_store_id", "invitations", ["store_id", "id"])
    # whoever asks for the people of a store; the key begins with the person
    op.create_index("ix_memberships_store_id", "memberships", ["store_id", "user_id"])
    op.create_table(
        "second_steps",
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.Column("tries", sa.BigInteger(), nullable=False),
        sa.Column("tries_since", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_second_steps_user_id_users")
        ),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_second_steps")),
    )
    op.create_table(
        "recovery_codes",
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("code_hash", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_recovery_codes_user_id_users")
        ),
        sa.PrimaryKeyConstraint("user_id", "code_hash", name=op.f("pk_recovery_codes")),
    )
    op.create_table(
        "new_devices",
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("device_hash", sa.Text(), nullable=False),
        sa.Column("door", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("seen_from", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_new_devices_user_id_users")
        ),
        sa.PrimaryKeyConstraint(
            "user_id", "device_hash", "door", name=op.f("pk_new_devices")
        ),
    )
    for table in PERMITTED:
        op.execute(
            f"CREATE TRIGGER {table}_permitted BEFORE INSERT OR UPDATE OR DELETE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION makola_refuse_unpermitted()"
        )


def downgrade() -> None:
    for table in ("new_devices", "recovery_codes", "second_steps", "invitations"):
        op.drop_table(table)
    op.drop_index("ix_memberships_store_id", "memberships")
    op.drop_column("sessions", "seen_from")
    op.drop_column("sessions", "confirmed_at")
