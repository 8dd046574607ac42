"""The migration of news and devices on tables with orders in it: of rows that a delivery and a block
made of one number, one is left with what both had; and the way back."""

from __future__ import annotations

import psycopg
import pytest
from alembic import command

from tests.support.old_tables import before, fill

REVISION = "0031"
INSERT = (
    "INSERT INTO customers (store_id, newest_order_id, ending, name, buys, spent_pesewas, last_at,"
    " blocked_at, blocked_by, blocked_why) VALUES (1, %s, '4567', %s, %s, %s, now(), {at})"
)
LEFT = "SELECT name, buys, spent_pesewas, blocked_why, newest_order_id FROM customers"


@pytest.mark.slow(seconds=1)
def test_two_customers_of_one_number_are_one(postgres: dict[str, str]) -> None:
    with before(REVISION, postgres) as (alembic, url):
        with psycopg.connect(url, autocommit=True) as session:
            for table in ("order_words", "store_days", "customers"):
                # what granting.py makes policies for, and nobody has granted here
                session.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        fill(url)
        with psycopg.connect(url, autocommit=True) as session:
            first, second = session.execute(
                "SELECT min(id), max(id) FROM orders GROUP BY recipient_msisdn"
                " HAVING count(*) > 1 ORDER BY 1 LIMIT 1"
            ).fetchone() or (None, None)
            assert first and second
            session.execute(
                INSERT.format(at="now(), 'Ama', 'Never pays'"), [first, "", 0, 0]
            )
            session.execute(
                INSERT.format(at="NULL, NULL, NULL"), [second, "Efua", 2, 900]
            )
        command.upgrade(alembic, REVISION)
        with psycopg.connect(url, autocommit=True) as session:
            assert session.execute(LEFT).fetchall() == [
                ("Efua", 2, 900, "Never pays", second)
            ]
        command.downgrade(alembic, "-1")
        command.upgrade(alembic, REVISION)
