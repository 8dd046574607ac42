"""The migration of test orders, on tables with rows in it, and the way back: not while there are
some."""

from __future__ import annotations

import psycopg
import pytest
from alembic import command

from tests.support.old_tables import before, fill

REVISION = "0028"
MADE = (
    "INSERT INTO orders (id, store_id, code, order_ref, idempotency_key, source, customer_name,"
    " recipient_msisdn, network, mb, validity, bundle_id, product_name, capacity, price_pesewas,"
    " agent_price_pesewas, cost_pesewas, state, version, attempt, ever_unknown, resends,"
    " lookups_gone, created_at, is_test, test_ending) VALUES (9, 1, 'CODE9', 'TEST-9', 'key9',"
    " 'test', '', '+233000000000', 'mtn', 1024, '30 days', 1, 'x', '1GB', 500, 410, 400,"
    " 'pending', 1, 0, false, 0, 0, now(), true, 'delivered')"
)


@pytest.mark.slow(seconds=0.8)
def test_what_is_there_is_real_and_test_orders_are_kept_from_older_code(
    postgres: dict[str, str],
) -> None:
    with before(REVISION, postgres) as (alembic, url):
        with psycopg.connect(url, autocommit=True) as session:
            # what granting.py makes policies for, and nobody has granted here
            session.execute("ALTER TABLE order_words NO FORCE ROW LEVEL SECURITY")
        fill(url)
        command.upgrade(alembic, REVISION)
        with psycopg.connect(url, autocommit=True) as session:
            kinds = "SELECT is_test, test_ending FROM orders"
            assert session.execute(kinds).fetchall() == [(False, None)] * 3
            session.execute(MADE)
            done = "UPDATE orders SET state = 'completed', completed_at = now() WHERE id = 9"
            session.execute(done)
            summed = session.execute("SELECT count(*) FROM store_days").fetchone()
            assert summed == (0,)
        with pytest.raises(RuntimeError, match="There are test orders"):
            command.downgrade(alembic, "-1")
        with psycopg.connect(url, autocommit=True) as session:
            for table, key in (("order_words", "order_id"), ("orders", "id")):
                session.execute(f"DELETE FROM {table} WHERE {key} = 9")
        command.downgrade(alembic, "-1")
        command.upgrade(alembic, REVISION)
