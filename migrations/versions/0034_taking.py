"""Taking money online: who waits for a payment counts as one who has ordered, the row that looks
after a payment is found by it, what has waited too long to be bought; and beside an attempt that is
open another one may be asked for, which takes its place once it is open.

Only indexes: yesterday's code works on these tables.
"""

from __future__ import annotations

from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

UNPROCESSED = "state IN ('pending', 'awaiting_payment')"
BEFORE = "state = 'pending'"
PAYMENT = (
    "CREATE INDEX ix_outbox_payment ON outbox (subject_id, id)"
    " WHERE kind = 'watch_payment'"
)
ONE = (
    "CREATE UNIQUE INDEX uq_online_payments_one_{name} ON online_payments (order_id)"
    " WHERE {where}"
)
UNBUYABLE = (
    "CREATE INDEX ix_orders_paid_in_line ON orders (queued_at)"
    " WHERE paid_online AND state = 'queued' AND wait_reason IS NOT NULL"
)


def upgrade() -> None:
    _placed(UNPROCESSED)
    op.execute(PAYMENT)
    op.execute(UNBUYABLE)
    op.execute("DROP INDEX uq_online_payments_one_open")
    op.execute(ONE.format(name="open", where="state = 'open'"))
    op.execute(ONE.format(name="asked", where="state = 'asked'"))


def downgrade() -> None:
    op.execute("DROP INDEX uq_online_payments_one_asked")
    op.execute("DROP INDEX uq_online_payments_one_open")
    op.execute(ONE.format(name="open", where="state IN ('asked', 'open')"))
    op.execute("DROP INDEX ix_orders_paid_in_line")
    op.execute("DROP INDEX ix_outbox_payment")
    _placed(BEFORE)


def _placed(state: str) -> None:
    for name in ("device", "address"):
        op.execute(f"DROP INDEX ix_orders_placed_{name}")
        op.execute(
            f"CREATE INDEX ix_orders_placed_{name} ON orders (store_id, placed_{name}, id)"
            f" WHERE {state} AND placed_{name} IS NOT NULL"
        )
