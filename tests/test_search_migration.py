"""The migration that makes orders findable by indexes, on tables with rows in it, and the way back."""

from __future__ import annotations

import threading
import time

import psycopg
import pytest
from alembic import command

from tests.support.old_tables import before, fill

REVISION = "0018"
BOOKED = """
UPDATE accounts SET balance_pesewas = 300 WHERE name = 'bank';
INSERT INTO accounts (id, store_id, name, balance_pesewas) VALUES (100, 1, 'wallet', -300);
INSERT INTO postings (id, store_id, kind, note, actor_name, n, at) VALUES
  (1, 1, 'fund_wallet', '', 'x', 1, now()), (2, 1, 'take_back', '', 'x', 1, now());
INSERT INTO entries (posting_id, account_id, store_id, amount_pesewas, balance_pesewas)
SELECT p.id, a.id, a.store_id, CASE WHEN p.id = 1 THEN 500 ELSE -200 END * CASE a.name WHEN 'bank' THEN 1 ELSE -1 END, 0
FROM postings p, accounts a WHERE a.name IN ('bank', 'wallet')
"""
YESTERDAYS_ORDER = (
    "INSERT INTO orders (id, store_id, code, order_ref, idempotency_key, source, customer_name,"
    " recipient_msisdn, network, mb, validity, bundle_id, product_name, capacity, price_pesewas,"
    " agent_price_pesewas, cost_pesewas, state, version, attempt, ever_unknown, resends,"
    " lookups_gone, created_at) SELECT 9, store_id, 'CODE9', 'MK-9', 'key9', source, 'Kofi M.',"
    " '+233559990001', network, mb, validity, bundle_id, product_name, capacity, price_pesewas,"
    " agent_price_pesewas, cost_pesewas, 'pending', 1, 0, false, 0, 0, now() FROM orders WHERE id = 1"
    " RETURNING id"
)


@pytest.mark.slow(seconds=0.8)
def test_what_is_there_can_be_found_and_what_yesterdays_code_writes(
    postgres: dict[str, str],
) -> None:
    with before(REVISION, postgres) as (alembic, url):
        fill(url)
        with psycopg.connect(url, autocommit=True) as session:
            session.execute(BOOKED)
        command.upgrade(alembic, REVISION)
        with psycopg.connect(url, autocommit=True) as session:
            words = session.execute(
                "SELECT order_id, word FROM order_words ORDER BY order_id, word"
            ).fetchall()
            assert words == [
                (number, word) for number in (1, 2, 3) for word in ("#7654", "efua")
            ]
            sums = session.execute(
                "SELECT name, debits_pesewas, credits_pesewas FROM accounts"
                " WHERE debits_pesewas <> 0 ORDER BY name"
            ).fetchall()
            assert sums == [("bank", 500, 200), ("wallet", 200, 500)]
            # what granting.py makes policies for, and nobody has granted here
            session.execute("ALTER TABLE order_words NO FORCE ROW LEVEL SECURITY")
            session.execute("SELECT set_config('makola.scope', 'all', false)")
            made = session.execute(YESTERDAYS_ORDER).fetchone()
            assert made is not None
            words = session.execute(
                "SELECT word FROM order_words WHERE order_id = %s ORDER BY word", made
            ).fetchall()
            assert words == [("#1000",), ("kofi",), ("m",)]
            session.execute("SELECT makola_mask_orders(ARRAY[3])")
            left = session.execute(
                "SELECT word FROM order_words WHERE order_id = 3"
            ).fetchall()
            assert left == [("#7654",)]
        command.downgrade(alembic, "-1")
        command.upgrade(alembic, REVISION)


@pytest.mark.slow(seconds=0.8)
def test_who_has_locked_a_row_writes_it_before_the_tables_stand_still(
    postgres: dict[str, str],
) -> None:
    """As every press does: else each waits for the other, and one of them is broken off."""
    with before(REVISION, postgres) as (alembic, url):
        fill(url)
        upgrade = threading.Thread(target=command.upgrade, args=(alembic, REVISION))
        with psycopg.connect(url) as press:
            press.execute("SELECT set_config('makola.scope', 'all', true)")
            press.execute("SELECT id FROM orders WHERE id = 1 FOR NO KEY UPDATE")
            upgrade.start()
            with psycopg.connect(url, autocommit=True) as looking:
                for _ in range(100):
                    waits = looking.execute(
                        "SELECT 1 FROM pg_locks WHERE NOT granted AND database ="
                        " (SELECT oid FROM pg_database WHERE datname = current_database())"
                    ).fetchone()
                    if waits:
                        break
                    time.sleep(0.05)
            press.execute("UPDATE orders SET version = version + 1 WHERE id = 1")
        upgrade.join()
        with psycopg.connect(url, autocommit=True) as session:
            session.execute("SELECT 1 FROM order_words LIMIT 1")
