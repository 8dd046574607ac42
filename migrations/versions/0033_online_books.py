"""The books of online payments: accounts, postings that hang on a payment, and the rows that the
accounts are the sums of. Nothing uses them until online payment is switched on.

Adds columns with a default, accounts, tables and an index, and lets three functions do more; so
yesterday's code works on these tables.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

BEFORE = ("wallet", "held")
STORE = ("customer_funds", "earnings_pending", "earnings", "payouts_open", "refund_due")
PLATFORM = ("gateway_fees", "dispute_loss")
WALLET_KINDS = "kind IN ('fund_wallet', 'take_back', 'hold', 'release'{more})"
# As 0020 has it; what was paid online goes back by the books.
OWED = (
    "given_back_at IS NULL{direct} AND (state = 'refunded' OR (state IN ('cancelled', 'expired')"
    " AND (queued_at IS NOT NULL OR confirmed_at IS NOT NULL OR told_at IS NOT NULL)))"
)
TABLES = ("online_payments", "gateway_refunds", "payouts", "disputes")
SUBJECT = "^(payment|refund|payout|dispute|settlement|top_up):[0-9]+$"

# As 0018 has it; a posting may hang on a subject.
BOOK = """
CREATE OR REPLACE FUNCTION makola_book(said jsonb, OUT posting_id bigint, OUT available_pesewas bigint, OUT missing text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  of_store bigint := said ->> 'store_id';
  legs jsonb := said -> 'legs';
  ids bigint[];
  names text[];
BEGIN
  WITH mine AS (
    SELECT a.id, a.name, a.balance_pesewas FROM accounts a
    WHERE a.name IN (SELECT l ->> 0 FROM jsonb_array_elements(legs) l) AND (a.store_id IS NULL OR a.store_id = of_store)
    ORDER BY a.id FOR NO KEY UPDATE
  )
  SELECT array_agg(m.id), array_agg(m.name),
    max(-m.balance_pesewas) FILTER (WHERE m.name = 'wallet' AND m.balance_pesewas + w.amount > 0 AND w.amount > 0)
  INTO ids, names, available_pesewas
  FROM mine m JOIN (SELECT l ->> 0 AS name, (l ->> 1)::bigint AS amount FROM jsonb_array_elements(legs) l) w USING (name);
  SELECT string_agg(l ->> 0, ', ' ORDER BY l ->> 0) INTO missing FROM jsonb_array_elements(legs) l
  WHERE NOT (l ->> 0 = ANY (coalesce(names, '{{}}')));
  IF missing IS NOT NULL OR available_pesewas IS NOT NULL THEN
    RETURN;
  END IF;
  INSERT INTO postings (store_id, order_id, kind, n, note, actor_name, at{column}) VALUES (of_store,
    (said ->> 'order_id')::bigint, said ->> 'kind', (said ->> 'n')::bigint, said ->> 'note', said ->> 'actor',
    (said ->> 'at')::timestamptz{value})
  RETURNING id INTO posting_id;
  WITH moved AS (
    UPDATE accounts a SET balance_pesewas = a.balance_pesewas + (l ->> 1)::bigint,
      debits_pesewas = a.debits_pesewas + greatest((l ->> 1)::bigint, 0),
      credits_pesewas = a.credits_pesewas + greatest(-(l ->> 1)::bigint, 0)
    FROM jsonb_array_elements(legs) l
    WHERE a.id = ANY (ids) AND a.name = l ->> 0
    RETURNING a.id, a.store_id, (l ->> 1)::bigint AS amount, a.balance_pesewas AS balance
  )
  INSERT INTO entries (posting_id, account_id, store_id, amount_pesewas, balance_pesewas)
  SELECT makola_book.posting_id, m.id, m.store_id, m.amount, m.balance FROM moved m ORDER BY m.id;
END $$
"""
# As 0007 has it: of an order that is paid online a store moves the customer's money, by the same
# right and as the order says. What the payer has back already by a dispute is not owed again.
POST_OWN = """
CREATE OR REPLACE FUNCTION makola_post_own(said text, mac text, OUT posting_id bigint, OUT available_pesewas bigint,
  OUT missing text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  w jsonb := makola_heard('makola_post', said, mac);
  kind text := w ->> 'kind';
  price bigint;
  whole bigint;
  online boolean;
  payment bigint;
  back bigint := 0;
  legs jsonb;
BEGIN
  SELECT o.agent_price_pesewas, o.price_pesewas, o.paid_online, p.id INTO price, whole, online, payment
  FROM orders o LEFT JOIN online_payments p ON p.pays_order_id = o.id AND p.store_id = o.store_id
  WHERE o.store_id = makola_store() AND o.store_id = (w ->> 'store_id')::bigint
    AND o.id = CASE WHEN kind = 'owe' THEN (
      SELECT x.pays_order_id FROM online_payments x WHERE x.store_id = o.store_id
      AND x.id = substr(w ->> 'subject', 9)::bigint) ELSE (w ->> 'order_id')::bigint END;
  IF online THEN
    SELECT least(whole, coalesce(sum(d.taken_pesewas), 0)) INTO back FROM disputes d WHERE d.payment_id = payment;
  END IF;
  SELECT jsonb_agg(jsonb_build_array(name, amount) ORDER BY place) INTO legs FROM (VALUES
    (1, 'hold', false, 'wallet', price), (2, 'hold', false, 'held', -price),
    (1, 'release', false, 'held', price), (2, 'release', false, 'wallet', -price),
    (1, 'hold', true, 'customer_funds', whole), (2, 'hold', true, 'held', -price),
    (3, 'hold', true, 'earnings_pending', price - whole),
    (1, 'release', true, 'held', price), (2, 'release', true, 'earnings_pending', whole - price),
    (3, 'release', true, 'refund_due', back - whole), (4, 'release', true, 'dispute_loss', -back),
    (1, 'owe', true, 'customer_funds', whole), (2, 'owe', true, 'refund_due', back - whole),
    (3, 'owe', true, 'dispute_loss', -back)
  ) AS known (place, of_kind, is_online, name, amount)
  WHERE known.of_kind = kind AND known.is_online = online AND amount <> 0;
  IF price IS NULL OR (w ->> 'n')::bigint <> 1 OR NOT coalesce(w -> 'legs' = legs, false)
    OR (online AND payment IS NULL) OR (kind = 'hold' AND back > 0)
    OR (w ->> 'subject') IS DISTINCT FROM (CASE WHEN kind = 'owe' THEN 'payment:' || payment END) THEN
    RAISE EXCEPTION 'a store holds and releases the price of its own orders, nothing else'
      USING ERRCODE = 'insufficient_privilege';
  END IF;
  SELECT * INTO posting_id, available_pesewas, missing FROM makola_book(w);
END $$
"""
POST_OWN_BEFORE = """
CREATE OR REPLACE FUNCTION makola_post_own(said text, mac text, OUT posting_id bigint, OUT available_pesewas bigint, OUT missing text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  w jsonb := makola_heard('makola_post', said, mac);
  price bigint;
BEGIN
  SELECT o.agent_price_pesewas INTO price FROM orders o
  WHERE o.id = (w ->> 'order_id')::bigint AND o.store_id = makola_store() AND o.store_id = (w ->> 'store_id')::bigint;
  IF price IS NULL OR (w ->> 'n')::bigint <> 1 OR NOT coalesce(CASE w ->> 'kind'
      WHEN 'hold' THEN w -> 'legs' = jsonb_build_array(jsonb_build_array('wallet', price), jsonb_build_array('held', -price))
      WHEN 'release' THEN w -> 'legs' = jsonb_build_array(jsonb_build_array('held', price), jsonb_build_array('wallet', -price))
    END, false) THEN
    RAISE EXCEPTION 'a store holds and releases the price of its own orders, nothing else'
      USING ERRCODE = 'insufficient_privilege';
  END IF;
  SELECT * INTO posting_id, available_pesewas, missing FROM makola_book(w);
END $$
"""
OPEN_ACCOUNTS = """
CREATE OR REPLACE FUNCTION makola_open_accounts(said text, mac text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  INSERT INTO accounts (store_id, name, balance_pesewas)
  SELECT (w ->> 'store_id')::bigint, name, 0
  FROM makola_heard('makola_open_accounts', said, mac) w CROSS JOIN unnest('{names}'::text[]) name
$$
"""
# The payment's row is locked, so that of two refunds at once the second sees the first.
WITHIN_PAYMENT = """
CREATE FUNCTION makola_refuse_too_much_back() RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  paid bigint;
  back bigint;
BEGIN
  SELECT p.charged_pesewas INTO paid FROM online_payments p WHERE p.id = NEW.payment_id FOR NO KEY UPDATE;
  SELECT coalesce(sum(r.amount_pesewas), 0) INTO back FROM gateway_refunds r
  WHERE r.payment_id = NEW.payment_id AND r.id <> NEW.id AND r.state NOT IN ('failed', 'returned');
  IF paid IS NULL OR back + NEW.amount_pesewas > paid THEN
    RAISE EXCEPTION 'no more is given back than was paid' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER gateway_refunds_within_payment BEFORE INSERT OR UPDATE OF amount_pesewas, payment_id, state
ON gateway_refunds FOR EACH ROW WHEN (NEW.state NOT IN ('failed', 'returned'))
EXECUTE FUNCTION makola_refuse_too_much_back();
CREATE TRIGGER online_payments_of_real_orders BEFORE INSERT OR UPDATE OF order_id ON online_payments FOR EACH ROW
WHEN (NEW.order_id IS NOT NULL) EXECUTE FUNCTION makola_refuse_test_order()
"""
CREATE = (
    """
CREATE TABLE online_payments (
  id bigint GENERATED BY DEFAULT AS IDENTITY CONSTRAINT pk_online_payments PRIMARY KEY,
  store_id bigint NOT NULL CONSTRAINT fk_online_payments_store_id_stores REFERENCES stores (id),
  purpose text NOT NULL,
  order_id bigint,
  pays_order_id bigint,
  reference text NOT NULL CONSTRAINT uq_online_payments_reference UNIQUE,
  mode text NOT NULL,
  amount_pesewas bigint NOT NULL,
  state text NOT NULL DEFAULT 'asked',
  charged_pesewas bigint,
  fees_pesewas bigint,
  owed_pesewas bigint NOT NULL DEFAULT 0,
  agent_fee_pesewas bigint,
  funded_at timestamptz,
  gateway_id bigint,
  channel text,
  access_code text,
  authorization_url text,
  created_at timestamptz NOT NULL,
  opened_at timestamptz,
  paid_at timestamptz,
  ended_at timestamptz,
  CONSTRAINT uq_online_payments_store_id UNIQUE (store_id, id),
  CONSTRAINT fk_online_payments_store_id_orders FOREIGN KEY (store_id, order_id) REFERENCES orders (store_id, id),
  CONSTRAINT fk_online_payments_pays_order FOREIGN KEY (store_id, pays_order_id) REFERENCES orders (store_id, id),
  CONSTRAINT ck_online_payments_purpose CHECK (purpose IN ('order', 'wallet')),
  CONSTRAINT ck_online_payments_order CHECK ((purpose = 'order') = (order_id IS NOT NULL)),
  CONSTRAINT ck_online_payments_mode CHECK (mode IN ('live', 'test')),
  CONSTRAINT ck_online_payments_amount CHECK (amount_pesewas > 0 AND charged_pesewas > 0 AND fees_pesewas >= 0),
  CONSTRAINT ck_online_payments_state CHECK
    (state IN ('asked', 'open', 'watched', 'paid', 'failed', 'refused', 'ended')),
  CONSTRAINT ck_online_payments_paid CHECK ((state = 'paid') = (charged_pesewas IS NOT NULL)
    AND (state = 'paid') = (paid_at IS NOT NULL)),
  CONSTRAINT ck_online_payments_used CHECK ((pays_order_id IS NULL AND funded_at IS NULL) OR (state = 'paid'
    AND (funded_at IS NULL OR purpose = 'wallet') AND (pays_order_id IS NULL OR purpose = 'order'))),
  CONSTRAINT ck_online_payments_owed CHECK (owed_pesewas >= 0 AND owed_pesewas <= coalesce(charged_pesewas, 0))
)
""",
    "CREATE UNIQUE INDEX uq_online_payments_pays ON online_payments (pays_order_id) WHERE pays_order_id IS NOT NULL",
    "CREATE UNIQUE INDEX uq_online_payments_gateway_id ON online_payments (gateway_id) WHERE gateway_id IS NOT NULL",
    (
        "CREATE UNIQUE INDEX uq_online_payments_one_open ON online_payments (order_id)"
        " WHERE state IN ('asked', 'open')"
    ),
    "CREATE INDEX ix_online_payments_order ON online_payments (order_id, id)",
    "CREATE INDEX ix_online_payments_newest ON online_payments (store_id, id)",
    """
CREATE TABLE gateway_refunds (
  id bigint GENERATED BY DEFAULT AS IDENTITY CONSTRAINT pk_gateway_refunds PRIMARY KEY,
  store_id bigint NOT NULL CONSTRAINT fk_gateway_refunds_store_id_stores REFERENCES stores (id),
  payment_id bigint NOT NULL,
  n bigint NOT NULL,
  amount_pesewas bigint NOT NULL,
  fee_pesewas bigint NOT NULL DEFAULT 0,
  way text NOT NULL DEFAULT 'gateway',
  reason text NOT NULL,
  state text NOT NULL DEFAULT 'requested',
  gateway_refund_id bigint,
  asked_by text NOT NULL,
  asked_at timestamptz NOT NULL,
  sent_at timestamptz,
  ended_at timestamptz,
  CONSTRAINT fk_gateway_refunds_payment FOREIGN KEY (store_id, payment_id) REFERENCES online_payments (store_id, id),
  CONSTRAINT uq_gateway_refunds_payment_id UNIQUE (payment_id, n),
  CONSTRAINT ck_gateway_refunds_amount CHECK (amount_pesewas > 0 AND fee_pesewas >= 0),
  CONSTRAINT ck_gateway_refunds_way CHECK (way IN ('gateway', 'transfer')),
  CONSTRAINT ck_gateway_refunds_reason CHECK
    (reason IN ('refunded', 'cancelled', 'late', 'double', 'short', 'given_back')),
  CONSTRAINT ck_gateway_refunds_state CHECK
    (state IN ('requested', 'submitting', 'open', 'needs_details', 'done', 'failed', 'returned'))
)
""",
    (
        "CREATE UNIQUE INDEX uq_gateway_refunds_one_open ON gateway_refunds (payment_id)"
        " WHERE state IN ('requested', 'submitting', 'open', 'needs_details')"
    ),
    (
        "CREATE UNIQUE INDEX uq_gateway_refunds_gateway_refund_id ON gateway_refunds (gateway_refund_id)"
        " WHERE gateway_refund_id IS NOT NULL"
    ),
    "CREATE INDEX ix_gateway_refunds_newest ON gateway_refunds (store_id, id)",
    """
CREATE TABLE payouts (
  id bigint GENERATED BY DEFAULT AS IDENTITY CONSTRAINT pk_payouts PRIMARY KEY,
  store_id bigint NOT NULL CONSTRAINT fk_payouts_store_id_stores REFERENCES stores (id),
  reference text NOT NULL CONSTRAINT uq_payouts_reference UNIQUE,
  amount_pesewas bigint NOT NULL,
  fee_pesewas bigint NOT NULL,
  way text NOT NULL,
  fee_is_ours boolean NOT NULL DEFAULT false,
  state text NOT NULL DEFAULT 'requested',
  account text NOT NULL,
  account_name text NOT NULL,
  recipient_code text,
  transfer_code text,
  requested_by text NOT NULL,
  requested_at timestamptz NOT NULL,
  approved_by text,
  approved_at timestamptz,
  sent_at timestamptz,
  paid_at timestamptz,
  ended_at timestamptz,
  words text NOT NULL DEFAULT '',
  CONSTRAINT ck_payouts_amount CHECK (amount_pesewas > 0 AND fee_pesewas >= 0),
  CONSTRAINT ck_payouts_way CHECK (way IN ('momo', 'bank')),
  CONSTRAINT ck_payouts_reference CHECK (reference ~ '^[a-z0-9_-]{16,50}$'),
  CONSTRAINT ck_payouts_approved CHECK ((approved_by IS NULL) = (approved_at IS NULL)),
  CONSTRAINT ck_payouts_sent_is_approved CHECK
    (approved_at IS NOT NULL OR state IN ('requested', 'cancelled')),
  CONSTRAINT ck_payouts_state CHECK (state IN ('requested', 'approved', 'submitting', 'needs_owner', 'in_transit',
    'paid', 'failed', 'rejected', 'reversed', 'cancelled'))
)
""",
    (
        "CREATE UNIQUE INDEX uq_payouts_one_open ON payouts (store_id)"
        " WHERE state IN ('requested', 'approved', 'submitting', 'needs_owner', 'in_transit')"
    ),
    "CREATE INDEX ix_payouts_newest ON payouts (store_id, id)",
    """
CREATE TABLE disputes (
  id bigint GENERATED BY DEFAULT AS IDENTITY CONSTRAINT pk_disputes PRIMARY KEY,
  store_id bigint NOT NULL CONSTRAINT fk_disputes_store_id_stores REFERENCES stores (id),
  payment_id bigint NOT NULL,
  gateway_id bigint,
  amount_pesewas bigint NOT NULL,
  taken_pesewas bigint NOT NULL DEFAULT 0,
  category text NOT NULL,
  state text NOT NULL DEFAULT 'needs_answer',
  due_at timestamptz,
  evidence jsonb NOT NULL DEFAULT '{}',
  made_at timestamptz NOT NULL,
  ended_at timestamptz,
  CONSTRAINT fk_disputes_payment FOREIGN KEY (store_id, payment_id) REFERENCES online_payments (store_id, id),
  CONSTRAINT ck_disputes_amount CHECK (amount_pesewas > 0 AND taken_pesewas BETWEEN 0 AND amount_pesewas),
  CONSTRAINT ck_disputes_state CHECK (state IN ('needs_answer', 'sent', 'won', 'lost', 'accepted')),
  CONSTRAINT ck_disputes_taken_is_over CHECK (taken_pesewas = 0 OR state IN ('lost', 'accepted'))
)
""",
    "CREATE UNIQUE INDEX uq_disputes_gateway_id ON disputes (gateway_id) WHERE gateway_id IS NOT NULL",
    "CREATE INDEX ix_disputes_payment ON disputes (payment_id)",
    "CREATE INDEX ix_disputes_newest ON disputes (store_id, id)",
    "CREATE INDEX ix_disputes_due ON disputes (due_at) WHERE state = 'needs_answer'",
)
ADDED_TO_ORDERS = (
    "ALTER TABLE orders ADD COLUMN paid_online boolean DEFAULT false NOT NULL,"
    " ADD CONSTRAINT ck_orders_test_is_not_paid_online CHECK (NOT (is_test AND paid_online))"
)


def upgrade() -> None:
    # before the first granting the owner sees rows by the wall of then
    op.execute("SELECT set_config('makola.scope', 'all', true)")
    op.execute("LOCK TABLE orders, accounts, postings IN ACCESS EXCLUSIVE MODE")
    op.execute(ADDED_TO_ORDERS)
    _owed_index(" AND NOT paid_online")
    op.execute(
        "ALTER TABLE stores ADD COLUMN pay_online boolean DEFAULT false NOT NULL"
    )
    op.execute(
        "ALTER TABLE postings ADD COLUMN subject text,"
        " ADD CONSTRAINT ck_postings_subject CHECK"
        f" (subject IS NULL OR (subject ~ '{SUBJECT}' AND order_id IS NULL))"
    )
    op.execute(
        "CREATE UNIQUE INDEX uq_postings_subject_kind_n ON postings (subject, kind, n)"
        " WHERE subject IS NOT NULL"
    )
    op.execute(
        "CREATE INDEX ix_postings_captured ON postings (store_id, at) WHERE kind = 'capture'"
    )
    _wallet_index(", 'fund_online', 'fund_reversed'")
    _limits((*BEFORE, *STORE))
    for name in PLATFORM:
        op.execute(f"INSERT INTO accounts (name, balance_pesewas) VALUES ('{name}', 0)")
    for name in STORE:
        op.execute(
            "INSERT INTO accounts (store_id, name, balance_pesewas)"
            f" SELECT id, '{name}', 0 FROM stores ORDER BY id"
        )
    for statement in CREATE:
        op.execute(statement)
    op.execute(WITHIN_PAYMENT)
    op.execute(BOOK.format(column=", subject", value=", said ->> 'subject'"))
    op.execute(POST_OWN)
    _open((*BEFORE, *STORE))
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")


def _owed_index(direct: str) -> None:
    op.drop_index("ix_orders_give_back", "orders")
    op.create_index(
        "ix_orders_give_back",
        "orders",
        ["store_id", "id"],
        postgresql_where=sa.text(OWED.format(direct=direct)),
    )


def _wallet_index(more: str) -> None:
    op.drop_index("ix_postings_wallet", "postings")
    op.create_index(
        "ix_postings_wallet",
        "postings",
        ["store_id", "kind", "at", "id"],
        postgresql_where=sa.text(WALLET_KINDS.format(more=more)),
    )


def _limits(names: tuple[str, ...]) -> None:
    owned = ", ".join(f"'{name}'" for name in names)
    never_debit = ", ".join(f"'{name}'" for name in names if name != "earnings")
    op.execute(
        "ALTER TABLE accounts DROP CONSTRAINT ck_accounts_owner,"
        " DROP CONSTRAINT ck_accounts_no_overdraft,"
        f" ADD CONSTRAINT ck_accounts_owner CHECK ((name IN ({owned})) = (store_id IS NOT NULL)),"
        " ADD CONSTRAINT ck_accounts_no_overdraft CHECK"
        f" (name NOT IN ({never_debit}) OR balance_pesewas <= 0)"
    )


def _open(names: tuple[str, ...]) -> None:
    op.execute(OPEN_ACCOUNTS.format(names="{" + ",".join(names) + "}"))


def downgrade() -> None:
    """Not once money came in online: older code knows none of it."""
    op.execute("SELECT set_config('makola.scope', 'all', true)")
    there = (
        "SELECT EXISTS (SELECT FROM online_payments) OR EXISTS (SELECT FROM payouts)"
    )
    if op.get_bind().scalar(sa.text(there)):
        raise RuntimeError(
            "There are online payments or payouts: older code does not know them."
        )
    op.execute(BOOK.format(column="", value=""))
    op.execute(POST_OWN_BEFORE)
    _open(BEFORE)
    for table in reversed(TABLES):
        op.drop_table(table)
    op.execute("DROP FUNCTION makola_refuse_too_much_back()")
    gone = ", ".join(f"'{name}'" for name in (*STORE, *PLATFORM))
    op.execute(f"DELETE FROM accounts WHERE name IN ({gone})")
    _limits(BEFORE)
    _wallet_index("")
    _owed_index("")
    op.drop_index("ix_postings_captured", "postings")
    op.drop_index("uq_postings_subject_kind_n", "postings")
    op.execute(
        "ALTER TABLE postings DROP CONSTRAINT ck_postings_subject, DROP COLUMN subject"
    )
    op.execute("ALTER TABLE stores DROP COLUMN pay_online")
    op.execute(
        "ALTER TABLE orders DROP CONSTRAINT ck_orders_test_is_not_paid_online,"
        " DROP COLUMN paid_online"
    )
