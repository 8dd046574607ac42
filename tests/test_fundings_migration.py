"""The migration of wallets that are funded online on tables of before: what is there stays, a store
has one attempt of a kind, and the way back."""

from __future__ import annotations

import psycopg
import pytest
from alembic import command

from tests.support.old_tables import before, fill

ATTEMPT = (
    "INSERT INTO online_payments (store_id, purpose, reference, mode, amount_pesewas, state, created_at)"
    " VALUES (1, 'wallet', %s, 'test', 500, %s, now())"
)
DISPUTE = (
    "INSERT INTO disputes (store_id, payment_id, amount_pesewas, category, made_at)"
    " SELECT 1, id, 500, 'fraud', now() FROM online_payments LIMIT 1"
)


@pytest.mark.slow(seconds=1)
def test_what_is_there_stays(postgres: dict[str, str]) -> None:
    with before("0036", postgres) as (alembic, url):
        with psycopg.connect(url, autocommit=True) as session:
            for table in ("order_words", "store_days", "customers"):
                # what granting.py makes policies for, and nobody has granted here
                session.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        fill(url)
        with psycopg.connect(url, autocommit=True) as session:
            session.execute(ATTEMPT, ("mk-p-1", "watched"))
            session.execute(DISPUTE)
        command.upgrade(alembic, "0037")
        with psycopg.connect(url, autocommit=True) as session:
            found = session.execute("SELECT owed_pesewas, borne_pesewas FROM disputes")
            assert found.fetchall() == [(0, 0)]
            with pytest.raises(psycopg.errors.CheckViolation):
                session.execute("UPDATE disputes SET owed_pesewas = 1")
            for state in ("asked", "open"):
                session.execute(ATTEMPT, (f"mk-p-{state}", state))
                with pytest.raises(psycopg.errors.UniqueViolation):
                    session.execute(ATTEMPT, (f"mk-p-{state}-2", state))
        command.downgrade(alembic, "0036")
        with psycopg.connect(url, autocommit=True) as session:
            found = session.execute("SELECT amount_pesewas FROM disputes")
            assert found.fetchall() == [(500,)]
