"""A balance read remembers all that was in doubt at its moment, so that its difference adds up afterwards.

Only adds columns, so yesterday's code works on this table.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

COLUMNS = ("charged_again_pesewas", "may_be_back_pesewas")


def upgrade() -> None:
    for name in COLUMNS:
        op.add_column("balance_reads", sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))


def downgrade() -> None:
    for name in COLUMNS:
        op.drop_column("balance_reads", name)
