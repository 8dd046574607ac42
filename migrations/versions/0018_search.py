"""What orders are found by: words of their own table, and indexes on numbers. Sums of accounts, and stores by name.

Under row-level security an index answers only what cannot leak: `=`, `<` and `~<~` may go by one, LIKE, `@>`, `%` and
an expression may not. So a search compares words that a trigger writes, whoever writes the order: yesterday's code too.
`accounts` keeps the sum of each side, written by the function that moves the balance. Orders, accounts and entries
stand still for writers while this runs, also for who has locked a row to write it: he would wait for this, and this
for him. What takes readers out as well comes last.
"""

from __future__ import annotations

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

# The last four digits of a number stay when its middle is forgotten; a name goes, and its words with it.
WORDS = """
CREATE FUNCTION makola_order_words() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO order_words (store_id, order_id, word)
    VALUES (NEW.store_id, NEW.id, '#' || reverse(right(NEW.recipient_msisdn, 4)));
  ELSE
    DELETE FROM order_words WHERE store_id = NEW.store_id AND order_id = NEW.id
      AND word IN (SELECT makola_words_of_name(OLD.customer_name));
  END IF;
  IF NEW.customer_name <> '' THEN
    INSERT INTO order_words (store_id, order_id, word)
    SELECT NEW.store_id, NEW.id, word FROM makola_words_of_name(NEW.customer_name) word;
  END IF;
  RETURN NULL;
END $$
"""
WORDS_OF_NAME = """
CREATE FUNCTION makola_words_of_name(name text) RETURNS SETOF text
LANGUAGE sql IMMUTABLE SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT DISTINCT word
  FROM regexp_split_to_table(lower(name COLLATE "pg_c_utf8"), '[^[:alnum:]]+') word WHERE word <> ''
$$
"""
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
  WHERE NOT (l ->> 0 = ANY (coalesce(names, '{}')));
  IF missing IS NOT NULL OR available_pesewas IS NOT NULL THEN
    RETURN;
  END IF;
  INSERT INTO postings (store_id, order_id, kind, n, note, actor_name, at) VALUES (of_store, (said ->> 'order_id')::bigint,
    said ->> 'kind', (said ->> 'n')::bigint, said ->> 'note', said ->> 'actor', (said ->> 'at')::timestamptz)
  RETURNING id INTO posting_id;
  WITH moved AS (
    UPDATE accounts a SET balance_pesewas = a.balance_pesewas + (l ->> 1)::bigint SUMS
    FROM jsonb_array_elements(legs) l
    WHERE a.id = ANY (ids) AND a.name = l ->> 0
    RETURNING a.id, a.store_id, (l ->> 1)::bigint AS amount, a.balance_pesewas AS balance
  )
  INSERT INTO entries (posting_id, account_id, store_id, amount_pesewas, balance_pesewas)
  SELECT makola_book.posting_id, m.id, m.store_id, m.amount, m.balance FROM moved m ORDER BY m.id;
END $$
"""
SUMS = (
    ", debits_pesewas = a.debits_pesewas + greatest((l ->> 1)::bigint, 0)"
    ", credits_pesewas = a.credits_pesewas + greatest(-(l ->> 1)::bigint, 0)"
)
UP = (
    "LOCK TABLE orders, accounts, entries IN EXCLUSIVE MODE",
    """
CREATE TABLE order_words (
  store_id bigint NOT NULL,
  order_id bigint NOT NULL,
  word text COLLATE "C" NOT NULL,
  CONSTRAINT fk_order_words_store_id_stores FOREIGN KEY (store_id) REFERENCES stores (id)
)
""",
    WORDS_OF_NAME,
    WORDS,
    (
        "INSERT INTO order_words (store_id, order_id, word)"
        " SELECT store_id, id, '#' || reverse(right(recipient_msisdn, 4)) FROM orders"
        " UNION ALL SELECT o.store_id, o.id, word FROM orders o, makola_words_of_name(o.customer_name) word"
        " WHERE o.customer_name <> ''"
    ),
    "ALTER TABLE order_words ADD CONSTRAINT pk_order_words PRIMARY KEY (store_id, word, order_id)",
    "CREATE INDEX ix_order_words_all ON order_words (word, order_id)",
    (
        "ALTER TABLE order_words ADD CONSTRAINT fk_order_words_store_id_orders"
        " FOREIGN KEY (store_id, order_id) REFERENCES orders (store_id, id)"
    ),
    (
        "CREATE TRIGGER orders_words AFTER INSERT ON orders"
        " FOR EACH ROW EXECUTE FUNCTION makola_order_words()"
    ),
    (
        "CREATE TRIGGER orders_words_of_name AFTER UPDATE OF customer_name ON orders FOR EACH ROW"
        " WHEN (OLD.customer_name <> NEW.customer_name) EXECUTE FUNCTION makola_order_words()"
    ),
    "ALTER TABLE order_words ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE order_words FORCE ROW LEVEL SECURITY",
    (
        "CREATE INDEX ix_orders_recipient_all ON orders"
        " (recipient_msisdn text_pattern_ops, created_at)"
    ),
    (
        "CREATE INDEX ix_orders_recipient_new ON orders"
        " (store_id, recipient_msisdn text_pattern_ops, created_at)"
    ),
    "CREATE INDEX ix_orders_ended ON orders (final_at) WHERE final_at IS NOT NULL",
    "CREATE INDEX ix_orders_store_created ON orders (store_id, created_at)",
    "CREATE INDEX ix_postings_at ON postings (at, id)",
    'CREATE INDEX ix_stores_slug ON stores (slug COLLATE "C")',
    'CREATE INDEX ix_stores_name ON stores (lower(name) COLLATE "C", id)',
    (
        "CREATE TEMPORARY TABLE summed ON COMMIT DROP AS SELECT account_id,"
        " coalesce(sum(amount_pesewas) FILTER (WHERE amount_pesewas > 0), 0) AS debits,"
        " coalesce(-sum(amount_pesewas) FILTER (WHERE amount_pesewas < 0), 0) AS credits"
        " FROM entries GROUP BY account_id"
    ),
    # the same columns as the unique constraint's
    "DROP INDEX ix_orders_store_newest",
    "DROP INDEX ix_orders_recipient",
    "ALTER INDEX ix_orders_recipient_new RENAME TO ix_orders_recipient",
    (
        "ALTER TABLE accounts ADD COLUMN debits_pesewas bigint NOT NULL DEFAULT 0,"
        " ADD COLUMN credits_pesewas bigint NOT NULL DEFAULT 0"
    ),
    (
        "UPDATE accounts a SET debits_pesewas = s.debits, credits_pesewas = s.credits"
        " FROM summed s WHERE s.account_id = a.id"
    ),
    BOOK.replace("SUMS", SUMS),
)
DOWN = (
    BOOK.replace("SUMS", ""),
    "ALTER TABLE accounts DROP COLUMN credits_pesewas, DROP COLUMN debits_pesewas",
    "DROP INDEX ix_stores_name",
    "DROP INDEX ix_postings_at",
    "DROP INDEX ix_stores_slug",
    "CREATE INDEX ix_orders_store_newest ON orders (store_id, id)",
    "DROP INDEX ix_orders_store_created",
    "DROP INDEX ix_orders_ended",
    "DROP INDEX ix_orders_recipient_all",
    "DROP INDEX ix_orders_recipient",
    "CREATE INDEX ix_orders_recipient ON orders (store_id, recipient_msisdn, created_at)",
    "DROP TRIGGER orders_words_of_name ON orders",
    "DROP TRIGGER orders_words ON orders",
    "DROP TABLE order_words",
    "DROP FUNCTION makola_order_words()",
    "DROP FUNCTION makola_words_of_name(text)",
)


def upgrade() -> None:
    # before the first granting the owner sees rows by the wall of then
    op.execute("SELECT set_config('makola.scope', 'all', true)")
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWN:
        op.execute(statement)
