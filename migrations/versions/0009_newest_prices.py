"""The newest price we know, apart from what agents pay; orders that an agent processes at a later price."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
NEW = {
    "supplier_offers": (
        sa.Column(
            "price_since", MOMENT, nullable=False, server_default=sa.text("now()")
        ),
        sa.Column("charged_pesewas", sa.BigInteger(), nullable=True),
        sa.Column("refused_at", MOMENT, nullable=True),
    ),
    "bundles": (
        sa.Column("approved_cost_pesewas", sa.BigInteger(), nullable=True),
        sa.Column("newest_cost_pesewas", sa.BigInteger(), nullable=True),
        sa.Column("unlisted_since", MOMENT, nullable=True),
        sa.Column(
            "is_gone", sa.Boolean(), nullable=False, server_default=sa.text("false")
        ),
        sa.Column("asked_at", MOMENT, nullable=True),
        sa.Column("kept_at", MOMENT, nullable=True),
    ),
    "store_bundles": (
        sa.Column("agent_price_pesewas", sa.BigInteger(), nullable=True),
    ),
    "orders": (sa.Column("repriced_at", MOMENT, nullable=True),),
}
CHECKS = {
    "bundles": (
        "cost_pesewas > 0 AND agent_price_pesewas > cost_pesewas",
        "cost_pesewas > 0 AND (agent_price_pesewas > cost_pesewas OR newest_cost_pesewas IS NOT NULL)",
    ),
    "orders": (
        "cost_pesewas > 0 AND agent_price_pesewas > cost_pesewas AND price_pesewas >= agent_price_pesewas",
        "cost_pesewas > 0 AND agent_price_pesewas > cost_pesewas AND "
        + "(price_pesewas >= agent_price_pesewas OR repriced_at IS NOT NULL)",
    ),
}
# A store may have an order of its own cost it more, once, and just what its bundle costs agents now; it may not say how much.
REPRICE = """
CREATE FUNCTION makola_reprice(chosen bigint, seen bigint, moment timestamptz) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  UPDATE orders o SET agent_price_pesewas = b.agent_price_pesewas, cost_pesewas = b.cost_pesewas, repriced_at = moment
  FROM bundles b
  WHERE o.id = chosen AND b.id = o.bundle_id AND o.state = 'pending' AND o.repriced_at IS NULL
    AND (makola_store() IS NULL OR o.store_id = makola_store()) AND b.agent_price_pesewas = seen
    AND b.agent_price_pesewas > o.agent_price_pesewas AND b.agent_price_pesewas > b.cost_pesewas;
  RETURN FOUND;
END $$;
REVOKE ALL ON FUNCTION makola_reprice(bigint, bigint, timestamptz) FROM PUBLIC;
"""


def upgrade() -> None:
    for table, columns in NEW.items():
        for column in columns:
            op.add_column(table, column)
    op.execute("UPDATE supplier_offers SET price_since = seen_at")
    op.execute(
        "UPDATE bundles b SET unlisted_since = o.missing_since, is_gone = true FROM supplier_offers o "
        "WHERE o.id = b.offer_id AND o.missing_since IS NOT NULL"
    )
    op.execute("ALTER TABLE store_bundles NO FORCE ROW LEVEL SECURITY")
    op.execute(
        "UPDATE store_bundles s SET agent_price_pesewas = b.agent_price_pesewas FROM bundles b WHERE b.id = s.bundle_id"
    )
    op.execute("ALTER TABLE store_bundles FORCE ROW LEVEL SECURITY")
    for table, (_, check) in CHECKS.items():
        op.drop_constraint(op.f(f"ck_{table}_never_below_cost"), table, type_="check")
        op.create_check_constraint(op.f(f"ck_{table}_never_below_cost"), table, check)
    op.execute(REPRICE)


def downgrade() -> None:
    op.execute("DROP FUNCTION makola_reprice(bigint, bigint, timestamptz)")
    op.execute(
        "UPDATE bundles SET agent_price_pesewas = cost_pesewas + 1 WHERE agent_price_pesewas <= cost_pesewas"
    )
    for table, (check, _) in CHECKS.items():
        op.drop_constraint(op.f(f"ck_{table}_never_below_cost"), table, type_="check")
        # Orders that were processed at a later price stay as they are: only new rows are asked.
        op.execute(
            f"ALTER TABLE {table} ADD CONSTRAINT ck_{table}_never_below_cost CHECK ({check}) NOT VALID"
        )
    for table, columns in NEW.items():
        for column in columns:
            op.drop_column(table, column.name)
