"""A large square of each logo, for home screens and previews of links; the index by which a day's
orders that ended without delivery are counted.

Adds a column that may be empty and an index, so yesterday's code works on these tables. Logos that
are there already have no large square until their picture is brought again.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

UNSOLD = (
    "CREATE INDEX ix_orders_unsold ON orders (store_id, state, final_at)"
    " WHERE final_at IS NOT NULL AND state <> 'completed'"
)


def upgrade() -> None:
    op.add_column("store_logos", sa.Column("large", sa.LargeBinary(), nullable=True))
    op.execute(UNSOLD)


def downgrade() -> None:
    op.execute("DROP INDEX ix_orders_unsold")
    op.drop_column("store_logos", "large")
