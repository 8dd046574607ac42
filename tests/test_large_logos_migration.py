"""The migration of large logos on a store that has a small one: it stays, without a large one; and
the way back."""

from __future__ import annotations

import psycopg
import pytest
from alembic import command

from tests.support.old_tables import before, fill

REVISION = "0032"
INDEX = "SELECT count(*) FROM pg_indexes WHERE indexname = 'ix_orders_unsold'"


@pytest.mark.slow(seconds=1)
def test_a_logo_of_before_stays_and_has_no_large_one(postgres: dict[str, str]) -> None:
    with before(REVISION, postgres) as (alembic, url):
        with psycopg.connect(url, autocommit=True) as session:
            for table in ("order_words", "store_days", "customers"):
                # what granting.py makes policies for, and nobody has granted here
                session.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        fill(url)
        with psycopg.connect(url, autocommit=True) as session:
            session.execute(
                "INSERT INTO store_logos (store_id, mark, picture, made_at)"
                " VALUES (1, 'aa', 'small', now())"
            )
        command.upgrade(alembic, REVISION)
        with psycopg.connect(url, autocommit=True) as session:
            found = session.execute("SELECT mark, picture, large FROM store_logos")
            assert found.fetchall() == [("aa", b"small", None)]
            assert session.execute(INDEX).fetchone() == (1,)
        command.downgrade(alembic, "-1")
        with psycopg.connect(url, autocommit=True) as session:
            assert session.execute(INDEX).fetchone() == (0,)
        command.upgrade(alembic, REVISION)
