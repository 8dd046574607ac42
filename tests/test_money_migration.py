"""The migration that sums what stores earned, on tables with orders in it, what yesterday's code
delivers afterwards, and the way back."""

from __future__ import annotations

import psycopg
import pytest
from alembic import command

from tests.support.old_tables import before, fill

REVISION = "0027"
DELIVERED = (
    "UPDATE orders SET state = 'completed', completed_at = '2026-03-0%s 23:59:59+00',"
    " final_at = now() WHERE id = %s"
)
SUMS = (
    "SELECT day::text, orders, sales_pesewas, cost_pesewas FROM store_days ORDER BY day"
)


@pytest.mark.slow(seconds=0.8)
def test_what_is_there_is_summed_once_and_what_comes_too(
    postgres: dict[str, str],
) -> None:
    with before(REVISION, postgres) as (alembic, url):
        with psycopg.connect(url, autocommit=True) as session:
            # what granting.py makes policies for, and nobody has granted here
            session.execute("ALTER TABLE order_words NO FORCE ROW LEVEL SECURITY")
        fill(url)
        with psycopg.connect(url, autocommit=True) as session:
            session.execute(DELIVERED % (4, 2))
        command.upgrade(alembic, REVISION)
        with psycopg.connect(url, autocommit=True) as session:
            assert session.execute(SUMS).fetchall() == [("2026-03-04", 1, 500, 410)]
            for table in ("store_days", "customers"):
                session.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
            session.execute("SELECT set_config('makola.scope', 'all', false)")
            session.execute(DELIVERED % (4, 1))
            session.execute(DELIVERED % (5, 3))
            session.execute("UPDATE orders SET state = 'completed' WHERE id = 3")
            session.execute(
                "UPDATE orders SET completed_at = completed_at + interval '1 day'"
            )
            assert session.execute(SUMS).fetchall() == [
                ("2026-03-04", 2, 1_000, 820),
                ("2026-03-05", 1, 500, 410),
            ]
        command.downgrade(alembic, "-1")
        command.upgrade(alembic, REVISION)
        with psycopg.connect(url, autocommit=True) as session:
            found = session.execute("SELECT sum(orders) FROM store_days").fetchone()
            assert found == (3,)
