"""Sign-up: a store that waits for the owner's word, and addresses of people that are confirmed.

Adds columns with defaults, a table and indexes, so yesterday's code works on these tables: the
stores that are there, and those that it opens, are approved.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

TIMES = ("approved_at", "asked_at", "terms_at")
LOOK = "replace(replace(translate(slug, '01358i-', 'olesbl'), 'rn', 'm'), 'vv', 'w')"


def upgrade() -> None:
    op.add_column(
        "stores",
        sa.Column("approval", sa.Text(), nullable=False, server_default="approved"),
    )
    op.add_column(
        "stores",
        sa.Column("approval_note", sa.Text(), nullable=False, server_default=""),
    )
    for name in TIMES:
        op.add_column(
            "stores", sa.Column(name, sa.DateTime(timezone=True), nullable=True)
        )
    op.create_check_constraint(
        op.f("ck_stores_approval"),
        "stores",
        "approval IN ('approved', 'waiting', 'refused')",
    )
    op.create_check_constraint(
        op.f("ck_stores_open_is_approved"),
        "stores",
        "status <> 'open' OR approval = 'approved'",
    )
    op.create_index(
        "ix_stores_asked",
        "stores",
        ["asked_at"],
        postgresql_where=sa.text("asked_at IS NOT NULL"),
    )
    op.create_index("ix_stores_look", "stores", [sa.text(LOOK)])
    op.create_table(
        "confirmations",
        sa.Column("user_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("code_hash", sa.Text(), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tries", sa.BigInteger(), nullable=False),
        sa.Column("sends", sa.BigInteger(), nullable=False),
        sa.Column("sends_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "kind IN ('phone', 'email')", name=op.f("ck_confirmations_kind")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_confirmations_user_id_users")
        ),
        sa.PrimaryKeyConstraint("user_id", "kind", name=op.f("pk_confirmations")),
    )
    op.create_index(
        "uq_confirmations_address",
        "confirmations",
        ["kind", "address"],
        unique=True,
        postgresql_where=sa.text("confirmed_at IS NOT NULL"),
    )


def downgrade() -> None:
    op.drop_table("confirmations")
    op.drop_index("ix_stores_look", "stores")
    op.drop_index("ix_stores_asked", "stores")
    op.drop_constraint(op.f("ck_stores_open_is_approved"), "stores", type_="check")
    op.drop_constraint(op.f("ck_stores_approval"), "stores", type_="check")
    for name in (*TIMES, "approval_note", "approval"):
        op.drop_column("stores", name)
