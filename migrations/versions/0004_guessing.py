"""Counts of wrong log-ins, known devices, and the seals of the audit.

Only adds: `login_attempts`, which nothing of today writes, goes when no program of yesterday runs any more. An id of
the audit is drawn only by a transaction that has a number of its own, so that a gap which the proof closes stays one.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

NEXT_AUDIT_ID = """
CREATE FUNCTION makola_next_audit_id() RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_current_xact_id();
  RETURN nextval('public.audit_id_seq');
END $$;
"""


def upgrade() -> None:
    op.create_table(
        "login_counts",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tries", sa.BigInteger(), nullable=False),
        sa.Column("may_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_login_counts")),
    )
    op.create_index(op.f("ix_login_counts_since"), "login_counts", ["since"])
    op.create_table(
        "known_devices",
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("door", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tries", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "token_hash", "user_id", "door", name=op.f("pk_known_devices")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_known_devices_user_id_users")
        ),
    )
    op.create_index(op.f("ix_known_devices_user_id"), "known_devices", ["user_id"])
    op.create_table(
        "audit_seals",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sealed", sa.BigInteger(), nullable=False),
        sa.Column("last_id", sa.BigInteger(), nullable=False),
        sa.Column("members", postgresql.INT8MULTIRANGE(), nullable=False),
        sa.Column("gaps", postgresql.INT8MULTIRANGE(), nullable=False),
        sa.Column("horizon", sa.BigInteger(), nullable=False),
        sa.Column("cluster", sa.Text(), nullable=False),
        sa.Column("marks", sa.LargeBinary(), nullable=False),
        sa.Column("previous", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_seals")),
        sa.UniqueConstraint("previous", name=op.f("uq_audit_seals_previous")),
        sa.UniqueConstraint("hash", name=op.f("uq_audit_seals_hash")),
    )
    op.execute(
        "CREATE TRIGGER audit_seals_frozen BEFORE UPDATE OR DELETE ON audit_seals "
        "FOR EACH ROW EXECUTE FUNCTION makola_refuse_change()"
    )
    op.execute(NEXT_AUDIT_ID)
    op.alter_column("audit", "id", server_default=sa.text("makola_next_audit_id()"))


def downgrade() -> None:
    op.alter_column(
        "audit", "id", server_default=sa.text("nextval('audit_id_seq'::regclass)")
    )
    op.execute("DROP FUNCTION makola_next_audit_id()")
    op.drop_table("audit_seals")
    op.drop_table("known_devices")
    op.drop_table("login_counts")
