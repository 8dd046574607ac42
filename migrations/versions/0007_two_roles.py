"""Two roles of the application: what either may do beyond reading and writing rows stands in functions of a third.

Adds a table and functions; takes nothing from a role that was there before. Who may call what, and the policies of each
role, are made by granting.py after every upgrade. The wall of before stays for the roles of before, under another name.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

STORE_TABLES = (
    "accounts",
    "cases",
    "entries",
    "order_events",
    "orders",
    "outbox",
    "postings",
    "store_bundles",
)

# HMAC-SHA256 from the two padded keys. Both sides are hashed once more before they are compared, so that the time it
# takes says nothing about how much of a guess was right.
SIGNED = """
CREATE FUNCTION makola_signed(words text, mac text) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT EXISTS (
    SELECT FROM signing_keys k WHERE sha256(convert_to(mac, 'UTF8')) = sha256(convert_to(
      encode(sha256(k.outer_pad || sha256(k.inner_pad || convert_to(words, 'UTF8'))), 'hex'), 'UTF8')))
$$
"""
STORE = """
CREATE FUNCTION makola_store() RETURNS bigint LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  told text := current_setting('makola.store', true);
  id text := split_part(told, '.', 1);
BEGIN
  IF told IS NULL OR told = '' THEN
    RETURN NULL;
  END IF;
  IF NOT makola_signed('store:' || id, split_part(told, '.', 2)) THEN
    RAISE EXCEPTION 'makola.store was not set by this program' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN id::bigint;
END $$
"""
HEARD = """
CREATE FUNCTION makola_heard(act text, said text, mac text) RETURNS jsonb LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  IF NOT coalesce(makola_signed(act || ':' || said, mac), false) THEN
    RAISE EXCEPTION '% was not asked for by this program', act USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN said::jsonb;
END $$
"""
# The accounts are locked in the order of their ids, so that two postings never wait for each other in a circle, and
# before the posting's id is drawn: see `seals.cut`. Legs go out in one INSERT, which the trigger below judges.
BOOK = """
CREATE FUNCTION makola_book(said jsonb, OUT posting_id bigint, OUT available_pesewas bigint, OUT missing text)
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
    UPDATE accounts a SET balance_pesewas = a.balance_pesewas + (l ->> 1)::bigint FROM jsonb_array_elements(legs) l
    WHERE a.id = ANY (ids) AND a.name = l ->> 0
    RETURNING a.id, a.store_id, (l ->> 1)::bigint AS amount, a.balance_pesewas AS balance
  )
  INSERT INTO entries (posting_id, account_id, store_id, amount_pesewas, balance_pesewas)
  SELECT makola_book.posting_id, m.id, m.store_id, m.amount, m.balance FROM moved m ORDER BY m.id;
END $$
"""
POST = """
CREATE FUNCTION makola_post(said text, mac text, OUT posting_id bigint, OUT available_pesewas bigint, OUT missing text)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT * FROM makola_book(makola_heard('makola_post', said, mac))
$$
"""
# A store may set its own money aside for an order of its own and take it back, each as the order says, and no more.
POST_OWN = """
CREATE FUNCTION makola_post_own(said text, mac text, OUT posting_id bigint, OUT available_pesewas bigint, OUT missing text)
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
CREATE FUNCTION makola_open_accounts(said text, mac text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  INSERT INTO accounts (store_id, name, balance_pesewas)
  SELECT (w ->> 'store_id')::bigint, name, 0
  FROM makola_heard('makola_open_accounts', said, mac) w CROSS JOIN unnest('{wallet,held}'::text[]) name
$$
"""
# To lock a row PostgreSQL asks for the right to change it, which whoever only wants it to stand still must not have.
HOLD_BUNDLES = """
CREATE FUNCTION makola_hold_bundles(ids bigint[]) RETURNS SETOF bundles LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT * FROM bundles WHERE id = ANY (ids) ORDER BY id FOR SHARE
$$
"""
HOLD_FLOAT = """
CREATE FUNCTION makola_hold_float() RETURNS bigint LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT balance_pesewas FROM accounts WHERE name = 'supplier_float' FOR NO KEY UPDATE
$$
"""
PRUNE = """
CREATE FUNCTION makola_prune(said text, mac text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  w jsonb := makola_heard('makola_prune', said, mac);
  gone bigint;
BEGIN
  WITH calls AS (
    DELETE FROM supplier_calls WHERE at < (w ->> 'calls_before')::timestamptz RETURNING 1
  ), webhooks AS (
    DELETE FROM webhook_events WHERE received_at < (w ->> 'webhooks_before')::timestamptz RETURNING 1
  ), asked AS (
    DELETE FROM outbox WHERE order_id IS NULL AND done_at < (w ->> 'asked_before')::timestamptz RETURNING 1
  )
  SELECT (SELECT count(*) FROM calls) + (SELECT count(*) FROM webhooks) + (SELECT count(*) FROM asked) INTO gone;
  RETURN gone;
END $$
"""
# A posting and its legs come from one statement of one transaction: their rows carry the same transaction id, and there
# are no others. So nothing can be added to a posting that is there, not even two legs that cancel out.
REFUSE_UNBALANCED = """
CREATE OR REPLACE FUNCTION makola_refuse_unbalanced() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM fresh GROUP BY posting_id HAVING sum(amount_pesewas) <> 0) THEN
    RAISE EXCEPTION 'posting does not sum to zero' USING ERRCODE = 'check_violation';
  END IF;
  IF EXISTS (
    SELECT FROM fresh f JOIN postings p ON p.id = f.posting_id JOIN entries e ON e.posting_id = f.posting_id
    WHERE p.xmin <> e.xmin OR NOT EXISTS (SELECT FROM fresh x WHERE x.id = e.id)
  ) THEN
    RAISE EXCEPTION 'a posting is written with all its legs at once' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NULL;
END $$
"""
WALL_BEFORE = (
    "store_id = NULLIF(current_setting('makola.store', true), '')::bigint "
    "OR current_setting('makola.scope', true) = 'all'"
)
UNBALANCED_BEFORE = """
CREATE OR REPLACE FUNCTION makola_refuse_unbalanced() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM fresh GROUP BY posting_id HAVING sum(amount_pesewas) <> 0) THEN
    RAISE EXCEPTION 'posting does not sum to zero' USING ERRCODE = 'check_violation';
  END IF;
  RETURN NULL;
END $$
"""
# What a call said and answered is written once; a webhook's words never change, only how often they came.
EVIDENCE = """
CREATE FUNCTION makola_refuse_second_answer() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  IF OLD.answered_at IS NOT NULL AND current_user <> 'makola_definer' THEN
    RAISE EXCEPTION 'this call has its answer' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER supplier_calls_answered_once BEFORE UPDATE ON supplier_calls
  FOR EACH ROW EXECUTE FUNCTION makola_refuse_second_answer();
CREATE FUNCTION makola_refuse_other_words() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  IF NEW.times < OLD.times OR (NEW.headers IS DISTINCT FROM OLD.headers AND OLD.event_key NOT LIKE 'strangers %') THEN
    RAISE EXCEPTION 'what came in is not changed' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER webhook_events_only_counted BEFORE UPDATE ON webhook_events
  FOR EACH ROW EXECUTE FUNCTION makola_refuse_other_words();
"""
# People, roles, memberships and log-ins are written by the program's own statements alone. It says so by a word signed for
# this very connection; roles of before, and whoever owns the tables, need none.
PERMIT = """
CREATE FUNCTION makola_refuse_unpermitted() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM pg_policies WHERE schemaname = 'public' AND tablename = 'orders'
      AND policyname IN ('store_wall', 'platform_wall') AND session_user = ANY (roles))
    AND NOT coalesce(makola_signed('people:' || pg_backend_pid(), current_setting('makola.permit', true)), false) THEN
    RAISE EXCEPTION '% is written by the program alone', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NULL;
END $$
"""
KEPT_HASH_OF = """
CREATE FUNCTION makola_password_of(said text, mac text) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT u.password_hash FROM users u
  WHERE u.id = (makola_heard('makola_password_of', said, mac) ->> 'user_id')::bigint
$$
"""
# What is true of a person and of a membership, in words that tell neither an e-mail nor a password. The audit gets them at each change,
# whoever makes it, and the proof of the books asks whether they still are.
PEOPLE_WORDS = """
CREATE FUNCTION makola_words_of(u users) RETURNS jsonb LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT jsonb_build_object('platform_role', u.platform_role,
    'email', substr(encode(sha256(convert_to(u.email, 'UTF8')), 'hex'), 1, 16),
    'password', substr(encode(sha256(convert_to(u.password_hash, 'UTF8')), 'hex'), 1, 16))
$$
"""
WRITER = """
CREATE FUNCTION makola_writer() RETURNS text LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT CASE WHEN makola_signed('people:' || pg_backend_pid(), current_setting('makola.permit', true)) THEN 'Makola'
    ELSE session_user::text END
$$
"""
NOTE_PEOPLE = """
CREATE FUNCTION makola_note_person() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  before jsonb := CASE WHEN TG_OP <> 'INSERT' THEN makola_words_of(OLD) END;
  after jsonb := CASE WHEN TG_OP <> 'DELETE' THEN makola_words_of(NEW) END;
BEGIN
  IF before IS DISTINCT FROM after THEN
    INSERT INTO audit (at, actor_kind, actor_name, action, subject, detail)
    VALUES (clock_timestamp(), 'system', makola_writer(), 'person', 'user:' || coalesce(NEW.id, OLD.id),
      jsonb_build_object('is', after, 'was', before));
  END IF;
  RETURN NULL;
END $$
"""
NOTE_MEMBERSHIP = """
CREATE FUNCTION makola_note_membership() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  IF TG_OP <> 'INSERT' AND (TG_OP = 'DELETE' OR (OLD.user_id, OLD.store_id) <> (NEW.user_id, NEW.store_id)) THEN
    INSERT INTO audit (at, actor_kind, actor_name, action, subject, detail)
    VALUES (clock_timestamp(), 'system', makola_writer(), 'membership', OLD.user_id || '/' || OLD.store_id,
      jsonb_build_object('is', NULL, 'was', OLD.role));
  END IF;
  IF TG_OP = 'INSERT' OR (TG_OP = 'UPDATE' AND OLD IS DISTINCT FROM NEW) THEN
    INSERT INTO audit (at, actor_kind, actor_name, action, subject, detail)
    VALUES (clock_timestamp(), 'system', makola_writer(), 'membership', NEW.user_id || '/' || NEW.store_id,
      jsonb_build_object('is', NEW.role, 'was', CASE WHEN TG_OP = 'UPDATE' THEN OLD.role END));
  END IF;
  RETURN NULL;
END $$
"""
PEOPLE_OFF = """
CREATE FUNCTION makola_people_off() RETURNS SETOF text LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
  WITH told AS (
    SELECT DISTINCT ON (subject) action, subject, NULLIF(detail -> 'is', 'null') AS words FROM audit
    WHERE action IN ('person', 'membership') ORDER BY subject, id DESC
  ), there AS (
    SELECT 'user:' || u.id AS subject, makola_words_of(u) AS words FROM users u
    UNION ALL SELECT user_id || '/' || store_id, to_jsonb(role) FROM memberships
  )
  SELECT CASE WHEN coalesce(there.subject, told.subject) LIKE 'user:%' THEN '' ELSE 'member ' END
    || coalesce(there.subject, told.subject)
  FROM there FULL JOIN told USING (subject) WHERE there.words IS DISTINCT FROM told.words
$$
"""
# Everybody who is there now, so that the first proof has something to go by.
TOLD_NOW = """
INSERT INTO audit (at, actor_kind, actor_name, action, subject, detail)
SELECT clock_timestamp(), 'system', 'Makola', 'person', 'user:' || u.id, jsonb_build_object('is', makola_words_of(u))
FROM users u;
INSERT INTO audit (at, actor_kind, actor_name, action, subject, detail)
SELECT clock_timestamp(), 'system', 'Makola', 'membership', user_id || '/' || store_id, jsonb_build_object('is', role)
FROM memberships;
CREATE INDEX ix_audit_people ON audit (subject, id) WHERE action IN ('person', 'membership');
"""
GUARDED = ("memberships", "reset_links", "sessions", "users")
NOTED = {"users": "person", "memberships": "membership"}
FUNCTIONS = (
    SIGNED, STORE, HEARD, BOOK, POST, POST_OWN, OPEN_ACCOUNTS, HOLD_BUNDLES, HOLD_FLOAT, PRUNE, REFUSE_UNBALANCED, EVIDENCE,
    PERMIT, KEPT_HASH_OF, PEOPLE_WORDS, WRITER, NOTE_PEOPLE, NOTE_MEMBERSHIP, PEOPLE_OFF, TOLD_NOW,
)  # fmt: skip


def upgrade() -> None:
    op.create_table(
        "signing_keys",
        sa.Column("inner_pad", sa.LargeBinary(), nullable=False),
        sa.Column("outer_pad", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("inner_pad", name=op.f("pk_signing_keys")),
    )
    for statement in FUNCTIONS:
        op.execute(statement)
    op.execute(
        "ALTER FUNCTION makola_next_audit_id() SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp"
    )
    for table in GUARDED:
        op.execute(
            f"CREATE TRIGGER {table}_permitted BEFORE INSERT OR UPDATE OR DELETE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION makola_refuse_unpermitted()"
        )
    for table, what in NOTED.items():
        op.execute(
            f"CREATE TRIGGER {table}_noted AFTER INSERT OR UPDATE OR DELETE ON {table} "
            f"FOR EACH ROW EXECUTE FUNCTION makola_note_{what}()"
        )
    for table in STORE_TABLES:
        op.execute(f"ALTER POLICY store_wall ON {table} RENAME TO yesterday_wall")
    op.execute("ALTER TABLE stores ENABLE ROW LEVEL SECURITY")
    op.execute("CREATE POLICY every_store ON stores USING (true) WITH CHECK (true)")


def downgrade() -> None:
    for table in STORE_TABLES:
        for policy in (
            "store_wall",
            "platform_wall",
            "definer_wall",
            "owner_wall",
            "yesterday_wall",
        ):
            op.execute(f"DROP POLICY IF EXISTS {policy} ON {table}")
        op.execute(
            f"CREATE POLICY store_wall ON {table} USING ({WALL_BEFORE}) WITH CHECK ({WALL_BEFORE})"
        )
    op.execute("DROP POLICY IF EXISTS own_store ON stores")
    op.execute("DROP POLICY IF EXISTS every_store ON stores")
    op.execute("ALTER TABLE stores DISABLE ROW LEVEL SECURITY")
    for table in GUARDED:
        op.execute(f"DROP TRIGGER {table}_permitted ON {table}")
    for table in NOTED:
        op.execute(f"DROP TRIGGER {table}_noted ON {table}")
    op.execute("DROP INDEX ix_audit_people")
    op.execute("DROP TRIGGER webhook_events_only_counted ON webhook_events")
    op.execute("DROP TRIGGER supplier_calls_answered_once ON supplier_calls")
    op.execute(UNBALANCED_BEFORE)
    for function in (
        "makola_people_off()", "makola_note_membership()", "makola_note_person()", "makola_writer()", "makola_words_of(users)",
        "makola_password_of(text, text)", "makola_refuse_unpermitted()",
        "makola_refuse_other_words()", "makola_refuse_second_answer()", "makola_prune(text, text)",
        "makola_hold_float()", "makola_hold_bundles(bigint[])", "makola_open_accounts(text, text)", "makola_post_own(text, text)",
        "makola_post(text, text)", "makola_book(jsonb)", "makola_heard(text, text, text)", "makola_store()",
        "makola_signed(text, text)",
    ):  # fmt: skip
        op.execute(f"DROP FUNCTION {function}")
    op.drop_table("signing_keys")
