"""Settlements that cannot be read are tried again by themselves, what a day rings is spread, and a
person says what holds of a dispute that does not fit.

Columns with constant defaults: yesterday's code works on them.
"""

from __future__ import annotations

from alembic import op

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "ALTER TABLE gateway_settlements ADD tries bigint NOT NULL DEFAULT 0, ADD try_at timestamptz"
    )
    op.execute("ALTER TABLE gateway_days ADD rung_until timestamptz")
    op.execute(
        "ALTER TABLE disputes ADD word_holds boolean NOT NULL DEFAULT false, ADD disowned jsonb,"
        " ADD CONSTRAINT ck_disputes_one_word CHECK (NOT (word_holds AND disowned IS NOT NULL))"
    )


def downgrade() -> None:
    op.execute(
        "ALTER TABLE disputes DROP CONSTRAINT ck_disputes_one_word, DROP disowned, DROP word_holds"
    )
    op.execute("ALTER TABLE gateway_days DROP rung_until")
    op.execute("ALTER TABLE gateway_settlements DROP try_at, DROP tries")
