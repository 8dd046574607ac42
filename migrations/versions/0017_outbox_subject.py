"""A row of the outbox names its subject: the id of what its work is about, unique while it is open.

`order_id` stays, and says the same where the subject is an order: its foreign key holds the row to
the order's store. Yesterday's code names no subject; a trigger fills it in. The column is made as a
generated one and set free at once, which writes the table once instead of twice.
"""

from __future__ import annotations

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

UP = (
    (
        "ALTER TABLE outbox ADD COLUMN subject_id bigint NOT NULL"
        " GENERATED ALWAYS AS (coalesce(order_id, 0)) STORED"
    ),
    "ALTER TABLE outbox ALTER COLUMN subject_id DROP EXPRESSION",
    """
CREATE FUNCTION makola_outbox_subject() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  NEW.subject_id := coalesce(NEW.subject_id, NEW.order_id, 0);
  RETURN NEW;
END $$
""",
    (
        "CREATE TRIGGER outbox_subject BEFORE INSERT ON outbox"
        " FOR EACH ROW EXECUTE FUNCTION makola_outbox_subject()"
    ),
    (
        "ALTER TABLE outbox ADD CONSTRAINT ck_outbox_subject"
        " CHECK (order_id IS NULL OR order_id = subject_id)"
    ),
    (
        "CREATE UNIQUE INDEX uq_outbox_subject ON outbox (kind, subject_id)"
        " WHERE done_at IS NULL"
    ),
    "DROP INDEX uq_outbox_platform",
)
DOWN = (
    (
        "CREATE UNIQUE INDEX uq_outbox_platform ON outbox (kind)"
        " WHERE order_id IS NULL AND done_at IS NULL"
    ),
    "DROP INDEX uq_outbox_subject",
    "ALTER TABLE outbox DROP CONSTRAINT ck_outbox_subject",
    "DROP TRIGGER outbox_subject ON outbox",
    "DROP FUNCTION makola_outbox_subject()",
    "ALTER TABLE outbox DROP COLUMN subject_id",
)


def upgrade() -> None:
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWN:
        op.execute(statement)
