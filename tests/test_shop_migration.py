"""The migration of prices' history, the order of the shelf and a shop's words, on tables with rows in
them, and the way back."""

from __future__ import annotations

import psycopg
import pytest
from alembic import command

from tests.support.old_tables import before, fill

REVISION = "0026"
YESTERDAYS_PRICE = (
    "INSERT INTO store_bundles (store_id, bundle_id, price_pesewas, hidden, changed_at)"
    " VALUES (1, 1, 500, false, now())"
)


@pytest.mark.slow(seconds=0.8)
def test_prices_and_shops_stay_as_they_were(postgres: dict[str, str]) -> None:
    with before(REVISION, postgres) as (alembic, url):
        with psycopg.connect(url, autocommit=True) as session:
            # what granting.py makes policies for, and nobody has granted here
            session.execute("ALTER TABLE order_words NO FORCE ROW LEVEL SECURITY")
        fill(url)
        with psycopg.connect(url, autocommit=True) as session:
            session.execute(YESTERDAYS_PRICE)
        command.upgrade(alembic, REVISION)
        with psycopg.connect(url, autocommit=True) as session:
            row = session.execute(
                "SELECT price_pesewas, hidden, featured, place FROM store_bundles"
            ).fetchone()
            assert row == (500, False, False, None)
            words = session.execute(
                "SELECT announcement, pay_words, paused_at, status FROM stores"
            ).fetchone()
            assert words == ("", "", None, "open")
            session.execute("DELETE FROM store_bundles")
            session.execute(YESTERDAYS_PRICE)
            walls = session.execute(
                "SELECT relrowsecurity, relforcerowsecurity FROM pg_class"
                " WHERE relname = 'price_moves'"
            ).fetchone()
            assert walls == (True, True)
        command.downgrade(alembic, "-1")
        with psycopg.connect(url, autocommit=True) as session:
            kept = session.execute("SELECT price_pesewas FROM store_bundles").fetchone()
            assert kept == (500,)
        command.upgrade(alembic, REVISION)
