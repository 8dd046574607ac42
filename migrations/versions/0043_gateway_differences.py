"""What a settlement of the gateway took more or less than is ours: how much was ours, what refunds
and disputes of ours explain, and what a person has accepted.

Columns with constant defaults: yesterday's code works on them. Settlements of before are not judged
(`ours_pesewas` null); what was taken off them counts as explained.
"""

from __future__ import annotations

from alembic import op

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None

CHECKED = {
    "explained": (
        "explained_pesewas >= 0 AND (ours_pesewas IS NULL"
        " OR explained_pesewas <= greatest(0, ours_pesewas - booked_pesewas))"
    ),
    "accepted": (
        "accepted_pesewas = 0 OR coalesce(accepted_pesewas BETWEEN"
        " least(0, ours_pesewas - booked_pesewas) AND"
        " greatest(0, ours_pesewas - booked_pesewas - explained_pesewas), false)"
    ),
}


def upgrade() -> None:
    op.execute("SELECT set_config('makola.scope', 'all', true)")
    op.execute(
        "ALTER TABLE gateway_settlements ADD ours_pesewas bigint,"
        " ADD explained_pesewas bigint NOT NULL DEFAULT 0,"
        " ADD accepted_pesewas bigint NOT NULL DEFAULT 0"
    )
    op.execute(
        "UPDATE gateway_settlements SET explained_pesewas = greatest(0, coalesce(deductions_pesewas, 0))"
        " WHERE went IN ('bank', 'by_hand')"
    )
    for name, condition in CHECKED.items():
        op.execute(
            f"ALTER TABLE gateway_settlements ADD CONSTRAINT ck_gateway_settlements_{name}"
            f" CHECK ({condition})"
        )
    op.execute(
        "CREATE INDEX ix_gateway_settlements_differs ON gateway_settlements (id)"
        " WHERE ours_pesewas <> booked_pesewas + explained_pesewas + accepted_pesewas"
    )


def downgrade() -> None:
    op.execute("DROP INDEX ix_gateway_settlements_differs")
    op.execute(
        "ALTER TABLE gateway_settlements DROP CONSTRAINT ck_gateway_settlements_accepted,"
        " DROP CONSTRAINT ck_gateway_settlements_explained, DROP accepted_pesewas,"
        " DROP explained_pesewas, DROP ours_pesewas"
    )
