"""What the store's people mark on an order: set aside with a reason, a note, who is on it.

Adds nullable columns, so yesterday's code works on these tables; it processes what is set aside. A
note is forgotten with the customer's number.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

TEXTS = ("aside", "note", "taken_by")
INDEXES = (
    ("ix_orders_aside", ("store_id", "id"), "state = 'pending' AND aside IS NOT NULL"),
    ("ix_orders_taken", ("store_id", "id"), "taken_by IS NOT NULL"),
)
MASK = """
CREATE OR REPLACE FUNCTION makola_mask_orders(chosen bigint[]) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
  one record;
  masked bigint := 0;
BEGIN
  FOR one IN
    SELECT o.id, o.order_ref, right(o.recipient_msisdn, 9) AS digits FROM public.orders o
    WHERE o.id = ANY (chosen) AND strpos(o.recipient_msisdn, 'x') = 0
      AND o.state IN ('cancelled', 'completed', 'expired', 'refunded')
    ORDER BY o.id FOR NO KEY UPDATE
  LOOP
    UPDATE public.orders SET
      recipient_msisdn = left(recipient_msisdn, 6) || 'xxx' || right(recipient_msisdn, 4),
      customer_name = '', told_payer = NULL, told_transaction = NULL,{note} version = version + 1
    WHERE id = one.id;
    UPDATE public.not_received SET words = '', contact = '' WHERE order_id = one.id;{payers}
    UPDATE public.supplier_calls SET
      request_body = replace(request_body, one.digits, left(one.digits, 2) || 'xxx' || right(one.digits, 4)),
      response_body = replace(response_body, one.digits, left(one.digits, 2) || 'xxx' || right(one.digits, 4))
    WHERE order_refs @> ARRAY[one.order_ref];
    UPDATE public.webhook_events SET body = '' WHERE order_ref = one.order_ref;
    masked := masked + 1;
  END LOOP;
  RETURN masked;
END $$;
"""
FORGET_PAYERS = """
    UPDATE public.payment_messages SET payer_name = '', payer_msisdn = '', reference = ''
    WHERE order_id = one.id;"""
FORGET_NOTE = " note = NULL,"


def upgrade() -> None:
    for name in TEXTS:
        op.add_column("orders", sa.Column(name, sa.Text(), nullable=True))
    op.add_column(
        "orders", sa.Column("taken_at", sa.DateTime(timezone=True), nullable=True)
    )
    for name, columns, where in INDEXES:
        op.create_index(name, "orders", list(columns), postgresql_where=sa.text(where))
    op.execute(MASK.format(note=FORGET_NOTE, payers=FORGET_PAYERS))


def downgrade() -> None:
    op.execute(MASK.format(note="", payers=FORGET_PAYERS))
    for name, *_rest in INDEXES:
        op.drop_index(name, "orders")
    for name in (*TEXTS, "taken_at"):
        op.drop_column("orders", name)
