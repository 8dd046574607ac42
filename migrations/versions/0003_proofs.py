"""Proofs of the books, each with its seal of the chain, and the pulses of the processes behind the pages.

Only adds tables, so yesterday's code works on these. Proofs are append only, for the owner by a trigger too.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "proofs",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ok", sa.Boolean(), nullable=False),
        sa.Column("findings", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("counts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("sealed", sa.BigInteger(), nullable=False),
        sa.Column("last_id", sa.BigInteger(), nullable=False),
        sa.Column("members", postgresql.INT8MULTIRANGE(), nullable=False),
        sa.Column("gaps", postgresql.INT8MULTIRANGE(), nullable=False),
        sa.Column("horizon", sa.BigInteger(), nullable=False),
        sa.Column("cluster", sa.Text(), nullable=False),
        sa.Column("marks", sa.LargeBinary(), nullable=False),
        sa.Column("previous", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proofs")),
        sa.UniqueConstraint("previous", name=op.f("uq_proofs_previous")),
        sa.UniqueConstraint("hash", name=op.f("uq_proofs_hash")),
    )
    op.execute(
        "CREATE TRIGGER proofs_frozen BEFORE UPDATE OR DELETE ON proofs "
        "FOR EACH ROW EXECUTE FUNCTION makola_refuse_change()"
    )
    op.create_table(
        "pulses",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("times", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_pulses")),
    )


def downgrade() -> None:
    op.drop_table("pulses")
    op.drop_table("proofs")
