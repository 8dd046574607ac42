"""The migration of how a shop looks and where it is, on tables with rows in it, and the way back."""

from __future__ import annotations

import psycopg
import pytest
from alembic import command

from tests.support.old_tables import before, fill

REVISION = "0029"


@pytest.mark.slow(seconds=0.6)
def test_stores_that_are_there_stay_as_they_are(postgres: dict[str, str]) -> None:
    with before(REVISION, postgres) as (alembic, url):
        with psycopg.connect(url, autocommit=True) as session:
            # what granting.py makes policies for, and nobody has granted here
            for table in ("order_words", "store_days", "customers"):
                session.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        fill(url)
        command.upgrade(alembic, REVISION)
        with psycopg.connect(url, autocommit=True) as session:
            now = "SELECT slug, hours, hours_closed, logo, moved_at FROM stores"
            assert session.execute(now).fetchall() == [("ama", "", False, None, None)]
            with pytest.raises(psycopg.errors.CheckViolation):
                session.execute("UPDATE stores SET hours = '07:00-21:00'")
            session.execute("UPDATE stores SET hours = '07:00-21:00,,,,,,'")
            session.execute("INSERT INTO former_addresses VALUES ('esi', 1, now())")
        command.downgrade(alembic, "-1")
        command.upgrade(alembic, REVISION)
