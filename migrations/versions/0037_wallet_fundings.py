"""Wallets that are funded online: a store has one attempt that is being opened and one that is open,
and of a funding that the gateway took back it stands written what the store owes and what we bear.

Columns with a default, a check and indexes: yesterday's code works on these tables.
"""

from __future__ import annotations

from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

ONE = (
    "CREATE UNIQUE INDEX uq_online_payments_wallet_{state} ON online_payments (store_id)"
    " WHERE purpose = 'wallet' AND state = '{state}'"
)


def upgrade() -> None:
    op.execute(
        "ALTER TABLE disputes ADD owed_pesewas bigint DEFAULT 0 NOT NULL,"
        " ADD borne_pesewas bigint DEFAULT 0 NOT NULL,"
        " ADD CONSTRAINT ck_disputes_owed CHECK (owed_pesewas >= 0 AND borne_pesewas >= 0"
        " AND owed_pesewas + borne_pesewas <= taken_pesewas)"
    )
    op.execute(
        "CREATE INDEX ix_disputes_owed ON disputes (store_id) WHERE owed_pesewas > 0"
    )
    op.execute(
        "CREATE INDEX ix_online_payments_wallet ON online_payments (store_id, id)"
        " WHERE purpose = 'wallet'"
    )
    for state in ("asked", "open"):
        op.execute(ONE.format(state=state))


def downgrade() -> None:
    for state in ("open", "asked"):
        op.execute(f"DROP INDEX uq_online_payments_wallet_{state}")
    op.execute("DROP INDEX ix_online_payments_wallet")
    op.execute("DROP INDEX ix_disputes_owed")
    op.execute(
        "ALTER TABLE disputes DROP CONSTRAINT ck_disputes_owed, DROP borne_pesewas,"
        " DROP owed_pesewas"
    )
