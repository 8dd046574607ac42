"""What pages of payments ask for: what came in by its moment, of a store and of all, attempts that
are looked after and when one failed, refunds and payouts by the day they ended.

Indexes, and a column that may be empty: yesterday's code works on these tables.
"""

from __future__ import annotations

from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

INDEXES = {
    "ix_online_payments_came": "online_payments (store_id, paid_at, id) WHERE paid_at IS NOT NULL",
    "ix_online_payments_made": "online_payments (created_at, id)",
    "ix_online_payments_under_way": (
        "online_payments (store_id, id) WHERE state IN ('asked', 'open', 'watched')"
    ),
    "ix_gateway_refunds_done": "gateway_refunds (ended_at) WHERE state = 'done'",
    "ix_cases_subject": "cases (subject)",
    "ix_payouts_paid": "payouts (paid_at) WHERE state = 'paid'",
}


def upgrade() -> None:
    op.execute("ALTER TABLE online_payments ADD COLUMN failed_at timestamptz")
    for name, where in INDEXES.items():
        op.execute(f"CREATE INDEX {name} ON {where}")


def downgrade() -> None:
    for name in INDEXES:
        op.execute(f"DROP INDEX {name}")
    op.execute("ALTER TABLE online_payments DROP COLUMN failed_at")
